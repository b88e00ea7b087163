"""Where counted links and the picture of an e-mail lead. Open to anybody who has the address; nothing is shown."""

import base64

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import add_never_cache_headers
from django.views.decorators.http import require_safe

from campaigns import tracking
from loyalty import clock

_PICTURE = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_AHEAD = ("prefetch", "preview", "prerender")


class _Onward(HttpResponseRedirect):
    """To the campaign's own address, by http or https alone."""

    allowed_schemes = ["http", "https"]


@require_safe
def follow(request: HttpRequest, token: str) -> HttpResponse:
    """Count the click and lead on; a look ahead (HEAD, a prefetch) is not counted. Http404 for a forged token."""
    url = tracking.follow(token, at=clock.now(), counts=_is_a_person(request))
    if url is None:
        raise Http404
    return _quietly(_Onward(url))


@require_safe
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """One clear pixel, whatever the token is."""
    if _is_a_person(request):
        tracking.opened(token, at=clock.now())
    return _quietly(HttpResponse(_PICTURE, content_type="image/gif"))


def _is_a_person(request: HttpRequest) -> bool:
    """Whether somebody asked for it, not a browser or a mail filter looking ahead."""
    purpose = " ".join(
        request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
    )
    return request.method == "GET" and not any(word in purpose.lower() for word in _AHEAD)


def _quietly(response: HttpResponse) -> HttpResponse:
    """Never kept by anybody on the way, and nothing is told on of where the reader came from."""
    add_never_cache_headers(response)
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
