"""What the forms of the steps share: a step gives answers for a campaign, and groups of fields under headings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django_stubs_ext import StrOrPromise
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns.models import Campaign


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that stand together under a heading."""

    title: StrOrPromise
    hint: StrOrPromise
    fields: Sequence[forms.BoundField]


class Step(forms.Form):
    """One step: made from a campaign, gives the answers to write into it. ``grouped`` says what stands together.

    The page hides a field where it has no use: its ``shown_for`` names the choices that it belongs to.
    """

    grouped: Sequence[tuple[StrOrPromise, StrOrPromise, Sequence[str]]] = ()

    def groups(self) -> list[Group]:
        return [
            Group(title, hint, [self[name] for name in names if name in self.fields])
            for title, hint, names in self.grouped
            if any(name in self.fields for name in names)
        ]

    def answers(self) -> dict[str, Any]:
        """The campaign's fields as the valid form has them."""
        return {
            name: value for name, value in self.cleaned_data.items() if name in _COLUMNS and value is not None
        }


_COLUMNS = frozenset(field.name for field in Campaign._meta.fields)


def choice(label: StrOrPromise, choices: Any, help_text: StrOrPromise = "", **options: Any) -> Any:
    return forms.ChoiceField(
        label=label, choices=choices, widget=UnfoldAdminSelectWidget(), help_text=help_text, **options
    )


def whole(
    label: StrOrPromise, *, least: int = 0, most: int, help_text: StrOrPromise = "", **options: Any
) -> Any:
    return forms.IntegerField(
        label=label,
        min_value=least,
        max_value=most,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=help_text,
        **options,
    )


def switch(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.BooleanField:
    return forms.BooleanField(
        label=label, required=False, widget=UnfoldBooleanSwitchWidget(), help_text=help_text
    )


def moment(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.SplitDateTimeField:
    return forms.SplitDateTimeField(
        label=label, required=False, widget=UnfoldAdminSplitDateTimeWidget(), help_text=help_text
    )


def posted(data: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Those of the named values that were posted, with plain line ends and without what no text may hold."""
    return {name: str(data[name]).replace("\r\n", "\n").replace("\x00", "") for name in names if name in data}
