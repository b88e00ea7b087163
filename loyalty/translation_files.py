"""The catalogues in ``locale/``: found strings in, translated files out, without the gettext programs.

Strings come from our own Python and templates, and from installed packages that lack one of our languages
(unfold has neither Finnish nor Swedish); Django lets our catalogues win. Called by ``manage.py translations``.
"""

import gettext
import importlib.util
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.apps import apps
from django.conf import settings
from django.utils.translation import templatize

SOURCE_LANGUAGE = "en"
TRANSLATED = tuple(code for code, _name in settings.LANGUAGES if code != SOURCE_LANGUAGE)
OWN_FOLDERS = ("loyalty", "members", "rewards", "referrals", "campaigns", "analytics", "templates")
LEFT_OUT = {"migrations", "tests", "__pycache__", "locale"}
BORROWED = (
    "unfold",
    "allauth",
    "axes",
    "django_celery_beat",
    "simple_history",
)
"""Packages whose strings people see and which are not translated into all our languages."""
LEFT_OUT_OF_BORROWED = {
    *("constance", "guardian", "import_export", "location_field", "inlines"),
    *("headless", "idp", "openid", "socialaccount"),
}
"""Parts of them that are not installed here."""

KEYWORDS: dict[str, tuple[Any, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
_PLACEHOLDER = re.compile(r"%\([^)]*\)[sd]|%[sd%]|\{[^{}\s]*\}")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")

Key = tuple[str, str]
"""Context (or "") and msgid."""


@dataclass(frozen=True)
class Found:
    """A string to translate; ``plural`` is empty when it does not count."""

    context: str
    singular: str
    plural: str = ""

    @property
    def key(self) -> Key:
        return self.context, self.singular


class _QuietCatalog(Catalog):
    """A catalogue whose header says only what programs need: no dates, no names, so that diffs show translations."""

    @property
    def mime_headers(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [
            ("Language", str(self.locale)),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
            ("Plural-Forms", self.plural_forms),
        ]


# --- Finding ------------------------------------------------------------------------------------------------------


def own_strings(base: Path = settings.BASE_DIR) -> dict[Key, Found]:
    """Every string of our own Python and templates."""
    return _collect(file for folder in OWN_FOLDERS for file in _sources(base / folder))


def borrowed_strings(language: str, base: Path = settings.BASE_DIR) -> dict[Key, Found]:
    """Strings of installed packages that nobody has put into this language; templates that we replace do not count."""
    known = _known_elsewhere(language)
    found = _collect(file for name in BORROWED for file in _borrowed_sources(name, base))
    return {key: item for key, item in found.items() if not _is_known(item, known)}


def _borrowed_sources(name: str, base: Path) -> Iterator[Path]:
    spec = importlib.util.find_spec(name)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in _sources(Path(folder)):
            relative = file.relative_to(folder).parts
            replaced = "templates" in relative and base.joinpath(*relative).exists()
            if not replaced and not LEFT_OUT_OF_BORROWED & set(relative):
                yield file


def _sources(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".py", ".html", ".txt", ".mjml"} and not LEFT_OUT & set(
            file.relative_to(folder).parts
        ):
            yield file


def _collect(files: Iterable[Path]) -> dict[Key, Found]:
    found: dict[Key, Found] = {}
    for file in files:
        for item in strings_in(file.read_text(encoding="utf-8"), is_template=file.suffix != ".py"):
            if item.plural or item.key not in found:
                found[item.key] = item
    return found


def strings_in(text: str, *, is_template: bool) -> Iterator[Found]:
    """The strings of one Python module or Django template."""
    if is_template:
        text = "\n".join(line.lstrip() for line in templatize(text).splitlines())
    for _line, function, messages, _comments in extract_python(io.BytesIO(text.encode()), KEYWORDS, [], {}):
        values = list(messages) if isinstance(messages, list | tuple) else [messages]
        has_context = "pgettext" in (function or "")
        context = values.pop(0) if has_context else ""
        if values and values[0]:
            plural = values[1] if (function or "").startswith("n") else ""
            yield Found(context or "", values[0], plural or "")


def _known_elsewhere(language: str) -> dict[str | tuple[str, int], str]:
    """What Django and the installed packages have in this language, as gettext keeps it."""
    known: dict[str | tuple[str, int], str] = {}
    folders = [Path(config.path) / "locale" for config in apps.get_app_configs()]
    django_itself = Path(importlib.util.find_spec("django").origin or "").parent / "conf/locale"  # type: ignore[union-attr]
    for folder in [django_itself, *folders]:
        for file in (
            folder / language / "LC_MESSAGES/django.mo",
            folder / language / "LC_MESSAGES/djangojs.mo",
        ):
            if file.exists():
                with file.open("rb") as stream:
                    known |= gettext.GNUTranslations(stream)._catalog  # type: ignore[attr-defined]
    return known


def _is_known(item: Found, known: Mapping[str | tuple[str, int], str]) -> bool:
    msgid = f"{item.context}\x04{item.singular}" if item.context else item.singular
    return bool(known.get((msgid, 1) if item.plural else msgid) or (item.plural and known.get((msgid, 0))))


# --- The catalogues -----------------------------------------------------------------------------------------------


def catalogue_path(language: str, base: Path = settings.BASE_DIR) -> Path:
    return base / "locale" / language / "LC_MESSAGES" / "django.po"


def read_catalogue(language: str, base: Path = settings.BASE_DIR) -> Catalog:
    """The catalogue as it stands; an empty one where there is none."""
    path = catalogue_path(language, base)
    if not path.exists():
        return _QuietCatalog(locale=language)
    with path.open("rb") as stream:
        return read_po(stream, locale=language)


def wanted(language: str, base: Path = settings.BASE_DIR) -> dict[Key, Found]:
    """All strings that this language has to have."""
    return borrowed_strings(language, base) | own_strings(base)


def update(language: str, base: Path = settings.BASE_DIR) -> tuple[int, int]:
    """Bring a catalogue up to date: new strings empty, translations kept, strings that are gone dropped.

    English keeps only the strings that it words differently. Gives how many strings were added and dropped.
    """
    old = {_key(message): message for message in read_catalogue(language, base) if message.id}
    strings = wanted(language, base)
    new = _QuietCatalog(locale=language)
    for key, item in sorted(strings.items(), key=lambda pair: (pair[1].singular.lower(), pair[0])):
        kept = old.get(key)
        if language == SOURCE_LANGUAGE and not (kept and _is_complete(kept)):
            continue
        new.add(
            (item.singular, item.plural) if item.plural else item.singular,
            string=_string(kept, item),
            context=item.context or None,
            flags=("fuzzy",) if kept and kept.fuzzy else (),
            user_comments=kept.user_comments if kept else (),
        )
    path = catalogue_path(language, base)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(new, path)
    added = 0 if language == SOURCE_LANGUAGE else len(strings.keys() - old.keys())
    return added, len(old.keys() - strings.keys())


def _string(kept: Message | None, item: Found) -> str | tuple[str, ...] | None:
    """The kept translation, in the shape the string has now."""
    if kept is None:
        return None
    forms = kept.string if isinstance(kept.string, list | tuple) else (kept.string or "",)
    if item.plural:
        return tuple(forms) if len(forms) == 2 else ("", str(forms[0]))
    return str(forms[-1])


def _write(catalogue: Catalog, path: Path) -> None:
    content = io.BytesIO()
    write_po(content, catalogue, width=110, no_location=True, sort_output=False, omit_header=True)
    header = "\n".join(f'"{name}: {value}\\n"' for name, value in catalogue.mime_headers)
    path.write_bytes(f'msgid ""\nmsgstr ""\n{header}\n\n'.encode() + content.getvalue().rstrip() + b"\n")


def compile_catalogue(language: str, base: Path = settings.BASE_DIR) -> bool:
    """Write the binary file that Django reads; fuzzy translations stay out. Says whether there was one to write."""
    path = catalogue_path(language, base)
    if not path.exists():
        return False
    content = io.BytesIO()
    write_mo(content, read_catalogue(language, base))
    target = path.with_suffix(".mo")
    if not target.exists() or target.read_bytes() != content.getvalue():
        part = target.with_suffix(".mo.part")
        part.write_bytes(content.getvalue())
        part.replace(target)
    return True


# --- Checking -----------------------------------------------------------------------------------------------------


def problems(language: str, base: Path = settings.BASE_DIR) -> list[str]:
    """What is wrong with a language's catalogue, a line each: missing, fuzzy, unused or broken."""
    strings = wanted(language, base)
    catalogue = {_key(message): message for message in read_catalogue(language, base) if message.id}
    found = []
    for key, item in sorted(strings.items()):
        message = catalogue.get(key)
        if language != SOURCE_LANGUAGE and (message is None or not _is_complete(message)):
            found.append(f"missing: {item.singular!r}")
    for key, message in sorted(catalogue.items()):
        if key not in strings:
            found.append(f"unused: {key[1]!r}")
        elif message.fuzzy:
            found.append(f"fuzzy: {key[1]!r}")
        elif fault := broken(message):
            found.append(f"{fault}: {key[1]!r}")
    return found


def broken(message: Message) -> str:
    """What a translation does to the placeholders, tags and line ends of its original; "" when nothing."""
    originals = list(message.id) if isinstance(message.id, list | tuple) else [message.id]
    forms = list(message.string) if isinstance(message.string, list | tuple) else [message.string]
    for place, text in enumerate(forms):
        if not text:
            continue
        original = originals[min(place, len(originals) - 1)]
        ours, theirs = sorted(_PLACEHOLDER.findall(text)), sorted(_PLACEHOLDER.findall(original))
        both = sorted(set(_PLACEHOLDER.findall("".join(originals))))
        said = sorted(set(ours))
        if said != sorted(set(theirs)) and not (len(originals) > 1 and place == 0 and set(said) <= set(both)):
            return f"placeholders differ ({' '.join(ours) or 'none'} for {' '.join(theirs) or 'none'})"
        if sorted(_TAG.findall(text)) != sorted(_TAG.findall(original)):
            return "tags differ"
        if text.startswith("\n") != original.startswith("\n") or text.endswith("\n") != original.endswith(
            "\n"
        ):
            return "line ends differ"
    return ""


def _key(message: Message) -> Key:
    singular = message.id[0] if isinstance(message.id, list | tuple) else message.id
    return message.context or "", singular


def _is_complete(message: Message) -> bool:
    forms = message.string if isinstance(message.string, list | tuple) else (message.string,)
    plural = isinstance(message.id, list | tuple)
    return all(forms) and len(forms) == (2 if plural else 1)
