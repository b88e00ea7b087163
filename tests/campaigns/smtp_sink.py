"""A real SMTP server on loopback that keeps what it is given, and misbehaves on request."""
# ruff: noqa: N802  (aiosmtpd names its hooks so)

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Sink:
    """What arrived, and how to answer: a reply per step, or a step at which to fall silent or hang up."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.on_recipient: Callable[[str], str] = lambda address: "250 OK"
        self.on_data: Callable[[], str] = lambda: "250 OK"
        self.delay = 0.0
        self.silent_at = ""
        self.hang_up_at = ""
        self.port = 0

    async def handle_MAIL(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        await self._misbehave("MAIL", server)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        answer = self.on_recipient(address)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.delay)
        answer = self.on_data()
        if answer.startswith("2"):
            self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
            self.recipients.extend(envelope.rcpt_tos)
        await self._misbehave("DATA", server)
        return answer

    async def _misbehave(self, step: str, server: Any) -> None:
        if self.silent_at == step:
            await asyncio.sleep(30)
        if self.hang_up_at == step:
            server.transport.abort()
            await asyncio.sleep(30)


@contextlib.contextmanager
def running(sink: Sink) -> Iterator[Sink]:
    """Serve on a free port, in a thread, until the block ends."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    conversations: list[SMTP] = []

    def converse() -> SMTP:
        conversations.append(SMTP(sink, loop=loop))
        return conversations[-1]

    async def serve() -> asyncio.Server:
        server = await loop.create_server(converse, "127.0.0.1", 0)
        sink.port = server.sockets[0].getsockname()[1]
        started.set()
        return server

    async def close(server: asyncio.Server) -> None:
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for conversation in conversations:
            if conversation.transport is not None:
                conversation.transport.abort()
        await asyncio.sleep(0)

    def work() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(close(server))
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
