"""Who the servers run as.

PostgreSQL refuses to run as root. Then both servers run as the user `nobody` (or whoever owns their data), and
no permission of a folder that is not ours may change for it. Where that user cannot reach the data or the
programs, for instance below a home folder of mode 700, the child keeps one ambient capability that lets it pass
through folders: first the one that only reads, then the one that overrides. An ambient capability does not make
a program run in secure mode, so libraries are still found relative to the program.
"""

import ctypes
import os
import pwd
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .places import EmbeddedError

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITIES = (None, CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)

_PR_SET_PDEATHSIG = 1
_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Identity:
    """The user of the servers; `change` is false when that is simply ourselves."""

    uid: int
    gid: int
    change: bool
    capability: int | None = None

    def with_capability(self, capability: int | None) -> "Identity":
        return replace(self, capability=capability)

    def own(self, folder: Path) -> None:
        """Give a folder that we have just made to the servers' user."""
        if self.change:
            os.chown(folder, self.uid, self.gid)

    def before_exec(self, end_signal: signal.Signals) -> Callable[[], None]:
        """What a child does between fork and exec: become the user, and end with its parent by `end_signal`."""

        def prepare() -> None:
            if self.change:
                _become(self.uid, self.gid, self.capability)
            os.umask(0o077)
            _prctl(_PR_SET_PDEATHSIG, int(end_signal))

        return prepare


def choose(data: Path) -> Identity:
    """Ourselves, or as root the owner of `data` if that is somebody else, or `nobody`."""
    if os.geteuid() != 0:
        return Identity(os.geteuid(), os.getegid(), change=False)
    if data.exists() and data.stat().st_uid != 0:
        owner = data.stat()
        return Identity(owner.st_uid, owner.st_gid, change=True)
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
        if not others:
            raise EmbeddedError(
                "PostgreSQL does not run as root and there is no other user: add one, or set DATABASE_URL"
            ) from None
        user = others[-1]
    return Identity(user.pw_uid, user.pw_gid, change=True)


def _become(uid: int, gid: int, capability: int | None) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    if capability is None:
        os.setresuid(uid, uid, uid)
        return
    # Without this bit access(2), which PostgreSQL asks about its own programs, would ignore the capability.
    _prctl(_PR_SET_SECUREBITS, _prctl(_PR_GET_SECUREBITS) | _SECBIT_NO_SETUID_FIXUP)
    os.setresuid(uid, uid, uid)
    _keep_only(capability)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(option: int, first: int = 0, second: int = 0) -> int:
    numbers = [ctypes.c_ulong(number) for number in (first, second, 0, 0)]
    result: int = _libc.prctl(option, *numbers)
    if result < 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return result


def _keep_only(capability: int) -> None:
    """capset(2): effective, permitted and inheritable hold this one capability (low word) and nothing else."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc.capset(header, data) < 0:
        raise OSError(ctypes.get_errno(), "capset")
