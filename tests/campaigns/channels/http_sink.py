"""A real HTTP server on loopback that keeps what it is given, and answers or misbehaves as it is told."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpSink:
    """``status``, ``answer`` and ``headers`` answer each request; ``misbehaves`` is "", "silent" or "hangs up"."""

    status: int = 200
    answer: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    misbehaves: str = ""
    requests: list[Request] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    url: str = ""


@contextlib.contextmanager
def http_running() -> Iterator[HttpSink]:
    """Serve on a free port, in a thread, until the block ends."""
    sink = HttpSink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            sink.requests.append(Request(self.command, self.path, dict(self.headers), body))
            if sink.misbehaves == "silent":
                time.sleep(1.5)
            if sink.misbehaves:
                self.close_connection = True
                return
            self.send_response(sink.statuses.get(self.path, sink.status))
            for name, value in {"Content-Length": str(len(sink.answer)), **sink.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sink.answer)

        do_PUT = do_POST  # noqa: N815  (http.server's name)

        def log_message(self, *_args: Any) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    sink.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
