"""What a variant says: a form for each language, and one for the variant itself."""

from typing import Any

from django import forms
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from campaigns.building import TEXT_FIELDS
from campaigns.models import Text, Variant
from loyalty.translated import LANGUAGES

MOST_WEIGHT = 100
LONGEST_TEXT = 20_000


def column_of(name: str) -> "models.Field[Any, Any]":
    """The text's column."""
    return next(field for field in Text._meta.fields if field.name == name)


def _line(name: str) -> forms.CharField:
    column = column_of(name)
    return forms.CharField(
        label=column.verbose_name,
        required=False,
        max_length=column.max_length,
        help_text=column.help_text,
        widget=UnfoldAdminTextInputWidget({"data-insertable": ""}),
    )


class TextForm(forms.Form):
    """The words in one language; all of them empty means that there is no text in it."""

    subject = _line("subject")
    preheader = _line("preheader")
    heading = _line("heading")
    body = forms.CharField(
        label=_("Text"),
        required=False,
        max_length=LONGEST_TEXT,
        strip=False,
        help_text=_("An empty line begins a new paragraph; **two stars** make bold."),
        widget=UnfoldAdminTextareaWidget({"rows": 9, "data-insertable": ""}),
    )
    button_label = _line("button_label")
    button_link = _line("button_link")
    short_text = forms.CharField(
        label=_("Short text"),
        required=False,
        max_length=480,
        help_text=_("For text messages and notifications. Empty: the subject."),
        widget=UnfoldAdminTextareaWidget({"rows": 3, "data-insertable": "", "data-count": ""}),
    )
    mjml = forms.CharField(
        label=_("Own e-mail layout (MJML)"),
        required=False,
        max_length=100_000,
        strip=False,
        help_text=_("Empty: the programme's own layout around the text."),
        widget=UnfoldAdminTextareaWidget({"rows": 8, "spellcheck": "false"}),
    )

    def __init__(self, data: Any = None, *, language: str, initial: dict[str, str]) -> None:
        super().__init__(data, prefix=language, initial=initial)
        self.language = language
        self.language_name = dict(settings.LANGUAGES)[language]
        for field in self.fields.values():
            field.label = str(field.label)[:1].upper() + str(field.label)[1:]
            field.widget.attrs["lang"] = language

    @property
    def is_empty(self) -> bool:
        """Whether there is not one word in this language."""
        return not any(str(self[name].value() or "").strip() for name in TEXT_FIELDS)

    def words(self) -> dict[str, str]:
        """The valid text's columns, with plain line ends and without what no column may hold."""
        return {
            name: str(self.cleaned_data[name]).replace("\r\n", "\n").replace("\x00", "")
            for name in TEXT_FIELDS
        }


class VariantForm(forms.Form):
    """What staff call a variant, and how many get it."""

    name = forms.CharField(
        label=_("Name"),
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("For staff, such as “with a voucher in the subject”."),
    )
    weight = forms.IntegerField(
        label=_("Weight"),
        min_value=0,
        max_value=MOST_WEIGHT,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("A variant of weight 2 goes to twice as many as one of 1."),
    )

    def __init__(self, data: Any = None, *, initial: dict[str, Any]) -> None:
        super().__init__(data, prefix="variant", initial=initial)


class Sheet:
    """All forms of one variant together."""

    def __init__(self, variant: Variant, data: Any = None) -> None:
        texts = {text.language: text for text in variant.texts.all()}
        self.variant = variant
        self.about = VariantForm(data, initial={"name": variant.name, "weight": variant.weight})
        self.texts = [
            TextForm(
                data,
                language=language,
                initial={name: getattr(texts[language], name) for name in TEXT_FIELDS}
                if language in texts
                else {},
            )
            for language in LANGUAGES
        ]

    def is_valid(self) -> bool:
        return all([self.about.is_valid(), *(text.is_valid() for text in self.texts)])

    def written(self) -> dict[str, Any]:
        """What ``building.write`` takes, of valid forms."""
        return {**self.about.cleaned_data, "texts": {text.language: text.words() for text in self.texts}}

    def first_wrong(self) -> str:
        """The first language with a mistake in it; "" when there is none."""
        return next((text.language for text in self.texts if text.errors), "")
