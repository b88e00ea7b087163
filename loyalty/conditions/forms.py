"""The condition builder as a form field, for the admin: ``ConditionField(subject="activity")``.

It works without JavaScript: the buttons that add and remove rows submit the form, which comes back with the rows
changed and nothing saved. `conditions.js` does the same in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

from . import builder
from .condition import Condition, parse
from .fields import Subject
from .fields import subject as subject_named
from .tree import ConditionError, Problem


class ConditionWidget(forms.Widget):
    """Draws the rows of a condition; the field gives it its subject."""

    template_name = "loyalty/condition_builder.html"
    subject: Subject = Subject("unknown")
    always: StrOrPromise = ""
    use_fieldset = True

    class Media:
        css = {"all": ["loyalty/conditions.css"]}
        js = ["loyalty/conditions.js"]

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        del files
        if self.value_omitted_from_data(data, {}, name):
            return data.get(name)
        return builder.read(_lists(data), name, self.subject)

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        del files
        return f"{name}-t" not in data

    def id_for_label(self, id_: str) -> str:
        del id_
        return ""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        draft = value if isinstance(value, builder.Draft) else None
        data = draft.data if draft else value.as_json() if isinstance(value, Condition) else value
        condition, problems = self.judged(data, new=draft is not None)
        quiet = draft is not None and draft.action not in ("", "check")
        return {
            "name": name,
            "id": (attrs or {}).get("id", f"id_{name}"),
            "root": builder.draw(data, self.subject, name, [] if quiet else problems),
            "sentence": condition.sentence(always=self.always) if condition else "",
            "catalogue": builder.catalogue(self.subject),
            "blanks": builder.blanks(self.subject, name),
        }

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        del renderer
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def judged(self, data: Any, *, new: bool) -> tuple[Condition | None, Sequence[Problem]]:
        try:
            return parse(data or {}, self.subject, check_choices=new), ()
        except ConditionError as error:
            return None, error.problems


class ConditionField(forms.Field):
    """A condition on one subject; cleans to its canonical JSON. Not required: an empty one always holds."""

    widget: ConditionWidget = ConditionWidget  # type: ignore[assignment]  # the class here, an instance in a field
    default_error_messages = {
        "required": _("Add at least one condition."),
        "editing": _("Not saved yet. Check the conditions, then save."),
        "invalid": _("Mend the marked conditions."),
    }

    def __init__(self, *, subject: Subject | str, always: StrOrPromise = "", **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(**options)
        self.subject = subject_named(subject) if isinstance(subject, str) else subject
        self.widget.subject, self.widget.always = self.subject, always

    def clean(self, value: Any) -> dict[str, Any]:
        draft = value if isinstance(value, builder.Draft) else builder.Draft(value or {})
        if draft.action:
            raise ValidationError(self.error_messages["editing"], code="editing")
        try:
            condition = parse(draft.data, self.subject)
        except ConditionError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if self.required and condition.is_always:
            raise ValidationError(self.error_messages["required"], code="required")
        return condition.as_json()

    def has_changed(self, initial: Any, data: Any) -> bool:
        drafted = data.data if isinstance(data, builder.Draft) else data
        try:
            old = parse(initial or {}, self.subject, check_choices=False)
            return old != parse(drafted or {}, self.subject, check_choices=False)
        except ConditionError:
            return True


def _lists(data: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    if isinstance(data, MultiValueDict):
        return dict(data.lists())
    return {key: value if isinstance(value, list) else [str(value)] for key, value in data.items()}
