"""A POST of JSON; `text` is what Slack and its likes show."""

from __future__ import annotations

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import urlsplit

from crawler.alerts.message import Message
from crawler.alerts.trust import is_here, refusal, verifying
from crawler.errors import ConfigurationError, StoreError

_PLAIN = re.compile(r"[!-~]+")
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})  # or a text could name a channel


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A POST that is redirected becomes a GET and tells nobody anything."""


class Webhook:
    """Raises ConfigurationError for what is no http(s) address. The address is a secret: no message has it."""

    name = "webhook"

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good or not _PLAIN.fullmatch(url):
            raise ConfigurationError("ALERT_WEBHOOK is no http(s) address")
        self.url = url
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect(), urllib.request.HTTPSHandler(context=verifying())]
        if is_here(parts.hostname or ""):  # it is not the proxy's, which would take itself for this machine
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def send(self, message: Message, seconds: float) -> None:
        """Raises StoreError."""
        body = json.dumps({"text": message.text.translate(_ESCAPED), **message.values}).encode()
        request = urllib.request.Request(  # noqa: S310 (its scheme was looked at)
            self.url, body, {"Content-Type": "application/json", "User-Agent": "news-crawler"}
        )
        try:
            answer: IO[bytes]
            with self._opener.open(request, timeout=seconds) as answer:
                answer.read(1_000)
        except urllib.error.HTTPError as error:
            with error:
                raise StoreError(f"it answered {error.code}") from None
        except OSError as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            if isinstance(reason, ssl.SSLCertVerificationError):
                raise StoreError(refusal(reason)) from None
            raise StoreError(f"it does not answer: {reason}") from None
        except (http.client.HTTPException, ValueError) as error:  # their words may hold the address
            raise StoreError(f"it does not answer: {type(error).__name__}") from None
