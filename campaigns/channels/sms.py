"""Text messages, by any gateway that takes one message in one HTTP request: docs/messages.md says how to set it up."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from django.conf import settings

from campaigns.channels.base import Channel, ChannelDown, Recipient, Refused
from campaigns.channels.http import Answer, call, expect_success
from campaigns.models import ChannelCode, Message
from campaigns.rendering.rendered import Rendered
from members.contacts import InvalidPhone, normal_phone

_LONGEST_NUMBER = 200
_PLACE = re.compile(r"\{(to|text|sender|id)\}")


class SmsChannel(Channel):
    """Each message one request. The gateway is told our number of the message, so that it can tell twice from once."""

    code = ChannelCode.SMS.value

    def ready(self) -> None:
        if not settings.SMS_GATEWAY["url"]:
            raise ChannelDown("SMS_GATEWAY_URL is not set")

    def address_of(self, recipient: Recipient) -> str:
        return recipient.phone

    def objection(self, message: Message, recipient: Recipient) -> str:
        return "" if _number(recipient.phone) else Message.Reason.NO_ADDRESS

    def deliver(self, message: Message, rendered: Rendered, recipient: Recipient) -> str:
        gateway = settings.SMS_GATEWAY
        to = _number(recipient.phone)
        if not to:
            raise Refused("not a phone number")
        values = {
            "to": to,
            "text": rendered.short or rendered.subject,
            "sender": gateway["sender"],
            "id": str(message.public_id),
        }
        body = filled(gateway["body"], values)
        if gateway["url"].startswith("file:"):
            return _put_into_folder(gateway["url"], body, values["id"])
        return number_in(self._send(body, values["id"]), gateway["id_path"])

    def _send(self, body: Any, number: str) -> Answer:
        gateway = settings.SMS_GATEWAY
        headers = {"Accept": "application/json", "Idempotency-Key": number, **gateway["headers"]}
        if gateway["token"]:
            headers["Authorization"] = f"Bearer {gateway['token']}"
        as_form = gateway["format"] == "form"
        return expect_success(
            call(
                gateway["method"],
                gateway["url"],
                headers=headers,
                json=None if as_form else body,
                form=body if as_form else None,
            )
        )


def filled(template: Any, values: Mapping[str, str]) -> Any:
    """A JSON template with ``{to}``, ``{text}``, ``{sender}`` and ``{id}`` filled in, inside its texts only.

    Filled after parsing: what a text holds can never become JSON of its own, nor be filled again.
    """
    if isinstance(template, str):
        return _PLACE.sub(lambda place: values[place[1]], template)
    if isinstance(template, list):
        return [filled(each, values) for each in template]
    if isinstance(template, dict):
        return {key: filled(each, values) for key, each in template.items()}
    return template


def number_in(answer: Answer, path: str) -> str:
    """The gateway's number of the message, "" without one: ``messages.0.id`` leads through objects and lists."""
    try:
        found: Any = json.loads(answer.body)
        for step in filter(None, path.split(".")):
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return str(found)[:_LONGEST_NUMBER] if isinstance(found, str | int) else ""


def _number(phone: str) -> str:
    try:
        return normal_phone(phone)
    except InvalidPhone:
        return ""


def _put_into_folder(url: str, body: Any, number: str) -> str:
    """For the demo: the request as a file, where it can be looked at."""
    folder = Path(url2pathname(urlsplit(url).path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.json").write_text(json.dumps(body, ensure_ascii=False, indent=2), encoding="utf-8")
    return number
