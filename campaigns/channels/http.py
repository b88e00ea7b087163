"""HTTP to other houses: what came of one request, in the words of ``campaigns.channels.base``.

Addresses that staff or members' browsers gave us are called by :func:`post_to_public`, which never reaches into our own
network; the gateway that the operator set up is called by :func:`call`.
"""

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from django.conf import settings
from urllib3 import exceptions as broken

from campaigns.channels.base import OutcomeUnknown, PassingError, Refused

_LONGEST_ANSWER = 64 * 1024
_NOT_SENT = (
    *(broken.NewConnectionError, broken.ConnectTimeoutError, broken.NameResolutionError),
    *(broken.SSLError, broken.ProxyError, requests.ConnectTimeout, requests.exceptions.InvalidURL),
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OURS_TO_MEND = frozenset({401, 402, 403, 407, 408, 421, 423, 425, 429})
"""A wrong token, an empty account, too many at once: not this message's fault, so that it may go later."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The answer for staff, in one line."""
        said = " ".join(self.body[:300].decode(errors="replace").split())
        return f"{self.status} {said}".strip()


def expect_success(answer: Answer) -> Answer:
    """The answer when it is a 2xx; otherwise raises PassingError or Refused. A redirect is not followed: refused."""
    if 200 <= answer.status < 300:
        return answer
    raise by_status(answer.status, answer.words)


def by_status(status: int, words: str) -> PassingError | Refused:
    """What a status that is no success means for the message."""
    return PassingError(words) if status >= 500 or status in _OURS_TO_MEND else Refused(words)


def call(method: str, url: str, *, headers: Mapping[str, str], json: Any = None, form: Any = None) -> Answer:
    """One request to a service that the operator chose, through the operator's proxy where one is set.

    Raises PassingError when nothing was handed over, OutcomeUnknown when it may have been.
    """
    try:
        with requests.request(
            method,
            url,
            headers=dict(headers),
            json=json,
            data=form,
            timeout=settings.OUTGOING_TIMEOUT,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = next(response.iter_content(_LONGEST_ANSWER), b"")
            return Answer(response.status_code, body, dict(response.headers))
    except (requests.RequestException, broken.HTTPError, OSError) as error:
        raise _outcome(error) from error


def post_to_public(url: str, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """One POST to an address out there: no redirects, and nothing of our own network.

    The name is resolved once and that very address is connected to, so that a second answer of the name server leads
    nowhere else. Raises Refused for an address that must not be called, PassingError when nothing was handed over, and
    OutcomeUnknown when it may have been.
    """
    target = urlsplit(url)
    try:
        port = target.port or (443 if target.scheme == "https" else 80)
    except ValueError as error:
        raise Refused(f"not an address: {error}") from error
    if target.scheme not in _schemes() or not target.hostname or target.username is not None:
        raise Refused("only https addresses without a user are called")
    address = public_address(target.hostname, port)
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    try:
        with _pool(target.scheme, target.hostname, address, port) as pool:
            answer = pool.urlopen(
                "POST",
                path,
                body=body,
                headers={**headers, "Host": target.netloc},
                redirect=False,
                retries=False,
                preload_content=False,
            )
            return Answer(answer.status, answer.read(_LONGEST_ANSWER), dict(answer.headers))
    except (broken.HTTPError, OSError) as error:
        raise _outcome(error) from error


def public_address(host: str, port: int) -> str:
    """The address to connect to. Raises Refused when any that the name stands for is not out there."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise PassingError(f"{host}: {error}") from error
    addresses = [str(each[4][0]) for each in found]
    if not settings.OUTGOING_PRIVATE_TARGETS and not all(is_public(each) for each in addresses):
        raise Refused(f"{host} is not an address out there")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open network: not ours, not this machine's, and none wrapped in another."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _schemes() -> frozenset[str]:
    return frozenset({"https", "http"} if settings.DEMO else {"https"})


def _pool(scheme: str, host: str, address: str, port: int) -> urllib3.HTTPConnectionPool:
    """A connection to the address; the certificate must be the name's."""
    timeout = urllib3.Timeout(connect=settings.OUTGOING_TIMEOUT, read=settings.OUTGOING_TIMEOUT)
    if scheme == "http":
        return urllib3.HTTPConnectionPool(address, port, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        address,
        port,
        timeout=timeout,
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
        server_hostname=host,
        assert_hostname=host,
    )


def outcome_of(error: BaseException) -> type[PassingError] | type[OutcomeUnknown]:
    """PassingError when a request broke before it was handed over, OutcomeUnknown when it may have arrived."""
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, _NOT_SENT):
            return PassingError
        reason = getattr(each, "reason", None)
        inner = (*each.args, reason, each.__cause__, each.__context__)
        pending.extend(part for part in inner if isinstance(part, BaseException))
    return OutcomeUnknown


def _outcome(error: BaseException) -> PassingError | OutcomeUnknown:
    return outcome_of(error)(str(error) or type(error).__name__)
