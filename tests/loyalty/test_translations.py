"""The catalogues: complete, sound, and kept by tools of our own."""

from pathlib import Path

import pytest
from babel.messages.catalog import Message
from django.core.management import CommandError, call_command
from django.utils import translation

from loyalty import translation_files
from loyalty.translation_files import Found, broken, compile_catalogue, problems, read_catalogue, strings_in

PYTHON = """
from django.utils.translation import gettext_lazy as _, ngettext, pgettext
name = _("Balance")
text = ngettext("%(n)s day", "%(n)s days", n)
kind = pgettext("points", "Used")
later = _(name)
"""
TEMPLATE = """
{% load i18n %}
    <h1>{% translate "Balance" %}</h1>
  {% blocktranslate count n=days trimmed %}
      {{ n }} day
  {% plural %}
      {{ n }} days
  {% endblocktranslate %}
{% translate "Used" context "points" as word %}{% include "x.html" with title=_("It's yours") %}
"""
EXPECTED = {Found("", "Balance"), Found("", "%(n)s day", "%(n)s days"), Found("points", "Used")}


def test_strings_are_found_in_python_and_templates() -> None:
    assert set(strings_in(PYTHON, is_template=False)) == EXPECTED
    assert set(strings_in(TEMPLATE, is_template=True)) == EXPECTED | {Found("", "It's yours")}


@pytest.mark.parametrize(
    ("original", "text", "fault"),
    [
        ("%(n)s points", "%(n)s pistettä", ""),
        ("%(n)s points", "pistettä", "placeholders differ (none for %(n)s)"),
        ("%(n)s points", "%(m)s pistettä", "placeholders differ (%(m)s for %(n)s)"),
        ("{0} of {name}", "{name}: {0}", ""),
        ("{name}", "{nimi}", "placeholders differ ({nimi} for {name})"),
        ("%(a)s 100%%", "100 %% %(a)s", ""),
        ('<a href="%(u)s">Join</a>', '<a href="%(u)s">Liity</a>', ""),
        ("<b>Join</b>", "<b>Liity", "tags differ"),
        ("Join\n", "Liity", "line ends differ"),
        (("%(n)s day", "%(n)s days"), ("yksi päivä", "%(n)s päivää"), ""),
        (("%(n)s day", "%(n)s days"), ("%(n)s päivä", "päivää"), "placeholders differ (none for %(n)s)"),
    ],
)
def test_broken_translations_are_seen(
    original: str | tuple[str, str], text: str | tuple[str, str], fault: str
) -> None:
    assert broken(Message(original, text)) == fault


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of its own, without borrowed strings."""
    (tmp_path / "loyalty").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "loyalty" / "words.py").write_text(PYTHON)
    (tmp_path / "templates" / "page.html").write_text(TEMPLATE)
    monkeypatch.setattr(translation_files, "BORROWED", ())
    return tmp_path


def fill(house: Path, language: str, before: str, after: str) -> None:
    path = translation_files.catalogue_path(language, house)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def test_update_keeps_translations_and_drops_what_is_gone(house: Path) -> None:
    assert translation_files.update("fi", house) == (4, 0)
    fill(house, "fi", 'msgid "Balance"\nmsgstr ""', 'msgid "Balance"\nmsgstr "Saldo"')
    before = translation_files.catalogue_path("fi", house).read_text()
    assert translation_files.update("fi", house) == (0, 0)
    assert translation_files.catalogue_path("fi", house).read_text() == before
    (house / "templates" / "page.html").unlink()
    assert translation_files.update("fi", house) == (0, 1)
    assert read_catalogue("fi", house)["Balance"].string == "Saldo"
    assert "It's yours" not in read_catalogue("fi", house)


def test_check_lists_missing_fuzzy_unused_and_broken(house: Path) -> None:
    translation_files.update("fi", house)
    fill(house, "fi", 'msgid "Balance"\nmsgstr ""', '#, fuzzy\nmsgid "Balance"\nmsgstr "Saldo"')
    fill(
        house,
        "fi",
        'msgstr[0] ""\nmsgstr[1] ""',
        'msgstr[0] "päivä"\nmsgstr[1] "päivää"\n\nmsgid "Old"\nmsgstr "Vanha"',
    )
    assert problems("fi", house) == [
        'missing: "It\'s yours"',
        "missing: 'Used'",
        "placeholders differ (none for %(n)s): '%(n)s day'",
        "fuzzy: 'Balance'",
        "unused: 'Old'",
    ]


def test_english_needs_no_translation(house: Path) -> None:
    assert translation_files.update("en", house) == (0, 0)
    assert problems("en", house) == []


def test_fuzzy_translations_are_not_compiled(house: Path) -> None:
    translation_files.update("fi", house)
    fill(house, "fi", 'msgid "Balance"\nmsgstr ""', '#, fuzzy\nmsgid "Balance"\nmsgstr "Saldo"')
    fill(house, "fi", 'msgid "It\'s yours"\nmsgstr ""', 'msgid "It\'s yours"\nmsgstr "Sinun"')
    assert compile_catalogue("fi", house)
    compiled = translation_files.catalogue_path("fi", house).with_suffix(".mo").read_bytes()
    assert b"Sinun" in compiled
    assert b"Saldo" not in compiled


@pytest.mark.parametrize("language", ["fi", "sv", "en"])
def test_our_own_catalogues_are_complete(language: str) -> None:
    assert problems(language) == []


def test_the_command_fails_when_something_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translation_files, "problems", lambda _language: ["missing: 'Balance'"])
    with pytest.raises(CommandError, match="3 problems"):
        call_command("translations", "--check")
    with pytest.raises(CommandError, match="Say what to do"):
        call_command("translations")


def test_borrowed_pages_speak_our_languages() -> None:
    call_command("translations", "--compile")
    translation.trans_real._translations.clear()  # type: ignore[attr-defined]
    with translation.override("sv"):
        assert translation.gettext("Reset filters") == "Nollställ filter"
    with translation.override("fi"):
        assert translation.gettext("Reset filters") == "Tyhjennä suodattimet"
    with translation.override("en"):
        assert translation.gettext("Reset filters") == "Reset filters"
