"""Pictures at addresses named by their content: fetched once, kept for good. Seen by anybody who has the address."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.views.decorators.http import require_safe

from rewards.models import Picture

KEPT = "public, max-age=31536000, immutable"


@require_safe
def picture(request: HttpRequest, digest: str) -> HttpResponse:
    """The picture as it is shown on a page of its own."""
    return _answer(request, digest, "content")


@require_safe
def thumbnail(request: HttpRequest, digest: str) -> HttpResponse:
    """Its small version, for lists."""
    return _answer(request, digest, "thumbnail")


def _answer(request: HttpRequest, digest: str, column: str) -> HttpResponse:
    """One column's bytes. A browser that has them already is told so without reading them."""
    etag = f'"{digest[:32]}-{column[0]}"'
    pictures = Picture.objects.filter(digest=digest)
    if request.headers.get("If-None-Match") == etag and pictures.exists():
        response: HttpResponse = HttpResponseNotModified()
    else:
        content = pictures.values_list(column, flat=True).first()
        if content is None:
            raise Http404
        response = HttpResponse(bytes(content), content_type="image/webp")
    response["Cache-Control"] = KEPT
    response["ETag"] = etag
    return response
