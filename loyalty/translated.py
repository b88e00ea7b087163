"""Texts that staff keep in several languages: ``{"fi": ..., "sv": ..., "en": ...}`` in one JSON column."""

from collections.abc import Mapping

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import translation
from django.utils.translation import gettext_lazy as _

LANGUAGES = tuple(code for code, _name in settings.LANGUAGES)


def in_language(texts: Mapping[str, str], language: str | None = None) -> str:
    """The text in ``language`` (default: the active one), else in the programme's fallback order, else ""."""
    wanted = (language or translation.get_language() or "").split("-")[0]
    for code in (wanted, settings.LANGUAGE_CODE, "en", *LANGUAGES):
        if text := texts.get(code):
            return text
    return ""


def validate_texts(value: object) -> None:
    """Accept only a mapping of known language codes to strings, at least one of them filled."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValidationError(_("Give the text by language, for example {“fi”: “Hopea”, “en”: “Silver”}."))
    if unknown := sorted(set(value) - set(LANGUAGES)):
        raise ValidationError(_("Unknown language: %(codes)s."), params={"codes": ", ".join(unknown)})
    if not any(text.strip() for text in value.values()):
        raise ValidationError(_("Give the text in at least one language."))


class TranslatedTextField(models.JSONField):
    """A JSON column of texts by language code, validated; read it with :func:`in_language`."""

    default_validators = [validate_texts]
