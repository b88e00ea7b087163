"""The keeper: starts both servers of KANTIS_HOME, restarts one that died, stops both after their last user.

Started by `lease.ensure` as `python -m loyalty.embedded.keeper FD durable|fast`; FD is a pipe for its first word.
The servers end with the keeper, also when it is killed, so there is never an orphan.
"""

import fcntl
import json
import os
import signal
import sys
import time
from types import FrameType

from .lease import is_held
from .places import EmbeddedError, Place
from .servers import Server, prepare_servers

PAUSE = 0.1
LONGEST_WAIT = 10.0
LOG_LIMIT = 20_000_000


class Keeper:
    """Watches the servers. `stopping` is set by SIGTERM."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.servers: list[Server] = []
        self.stopping = False
        self.failures = 0
        self.not_before = 0.0

    def start(self, *, durable: bool) -> None:
        """Start both servers. Raises EmbeddedError, then nothing runs."""
        try:
            self.servers = prepare_servers(self.place, durable=durable)
            for server in self.servers:
                if server.log.exists() and server.log.stat().st_size > LOG_LIMIT:
                    server.log.unlink()
                server.start()
        except OSError as error:
            self.stop()
            raise EmbeddedError(f"the servers did not start: {error}") from error
        except EmbeddedError:
            self.stop()
            raise
        self._write_state(ready=True)

    def watch(self) -> None:
        """Until SIGTERM or until nobody uses the servers; returns with both stopped, nobody having joined since."""
        while True:
            time.sleep(PAUSE)
            if self.stopping:
                self.stop()
                return
            if not is_held(self.place.users_lock) and self._stop_unless_joined():
                return
            self._revive()

    def stop(self) -> None:
        if not self.servers:
            return
        self._write_state(ready=False)
        for server in reversed(self.servers):
            server.stop()
        for path in (self.place.redis_socket, self.place.state_file):
            path.unlink(missing_ok=True)
        if self.place.sockets.exists() and not any(self.place.sockets.iterdir()):
            self.place.sockets.rmdir()

    def _stop_unless_joined(self) -> bool:
        with self.place.change_lock.open("r+b") as change:
            try:
                fcntl.flock(change, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            if is_held(self.place.users_lock):
                return False
            self.stop()
            return True

    def _revive(self) -> None:
        """Start again what died, with growing pauses, unless a test holds it down."""
        dead = [server for server in self.servers if not server.alive()]
        if not dead:
            return
        self._write_state(ready=False)
        if time.monotonic() < self.not_before:
            return
        try:
            for server in dead:
                if not self.place.hold_file(server.name).exists():
                    print(f"{server.name} has died; starting it again", flush=True)
                    server.start()
        except (EmbeddedError, OSError) as error:
            print(error, flush=True)
            self.failures += 1
            self.not_before = time.monotonic() + min(2.0**self.failures, LONGEST_WAIT)
        if all(server.alive() for server in self.servers):
            self.failures = 0
            self._write_state(ready=True)

    def _write_state(self, *, ready: bool) -> None:
        state: dict[str, object] = {"keeper": os.getpid(), "ready": ready}
        for server in self.servers:
            state[server.name] = server.process.pid if server.process else None
        draft = self.place.state_file.with_suffix(".new")
        draft.write_text(json.dumps(state))
        draft.replace(self.place.state_file)


def main() -> None:
    report = int(sys.argv[1])
    os.set_inheritable(report, False)
    os.umask(0o077)
    place = Place.of()
    keeper = Keeper(place)

    def end(number: int, frame: FrameType | None) -> None:
        keeper.stopping = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with place.keeper_lock.open("r+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            keeper.start(durable=sys.argv[2] == "durable")
        except EmbeddedError as error:
            os.write(report, f"{error}\n".encode())
            raise SystemExit(1) from None
        os.write(report, b"ready\n")
        os.close(report)
        keeper.watch()


if __name__ == "__main__":
    main()
