"""Which outcome an exception of a download stands for.

Scrapy wraps what Twisted raises, and Twisted what OpenSSL raises: the most telling of the chain decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from OpenSSL import SSL
from scrapy.core.downloader.handlers.http11 import TunnelError
from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    IgnoreRequest,
    NotSupported,
    ResponseDataLossError,
    UnsupportedURLSchemeError,
)
from service_identity import CertificateError, VerificationError
from twisted.internet import defer
from twisted.internet import error as net
from twisted.python.failure import Failure
from twisted.web._newclient import RequestNotSent, ResponseFailed
from twisted.web.error import SchemeNotSupported

from crawler.errors import PageError

HOST_DOWN = frozenset(("connection", "dns", "tls"))
TOO_MANY_REDIRECTS = "max redirections reached"  # RedirectMiddleware raises a bare IgnoreRequest

_TIMEOUT = (DownloadTimeoutError, net.TimeoutError, net.TCPTimedOutError, defer.TimeoutError, asyncio.TimeoutError)
_DNS = (CannotResolveHostError, net.DNSLookupError, net.UnknownHostError)
_TLS = (SSL.Error, CertificateError, VerificationError, net.VerifyError, net.CertificateError)
_CUT_TLS = (SSL.SysCallError, SSL.ZeroReturnError)  # kinds of SSL.Error: the connection ended
_SCHEME = (NotSupported, UnsupportedURLSchemeError, SchemeNotSupported)
_CONNECTION = (
    DownloadConnectionRefusedError,
    net.ConnectError,
    net.ConnectionClosed,
    net.ConnectingCancelledError,
    RequestNotSent,
    TunnelError,
    OSError,
)


def outcome_of(error: BaseException) -> str:
    """A key of OUTCOMES."""
    chain = list(_chain(error))
    ours = next((one for one in chain if isinstance(one, PageError)), None)
    if ours is not None:
        return _without_robots(ours) or ours.reason
    for kinds, word in (
        (_TIMEOUT, "timeout"),
        (_DNS, "dns"),
        (_CUT_TLS, "connection"),
        (_TLS, "tls"),
        (ResponseDataLossError, "truncated"),
        (DownloadCancelledError, "too_large"),  # Scrapy cancels for nothing else
        (_SCHEME, "unsupported_scheme"),
        (_CONNECTION, "connection"),
        (ResponseFailed, "bad_response"),  # by none of the above: what came is no HTTP
    ):
        if any(isinstance(one, kinds) for one in chain):
            return word
    if isinstance(error, IgnoreRequest):
        return "redirect_loop" if str(error) == TOO_MANY_REDIRECTS else "ignored"
    return "bad_redirect" if isinstance(error, ValueError) else "download_error"  # of an address that is none


def _without_robots(error: PageError) -> str | None:
    """Where not even the robots.txt could be had, why, if the pages would have met the same."""
    if error.reason != "robots_unreachable" or error.__cause__ is None:
        return None
    word = outcome_of(error.__cause__)
    return word if word in HOST_DOWN else None


def detail_of(error: BaseException) -> str:
    """One line for a person: of a chain the message of the last that has one."""
    messages = [line for one in _chain(error) if (line := _first_line(one))]
    return (messages[-1] if messages else type(error).__name__)[:300]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it wraps and what it came of, outermost first."""
    if error is None:
        return
    yield error
    for reason in getattr(error, "reasons", None) or ():
        yield from _chain(reason.value if isinstance(reason, Failure) else reason)
    yield from _chain(error.__cause__)


def _first_line(error: BaseException) -> str:
    if isinstance(error, SSL.Error):
        return _openssl_reason(error)
    if isinstance(error, DownloadCancelledError) and not str(error):
        return "the body is longer than DOWNLOAD_MAXSIZE"
    return next(iter(str(error).strip().splitlines()), "")


def _openssl_reason(error: SSL.Error) -> str:
    """`certificate verify failed` of the list of triples that OpenSSL gives."""
    try:
        return str(error.args[0][-1][-1])
    except (IndexError, TypeError):
        return str(error)
