"""Strict JSON: what PostgreSQL, or another reader of the same bytes, would take differently is refused with 4xx."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, BinaryIO

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.parsers import JSONParser

from loyalty.api.problems import FieldError, Malformed, TooLarge, UnknownField


class StrictJSONParser(JSONParser):
    """Refuses bodies over the limit, NaN and Infinity, repeated keys, NUL and lone surrogates; keeps decimals exact.

    The bytes stay on the request as ``raw_body``, for the digest of an idempotency key.
    """

    def parse(
        self,
        stream: BinaryIO,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = _read_limited(stream)
        if parser_context and "request" in parser_context:
            parser_context["request"]._request.raw_body = raw
        try:
            data = _DECODER.decode(raw.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise Malformed(str(error)) from error
        if b"\\u" in raw or b"\0" in raw:
            _refuse_unstorable(data)
        return data


def _read_limited(stream: BinaryIO) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    raw = stream.read(limit + 1)
    if len(raw) > limit:
        raise TooLarge(_("The limit is %(bytes)s bytes.") % {"bytes": limit})
    return raw


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated in one object")
    return found


_DECODER = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys
)


def _refuse_unstorable(data: Any) -> None:
    for path, text in _texts(data, ""):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            message = str(_("Null characters and unpaired surrogates are not allowed."))
            raise Malformed(errors=[FieldError(path, "unstorable_character", message)])


def _texts(data: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for name, inner in data.items():
            yield path, name
            yield from _texts(inner, f"{path}.{name}" if path else name)
    elif isinstance(data, list):
        for index, inner in enumerate(data):
            yield from _texts(inner, f"{path}[{index}]")


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know (400), so that a misspelt one is never silently lost."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in self.fields]):
            message = str(_("This field is not known."))
            raise UnknownField(errors=[FieldError(str(name), "unknown", message) for name in sorted(unknown)])
        return super().to_internal_value(data)
