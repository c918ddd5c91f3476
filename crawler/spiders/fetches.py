"""How a fetch ended, in the frontier's words: pure functions over Scrapy's responses and failures."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from scrapy.exceptions import (
    CannotResolveHostError,
    DownloadCancelledError,
    DownloadConnectionRefusedError,
    DownloadTimeoutError,
    IgnoreRequest,
)
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler.errors import PageError
from crawler.urls import canonical_url

GONE = frozenset((404, 410))
FORBIDDEN = frozenset((401, 402, 403, 407, 451))
HANDLED_STATUSES = [204, 304, *range(400, 600)]  # all but redirects, which Scrapy follows
KEPT_HEADERS = (
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "link",
    "tdm-policy",
    "tdm-reservation",
    "x-robots-tag",
)


@dataclass(frozen=True, slots=True)
class Lost:
    """A fetch without a page: how it ended, as a word of outcomes.py, and what to tell a person."""

    outcome: str
    detail: str


def robots_url(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/robots.txt"


def conditional_headers(etag: str | None, last_modified: str | None) -> dict[str, str]:
    given = {"If-None-Match": etag, "If-Modified-Since": last_modified}
    return {name: value for name, value in given.items() if value}


def kept_headers(response: Response) -> dict[str, str]:
    """The headers worth keeping with a page; a header sent twice is joined as RFC 9110 says."""
    found = {}
    for name in KEPT_HEADERS:
        values = response.headers.getlist(name)
        if values:
            found[name] = ", ".join(value.decode("latin-1") for value in values)
    return found


def judged(response: Response) -> Lost | None:
    """None for a page; otherwise what the status or the content type says."""
    status = response.status
    if status == 304:
        return Lost("not_modified", "304")
    if status == 404:
        return Lost("not_found", "404")
    if status == 410:
        return Lost("gone", "410")
    if status in FORBIDDEN:
        return Lost("forbidden", str(status))
    if status == 429:
        return Lost("rate_limited", "429")
    if status >= 400:
        return Lost("server_error" if status >= 500 else "refused", str(status))
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1").lower()
    if content_type and "html" not in content_type and "xml" not in content_type and "text/plain" not in content_type:
        return Lost("not_html", content_type)
    return None


def lost(failure: Failure) -> Lost:
    """What a download error means for the URL."""
    error = failure.value
    name, detail = type(error).__name__, (str(error) or type(error).__name__).splitlines()[0][:300]
    if isinstance(error, PageError):
        return Lost(error.reason, detail)
    if isinstance(error, IgnoreRequest):
        return Lost("ignored", detail)
    if isinstance(error, DownloadCancelledError):
        return Lost("too_large", detail)
    if isinstance(error, DownloadTimeoutError) or "Timeout" in name:
        return Lost("timeout", detail)
    if isinstance(error, CannotResolveHostError) or "DNSLookup" in name or "Resolve" in name:
        return Lost("dns", detail)
    if isinstance(error, DownloadConnectionRefusedError) or "Refused" in name:
        return Lost("connection", detail)
    return Lost("download_error", f"{name}: {detail}")


def redirect_target(response: Response) -> str | Lost:
    target = canonical_url((response.headers.get("Location") or b"").decode("utf-8", "replace"), response.url)
    return target or Lost("bad_redirect", repr(response.headers.get("Location")))
