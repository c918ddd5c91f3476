"""How one request goes over the wire: Scrapy's handler with what it leaves open.

- Certificates are verified, unless the request's meta has `verify_tls: False`; those have their own connections.
- Twisted repeats at once what a kept connection did not answer. Here that is a failure like any other, and the
  repetition waits its turn.
- Headers have an end: Twisted reads them as long as they come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
)
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS

from crawler.downloader.tls import TrustingPolicy, VerifyingPolicy
from crawler.errors import PageError

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress
    from twisted.web.iweb import IResponse

VERIFY_TLS = "verify_tls"  # Request.meta: False takes any certificate
KEPT_FOR = 60  # seconds that a connection without a request stays open
MOST_HEAD = 256 * 1024  # bytes of a status line and headers


class EndlessHeaders(PageError):
    """The answer's headers have no end."""

    reason = "bad_response"


class HttpHandler(BaseDownloadHandler):
    """For http and https in DOWNLOAD_HANDLERS."""

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._verifying = _PooledHandler(crawler, VerifyingPolicy())
        self._trusting = _PooledHandler(crawler, TrustingPolicy())

    async def download_request(self, request: Request) -> Response:
        handler = self._trusting if request.meta.get(VERIFY_TLS) is False else self._verifying
        return await handler.download_request(request)

    async def close(self) -> None:
        await self._verifying.close()
        await self._trusting.close()


class _PooledHandler(HTTP11DownloadHandler):
    def __init__(self, crawler: Crawler, policy: VerifyingPolicy | TrustingPolicy) -> None:
        super().__init__(crawler)
        self._contextFactory = policy  # type: ignore[assignment]  # mypy does not see what @implementer says
        self._pool._factory = _Factory
        self._pool.retryAutomatically = False
        self._pool.cachedConnectionTimeout = KEPT_FOR


class _ClientProtocol(_LenientHTTP11ClientProtocol):
    _head = 0  # bytes that came before the body

    def request(self, request: Any) -> Deferred[IResponse]:
        self._head = 0
        return super().request(request)

    def dataReceived(self, data: bytes) -> None:
        if self._parser is not None and self._parser.state in (STATUS, HEADER):
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._giveUp(Failure(EndlessHeaders()))  # type: ignore[no-untyped-call]
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]


class _Factory(_LenientHTTP11ClientFactory):
    def buildProtocol(self, addr: IAddress | None) -> _ClientProtocol:
        return _ClientProtocol(self._quiescentCallback)  # type: ignore[no-untyped-call]
