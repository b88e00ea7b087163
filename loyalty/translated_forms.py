"""Texts in several languages as people edit them: an input for each language instead of JSON. For the admin."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import INPUT_CLASSES, TEXTAREA_CLASSES

from loyalty.translated import LANGUAGES, validate_texts


class TranslatedTextWidget(forms.MultiWidget):
    """An input (or a text area) for each language, labelled with the language's own name."""

    template_name = "admin/widgets/translated_text.html"

    def __init__(self, *, multiline: bool = False, attrs: dict[str, Any] | None = None) -> None:
        self.multiline = multiline
        widgets: dict[str, forms.Widget | type[forms.Widget]] = {}
        for code in LANGUAGES:
            own = {"lang": code, **(attrs or {})}
            if multiline:
                widgets[code] = forms.Textarea({"rows": 4, **own, "class": " ".join(TEXTAREA_CLASSES)})
            else:
                widgets[code] = forms.TextInput({**own, "class": " ".join(INPUT_CLASSES)})
        super().__init__(widgets)

    def decompress(self, value: Mapping[str, str] | None) -> list[str]:
        texts = value or {}
        return [texts.get(code, "") for code in LANGUAGES]

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["widget"]["multiline"] = self.multiline
        names = dict(settings.LANGUAGES)
        for code, subwidget in zip(LANGUAGES, context["widget"]["subwidgets"], strict=True):
            subwidget["language"] = names[code]
            subwidget["attrs"].pop("required", None)
        return context

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        """Drawn by the project's own templates; forms' usual renderer knows those of apps only."""
        del renderer
        return render_to_string(self.template_name, self.get_context(name, value, attrs))


class TranslatedTextFormField(forms.MultiValueField):
    """Gives ``{"fi": ..., "sv": ..., "en": ...}`` without the languages left empty."""

    default_error_messages = {"required": _("Give the text in at least one language.")}

    def __init__(
        self, *, multiline: bool = False, max_length: int | None = None, required: bool = True, **kwargs: Any
    ) -> None:
        for unused in ("encoder", "decoder"):  # what a JSON column hands to its form field
            kwargs.pop(unused, None)
        kwargs["widget"] = TranslatedTextWidget(multiline=multiline)
        fields = [forms.CharField(required=False, max_length=max_length) for _code in LANGUAGES]
        super().__init__(fields=fields, required=required, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[str]) -> dict[str, str]:
        return {code: text for code, text in zip(LANGUAGES, data_list or [], strict=False) if text}

    def clean(self, value: Any) -> dict[str, str]:
        texts: dict[str, str] = super().clean(value)
        if self.required and not texts:
            raise ValidationError(self.error_messages["required"], code="required")
        if texts:
            validate_texts(texts)
        return texts

    def has_changed(self, initial: Any, data: Any) -> bool:
        before = {code: text for code, text in (initial or {}).items() if text}
        after = {code: text for code, text in zip(LANGUAGES, data or [], strict=False) if text}
        return not self.disabled and before != after
