"""Links by way of our own redirect, and whether an e-mail was opened: signed, never a person's data in an address."""

import datetime as dt


def tracked(message_id: int, link_id: int) -> str:
    """The absolute address that counts a click of the message on the link and leads on."""
    raise NotImplementedError


def follow(token: str, *, at: dt.datetime, counts: bool = True) -> str | None:
    """Where a token leads, and a Click for it unless the member objects; None for a forged or unknown one."""
    raise NotImplementedError


def opened(token: str, *, at: dt.datetime) -> bool:
    """Note that a message's picture was loaded; says whether the token was ours."""
    raise NotImplementedError
