"""The lines of a file, plain or gzip, a block at a time and in constant memory."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

MAX_LINE_BYTES = 64 * 1024
BLOCK_BYTES = 1024 * 1024


class FileRefused(Exception):
    """The file as a whole cannot be read, with the reason; nothing of it is taken."""


class TooLong(str):
    """The beginning of a line that is too long to be taken."""


def open_purchases(path: Path) -> BinaryIO:
    """The file's bytes, unpacked when it is gzip (told by its content, not by its name)."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")
    except OSError as error:
        raise FileRefused(f"Cannot open {path}: {error.strerror or error}.") from error


def blocks(stream: BinaryIO) -> Iterator[list[str]]:
    """The lines of the file, a block at a time; a line that is too long arrives cut short, as ``TooLong``."""
    rest, skipping, first = b"", False, True
    while block := _read(stream):
        if first:
            block, first = _without_mark(block), False
        if skipping:
            _dropped, newline, block = block.partition(b"\n")
            skipping = not newline
        complete, newline, tail = block.rpartition(b"\n")
        if newline:
            yield _texts(rest + complete)
            rest = tail
        else:
            rest += tail
        if len(rest) > MAX_LINE_BYTES:
            yield [TooLong(_text(rest[:200].partition(b",")[0]))]
            rest, skipping = b"", True
    if rest:
        yield _texts(rest)


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except EOFError as error:
        raise FileRefused("The gzip file is cut off before its end: fetch or copy it again.") from error
    except (OSError, zlib.error) as error:
        raise FileRefused(f"The file cannot be read to its end ({error}): fetch or copy it again.") from error


def _without_mark(block: bytes) -> bytes:
    """The first block without a UTF-8 byte order mark; UTF-16 is refused by its own mark."""
    if block.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileRefused("The file is UTF-16: save it as CSV in UTF-8.")
    return block.removeprefix(b"\xef\xbb\xbf")


def _texts(block: bytes) -> list[str]:
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
    texts = _text(block).split("\n")
    if len(block) > MAX_LINE_BYTES and max(map(len, texts)) > MAX_LINE_BYTES:
        return [TooLong(t[:200].partition(",")[0]) if len(t) > MAX_LINE_BYTES else t for t in texts]
    return texts


def _text(block: bytes) -> str:
    return block.decode("utf-8", "surrogateescape")
