"""An e-mail by SMTP. What it logs in with is sent over TLS only, or to this machine."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from crawler.alerts.message import Message
from crawler.alerts.trust import is_here, refusal, unverified, verifying
from crawler.errors import ConfigurationError, StoreError

logger = logging.getLogger(__name__)


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
        if self.password and not self.user:
            raise ConfigurationError("SMTP_URL names no user for the password: smtp://user@host:587")
        if not (self.user + self.password).isascii():  # smtplib's limit, whose words for it quote the password
            raise ConfigurationError("SMTP_URL, SMTP_PASSWORD: user and password may have ASCII letters only")
        self.sender = self.user if "@" in self.user else f"news-crawler@{socket.getfqdn()}"

    def send(self, message: Message, seconds: float) -> None:
        """Raises StoreError. One receiver that is taken is enough: sent again, it would come to that one again."""
        try:
            with self._connected(seconds) as server:
                if self.password:
                    server.login(self.user, self.password)
                refused = server.send_message(self._mail(message))
        except (OSError, ValueError) as error:  # smtplib's are OSErrors
            raise StoreError(_said(error, seconds)) from None
        for address, (code, words) in refused.items():
            logger.warning("alert by email: %s is refused: %s", address, _answer(code, words))

    def _connected(self, seconds: float) -> smtplib.SMTP:
        """With TLS, but for this machine's server if that has none: nobody listens between."""
        if self.is_wrapped:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=verifying())
        server = smtplib.SMTP(self.host, self.port, timeout=seconds)
        try:
            here = is_here(self.host)
            server.ehlo_or_helo_if_needed()
            if server.has_extn("starttls"):
                server.starttls(context=unverified() if here else verifying())
            elif not here:
                raise StoreError(f"it offers no STARTTLS and nothing is sent in clear; {self.host} may have smtps://")
        except BaseException:
            server.close()
            raise
        return server

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"], mail["From"], mail["To"] = message.subject, self.sender, ", ".join(self.receivers)
        mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="news-crawler")
        mail["Auto-Submitted"] = "auto-generated"  # no out-of-office replies
        mail.set_content(message.text)
        return mail


def _said(error: Exception, seconds: float) -> str:
    """What went wrong, on one line."""
    match error:
        case smtplib.SMTPAuthenticationError():
            return "it refused user and password"
        case ssl.SSLCertVerificationError():
            return refusal(error)
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):  # which, depends on OpenSSL
            return "it was not sent: there is no TLS on that port; is it smtp://, port 587?"
        case smtplib.SMTPRecipientsRefused():
            return f"it was not sent: {'; '.join(f'{to}: {_answer(*said)}' for to, said in error.recipients.items())}"
        case smtplib.SMTPResponseException():
            return f"it was not sent: {_answer(error.smtp_code, error.smtp_error)}"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return f"it does not answer within {seconds:g} s"
    return f"it was not sent: {_line(str(error)) or type(error).__name__}"


def _answer(code: int, words: bytes | str) -> str:
    return _line(f"{code} {words.decode(errors='replace') if isinstance(words, bytes) else words}")


def _line(words: str) -> str:
    return " ".join(words.split())[:300]
