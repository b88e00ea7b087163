"""Writing the messages of a batch, each while the one before is on its way: that is mostly waiting for others."""

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.db import connections

from campaigns.models import Message
from campaigns.rendering.context import Context
from campaigns.rendering.render import render
from campaigns.rendering.rendered import NotRendered, Rendered

logger = structlog.get_logger("kantis.campaigns")


@dataclass(frozen=True, slots=True)
class Written:
    """A message as it is to go out; else the reason why it cannot be written, and details for staff."""

    rendered: Rendered | None = None
    reason: str = ""
    detail: str = ""


def written(message: Message, contexts: Mapping[int, Context]) -> Written:
    """Write one message. Touches no database and never raises: one that breaks must not hold up the others."""
    try:
        return Written(render(message, contexts.get(message.pk), for_channel=message.channel))
    except NotRendered as error:
        has_text = message.pk in contexts
        return Written(None, Message.Reason.ERROR if has_text else Message.Reason.NO_TEXT, str(error))
    except Exception as error:
        logger.exception("message_not_written", message_id=message.pk)
        return Written(None, Message.Reason.ERROR, repr(error))


def one_ahead(messages: Sequence[Message], contexts: Mapping[int, Context]) -> Generator[Written, None, None]:
    """Each message written, in order; the next is begun, in a thread, as soon as one is taken. To be closed."""
    if not messages:
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="kantis-writing") as writer:
        begun = writer.submit(written, messages[0], contexts)
        try:
            for following in messages[1:]:
                ready = begun.result()
                begun = writer.submit(written, following, contexts)
                yield ready
            yield begun.result()
        finally:
            # Nothing to close, unless writing asked the database after all: the thread would keep its connection.
            writer.submit(connections.close_all).result()
