"""What is taken in as a picture is drawn anew; what is none, too large or a trap is refused."""

import contextlib
import datetime as dt
import io
import struct
import zlib
from collections.abc import Callable

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rewards.catalogue import pictures
from rewards.catalogue.pictures import (
    NotAPicture,
    PictureRefused,
    PictureTooLarge,
    PictureTooSmall,
    draw,
    take_in,
)
from rewards.models import Picture
from tests.factories.catalogue import reward
from tests.factories.members import NOON


def picture(kind: str = "JPEG", size: tuple[int, int] = (800, 600), **options: object) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_pictures_become_webp_in_two_sizes(kind: str) -> None:
    drawn = draw(picture(kind, (2600, 1950)))
    large, small = opened(drawn.content), opened(drawn.thumbnail)
    assert (large.format, large.size, small.size) == ("WEBP", (1280, 960), (480, 360))
    assert (drawn.width, drawn.height) == (1280, 960)


def test_a_picture_lying_on_its_side_is_turned_and_tells_nothing_of_its_making() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right to see it
    exif[0x010E] = "taken at home"
    exif.get_ifd(0x8825)[1] = "N"
    upload = picture("JPEG", (800, 600), exif=exif, comment=b"secret place")
    assert b"taken at home" in upload
    drawn = draw(upload)
    large = opened(drawn.content)
    assert large.size == (600, 800)
    red, _green, blue = large.convert("RGB").getpixel((300, 100))  # type: ignore[misc]
    assert red > 200 > 60 > blue
    for content in (drawn.content, drawn.thumbnail):
        assert not opened(content).getexif()
        assert opened(content).info.keys() <= {"loop", "background", "timestamp", "duration"}
        assert b"secret" not in content
        assert b"taken at home" not in content


def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (300, 300), (10, 200, 30, 0)).save(out, "PNG")
    assert opened(draw(out.getvalue()).content).convert("RGBA").getpixel((5, 5))[3] == 0  # type: ignore[index]


def _bomb() -> bytes:
    """A PNG of a few hundred bytes that says it is 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    packed = zlib.compress(b"\x00" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _medium_bomb() -> bytes:
    """As large as Pillow itself would only warn of."""
    out = io.BytesIO()
    Image.new("1", (10_000, 9_000)).save(out, "PNG")
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="400"><script>alert(1)</script></svg>'
REFUSED: list[tuple[str, Callable[[], bytes], type[PictureRefused]]] = [
    ("nothing", lambda: b"", NotAPicture),
    ("a text", lambda: b"hello, this is no picture" * 50, NotAPicture),
    ("an SVG", lambda: SVG, NotAPicture),
    ("a page called a picture", lambda: b"<!doctype html><img src=x onerror=alert(1)>", NotAPicture),
    ("a GIF", lambda: picture("GIF"), NotAPicture),
    ("a TIFF", lambda: picture("TIFF"), NotAPicture),
    ("a JPEG cut short", lambda: picture()[:900], NotAPicture),
    ("a PNG cut short", lambda: picture("PNG")[:-300], NotAPicture),
    ("a bomb", _bomb, PictureTooLarge),
    ("a smaller bomb", _medium_bomb, PictureTooLarge),
    ("too many bytes", lambda: picture() + b"\x00" * pictures.MOST_BYTES, PictureTooLarge),
    ("too few pixels", lambda: picture(size=(800, 199)), PictureTooSmall),
]


@pytest.mark.parametrize(("upload", "why"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_be_shown_is_refused(upload: Callable[[], bytes], why: type[PictureRefused]) -> None:
    with pytest.raises(why) as refused:
        draw(upload())
    assert str(refused.value)


@pytest.mark.parametrize(
    "hidden", [b"<script>alert(document.cookie)</script>", b"PK\x03\x04 a zip", b"%PDF-1.7 a paper"]
)
def test_a_picture_that_is_something_else_as_well_becomes_only_the_picture(hidden: bytes) -> None:
    for upload in (picture() + hidden, picture("JPEG", comment=hidden), picture("PNG") + hidden):
        drawn = draw(upload)
        assert hidden not in drawn.content + drawn.thumbnail
        assert opened(drawn.content).size == (800, 600)


@given(st.data())
def test_a_broken_file_is_refused_and_nothing_else_is_raised(data: st.DataObject) -> None:
    upload = bytearray(picture(data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"])), (240, 220)))
    for _time in range(data.draw(st.integers(1, 20))):
        upload[data.draw(st.integers(0, len(upload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PictureRefused):
        assert opened(draw(bytes(upload)).content).format == "WEBP"


@pytest.mark.django_db
def test_the_same_picture_twice_is_one_row() -> None:
    first, again = take_in(picture(), at=NOON), take_in(picture(), at=NOON)
    assert first == again
    assert Picture.objects.count() == 1


@pytest.mark.django_db
def test_a_picture_is_kept_for_good_by_whoever_fetched_it(client: Client) -> None:
    kept = take_in(picture(), at=NOON)
    for address, content in (
        (f"/pictures/{kept.digest}.webp", kept.content),
        (f"/pictures/{kept.digest}-small.webp", kept.thumbnail),
    ):
        answer = client.get(address)
        assert (answer.status_code, answer["Content-Type"], answer.content) == (
            200,
            "image/webp",
            bytes(content),
        )
        assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "Cookie" not in answer.get("Vary", "")
        again = client.get(address, headers={"if-none-match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"/pictures/{'0' * 64}.webp").status_code == 404
    assert client.get("/pictures/../settings.webp").status_code == 404


@pytest.mark.django_db
def test_pictures_that_nothing_shows_are_pruned_after_a_while() -> None:
    shown, left, fresh = (
        pictures.take_in(picture(size=(400, side)), at=at)
        for side, at in ((300, NOON), (310, NOON), (320, NOON + dt.timedelta(days=6)))
    )
    reward("bag", picture=shown)
    assert pictures.prune(before=NOON + dt.timedelta(days=1)) == 1
    assert set(Picture.objects.all()) == {shown, fresh}
    assert left not in Picture.objects.all()
