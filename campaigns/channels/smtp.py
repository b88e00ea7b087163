"""Django's SMTP backend, which also tells whether a message's text had been handed over when something broke."""

import smtplib
from typing import Any

from django.core.mail.backends.smtp import EmailBackend as DjangoBackend


class _Telling:
    """Remembers that the text of the present message was put on the wire: from there on, no answer means unknown."""

    text_given = False

    def mail(self, *args: Any, **kwargs: Any) -> Any:
        self.text_given = False
        return super().mail(*args, **kwargs)  # type: ignore[misc]

    def data(self, *args: Any, **kwargs: Any) -> Any:
        self.text_given = True
        return super().data(*args, **kwargs)  # type: ignore[misc]


class TellingSMTP(_Telling, smtplib.SMTP):
    """Plain SMTP, upgraded by STARTTLS where the settings say so."""


class TellingSMTPS(_Telling, smtplib.SMTP_SSL):
    """SMTP over TLS from the start."""


class EmailBackend(DjangoBackend):
    """The same backend on a connection that tells."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return TellingSMTPS if self.use_ssl else TellingSMTP
