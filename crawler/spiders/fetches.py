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
    """A fetch without a page: the URL's next state, the reason that is counted, and what to tell a person."""

    state: str
    reason: str
    detail: str
    retry: bool = False


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
        return Lost("unchanged", "not_modified", "304")
    if status in GONE:
        return Lost("gone", f"http_{status}", str(status))
    if status in FORBIDDEN:
        return Lost("forbidden", f"http_{status}", str(status))
    if status >= 400:
        return Lost("failed", f"http_{status}", str(status), retry=status in (408, 425, 429) or status >= 500)
    content_type = (response.headers.get("Content-Type") or b"").decode("latin-1").lower()
    if content_type and "html" not in content_type and "xml" not in content_type and "text/plain" not in content_type:
        return Lost("excluded", "not_html", content_type)
    return None


def lost(failure: Failure) -> Lost:
    """What a download error means for the URL."""
    error = failure.value
    name, detail = type(error).__name__, (str(error) or type(error).__name__).splitlines()[0][:300]
    if isinstance(error, PageError):
        final = error.reason in ("robots_forbidden", "blocked_address")
        return Lost("excluded" if final else "failed", error.reason, detail, retry=not final)
    if isinstance(error, IgnoreRequest):
        return Lost("failed", "ignored", detail)
    if isinstance(error, DownloadCancelledError):
        return Lost("excluded", "too_large", detail)
    if isinstance(error, DownloadTimeoutError) or "Timeout" in name:
        return Lost("failed", "timeout", detail, retry=True)
    if isinstance(error, CannotResolveHostError) or "DNSLookup" in name or "Resolve" in name:
        return Lost("failed", "dns", detail, retry=True)
    if isinstance(error, DownloadConnectionRefusedError) or "Refused" in name:
        return Lost("failed", "connection_refused", detail, retry=True)
    return Lost("failed", "download_error", f"{name}: {detail}", retry=True)
