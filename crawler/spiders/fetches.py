"""How a fetch ended, in the words of OUTCOMES: pure functions over Scrapy's responses and failures."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from scrapy.http import Response
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.failures import detail_of, outcome_of
from crawler.urls import canonical_url

REDIRECTS = frozenset((301, 302, 303, 307, 308))
PERMANENT = frozenset((301, 308))
# For `handle_httpstatus_list`: every end is judged here, of requests with `dont_redirect` and of those without.
UNFOLLOWED_STATUSES = [*range(300, 1000)]
HANDLED_STATUSES = [status for status in UNFOLLOWED_STATUSES if status not in REDIRECTS]
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

_BY_STATUS = {
    204: "no_content",
    205: "no_content",
    304: "not_modified",
    404: "not_found",
    408: "timeout",
    410: "gone",
    420: "rate_limited",  # what some said before there was 429
    429: "rate_limited",
    **dict.fromkeys((401, 402, 403, 407, 451, 999), "forbidden"),  # 999: LinkedIn's
}
_CHALLENGES = {"cf-mitigated": ("challenge",), "x-amzn-waf-action": ("captcha", "challenge")}


@dataclass(frozen=True, slots=True)
class Lost:
    """A fetch without a page: a key of OUTCOMES, and what to tell a person."""

    outcome: str
    detail: str


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
    """None for a page; otherwise what the answer says instead. A redirect is no page: ask `redirect_target` first."""
    if any(_header(response, name) in values for name, values in _CHALLENGES.items()):
        return Lost("bot_challenge", f"{response.status}, the host wants to see a browser")
    if response.status in REDIRECTS:
        target = redirect_target(response)
        return target if isinstance(target, Lost) else Lost("bad_redirect", f"not followed to {target}"[:300])
    outcome = _by_status(response)
    if outcome:
        return Lost(outcome, str(response.status))
    kind = _header(response, "Content-Type")
    if kind and not any(word in kind for word in ("html", "xml", "text/plain")):
        return Lost("not_html", kind[:300])
    if _is_cut(response):
        return Lost("truncated", "the connection ended in the middle of the page")
    return None


def redirect_target(response: Response) -> str | Lost:
    """Where a redirect leads: an absolute http(s) address, with all that it tells the host."""
    location = response.headers.get("Location")
    if response.status not in REDIRECTS or not location:
        return Lost("bad_redirect", f"{response.status} without an address")
    try:
        target = urljoin(response.url, _text(location))
        scheme = urlsplit(target).scheme
    except ValueError:  # a bracket that opens no IPv6 address
        return Lost("bad_redirect", f"{response.status} to {location!r}"[:300])
    if target == response.url:
        return Lost("redirect_loop", f"{response.status} to itself")
    if scheme not in ("http", "https"):
        return Lost("unsupported_scheme", f"{response.status} to {target}"[:300])
    return canonical_url(target, tracking=True) or Lost("bad_redirect", f"{response.status} to {target}"[:300])


def lost(failure: Failure) -> Lost:
    """What a download error means for the URL."""
    error = failure.value
    if isinstance(error, HttpError):
        return judged(error.response) or Lost("ignored", str(error.response.status))
    assert isinstance(error, BaseException)
    return Lost(outcome_of(error), detail_of(error))


def _by_status(response: Response) -> str | None:
    status = response.status
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return "server_error" if status < 600 else "refused"
    if status >= 400:
        return "refused"
    if status >= 300:
        return "bad_redirect"
    # A bot wall may answer 202, and its page tells. 200 without a body is for extraction to judge.
    return "no_content" if status != 200 and not response.body else None


def _is_cut(response: Response) -> bool:
    """Of a body whose length nobody told, Scrapy cannot say whether it is whole."""
    if "partial" not in response.flags:
        return False
    page = response.body.lower()
    return b"<html" in page and b"</html" not in page


def _header(response: Response, name: str) -> str:
    return (response.headers.get(name) or b"").decode("latin-1").strip().lower()


def _text(location: bytes) -> str:
    try:
        return location.decode("utf-8").strip()
    except UnicodeDecodeError:
        return location.decode("latin-1").strip()
