"""An e-mail by SMTP."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from crawler.alerts.message import Message
from crawler.errors import ConfigurationError, StoreError

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Mail:
    """`url`: smtp://user:password@host:587 (with STARTTLS, unless the host is this machine) or smtps://…:465.

    `password`: instead of one in the URL. `receivers`: addresses, with commas. The sender is the user, if that is an
    address. Raises ConfigurationError.
    """

    name = "email"

    def __init__(self, receivers: str, url: str, password: str = "") -> None:
        self.receivers = [one.strip() for one in receivers.split(",") if one.strip()]
        try:
            parts, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            raise ConfigurationError("SMTP_URL is no URL") from None
        if not self.receivers or any("@" not in one or set(one) & set("\r\n<>") for one in self.receivers):
            raise ConfigurationError("ALERT_EMAIL is no list of addresses")
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ConfigurationError("ALERT_EMAIL needs SMTP_URL: smtp://user@host:587 or smtps://user@host:465")
        self.host, self.is_wrapped = parts.hostname, parts.scheme == "smtps"
        self.port = port or (465 if self.is_wrapped else 587)
        self.user, self.password = unquote(parts.username or ""), password or unquote(parts.password or "")
        self.sender = self.user if "@" in self.user else f"news-crawler@{socket.getfqdn()}"

    def send(self, message: Message, seconds: float) -> None:
        """Raises StoreError."""
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = message.subject, self.sender, ", ".join(self.receivers)
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="news-crawler")
        mail["Auto-Submitted"] = "auto-generated"  # no out-of-office replies
        mail.set_content(message.text)
        context = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=context)
                if self.is_wrapped
                else smtplib.SMTP(self.host, self.port, timeout=seconds)
            ) as server:
                if not self.is_wrapped and (self.host not in LOOPBACK or server.has_extn("starttls")):
                    server.starttls(context=context)
                if self.password:
                    server.login(self.user, self.password)
                server.send_message(mail)
        except smtplib.SMTPAuthenticationError:
            raise StoreError("it refused user and password") from None
        except (OSError, ValueError) as error:  # smtplib's are OSErrors
            raise StoreError(f"it was not sent: {' '.join(str(error).split()) or type(error).__name__}") from None
