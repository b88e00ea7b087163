"""Pictures taken in: proved to be pictures, turned upright, stripped of all else, made small, kept by their digest.

What is stored is never what was sent but drawn anew from its pixels, so nothing hidden in a file (places, names,
another format's code) reaches a member. Used for rewards and causes.
"""

import contextlib
import datetime as dt
import hashlib
import io
import warnings
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import Exists, ForeignObjectRel, OuterRef, ProtectedError
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps

from rewards.models import Picture

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_BYTES = 8 * 1024 * 1024
MOST_PIXELS = 40_000_000
LEAST_SIDE = 200
SIZE = (1280, 960)
THUMBNAIL = (480, 360)
QUALITY = 82


class PictureRefused(Exception):
    """What was sent is not a picture that can be shown; the message says why."""


class NotAPicture(PictureRefused):
    def __str__(self) -> str:
        return _("This is not a picture that can be read. Send a JPEG, PNG or WebP file.")


class PictureTooLarge(PictureRefused):
    def __str__(self) -> str:
        return _("The picture is too large: at most %(megabytes)s MB and %(megapixels)s megapixels.") % {
            "megabytes": MOST_BYTES // 1024 // 1024,
            "megapixels": MOST_PIXELS // 1_000_000,
        }


class PictureTooSmall(PictureRefused):
    def __str__(self) -> str:
        return _("The picture is too small: at least %(side)s pixels on each side.") % {"side": LEAST_SIDE}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture ready to be kept: WebP in two sizes, with the larger one's width and height in pixels."""

    content: bytes
    thumbnail: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def take_in(upload: bytes, *, at: dt.datetime) -> Picture:
    """Keep a picture and return its row; the same picture again is the same row. Raises PictureRefused."""
    return keep(draw(upload), at=at)


def keep(drawn: Drawn, *, at: dt.datetime) -> Picture:
    """The row of a drawn picture, made if there is none."""
    picture, _is_new = Picture.objects.get_or_create(
        digest=drawn.digest,
        defaults={
            "content": drawn.content,
            "thumbnail": drawn.thumbnail,
            "width": drawn.width,
            "height": drawn.height,
            "added_at": at,
        },
    )
    return picture


def prune(*, before: dt.datetime) -> int:
    """Delete pictures taken in before that moment that nothing shows (left by previews and exchanges); how many.

    What refers to a picture is read off the models. One that is taken into use at this moment is kept by its key.
    """
    unused = Picture.objects.filter(added_at__lt=before)
    for relation in Picture._meta.get_fields(include_hidden=True):
        if isinstance(relation, ForeignObjectRel):
            users = relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})
            unused = unused.filter(~Exists(users))
    deleted = 0
    for picture_id in list(unused.values_list("pk", flat=True)):
        with contextlib.suppress(IntegrityError, ProtectedError), transaction.atomic():
            deleted += Picture.objects.filter(pk=picture_id).delete()[0]
    return deleted


def draw(upload: bytes) -> Drawn:
    """Draw a file anew. Raises PictureRefused; its size is judged by its header, before a pixel is unpacked."""
    if len(upload) > MOST_BYTES:
        raise PictureTooLarge
    image = _upright(upload)
    if min(image.size) < LEAST_SIDE:
        raise PictureTooSmall
    large, small = image.copy(), image
    large.thumbnail(SIZE, Image.Resampling.LANCZOS)
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    return Drawn(_webp(large), _webp(small), *large.size)


def _upright(upload: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # judged below, by our own limit
            image = Image.open(io.BytesIO(upload), formats=FORMATS)
        if image.width * image.height > MOST_PIXELS:
            raise PictureTooLarge
        image.load()
        return _plain(ImageOps.exif_transpose(image))
    except (PictureRefused, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise PictureTooLarge from None
    except Exception as error:  # a broken file makes Pillow raise nearly anything
        raise NotAPicture from error


def _plain(image: Image.Image) -> Image.Image:
    """The bare pixels in sRGB: no profile, no metadata; transparency stays."""
    profile = image.info.get("icc_profile")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        with contextlib.suppress(ImageCms.PyCMSError):  # a broken profile: the colours are taken as they are
            image = ImageCms.profileToProfile(  # type: ignore[assignment]
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGBA" if image.mode == "RGBA" else "RGB",
            )
    bare = Image.new(mode, image.size)
    bare.paste(image.convert(mode))
    return bare


def _webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()
