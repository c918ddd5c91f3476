"""What a page's scripts ask for, fetched by our downloader.

2026-11: it goes out without DOWNLOAD_DELAY, up to CONCURRENT_REQUESTS_PER_DOMAIN at once and ahead of the next page of
its host: a page's 30 scripts of 0.1 s each took 1.7 s, and 35 s with a second between them. A reader's browser opens
six connections for the same. A Crawl-delay and a Retry-After hold here as well. Scripts are kept (kept.py), so the next
page of a site asks only for its data.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import yaml
from scrapy import Request
from scrapy.http.request import NO_CALLBACK

from crawler.downloader.browser.kept import Answer, Kept
from crawler.downloader.handler import VERIFY_TLS
from crawler.downloader.slots import AT_ONCE
from crawler.urls import host_of

if TYPE_CHECKING:
    from scrapy.crawler import Crawler
    from scrapy.http import Response

# fmt: off
_NOT_SENT = frozenset(  # of what the browser would send; what it is, comes from and was told stays with us
    {
        "accept-encoding", "connection", "content-length", "cookie", "host", "referer", "upgrade-insecure-requests",
        "user-agent",
    }
)
_NOT_PASSED_ON = frozenset(  # of what the server says: the rest is about a connection that the browser does not have
    {
        "alt-svc", "clear-site-data", "connection", "content-encoding", "content-length", "keep-alive", "link", "nel",
        "refresh", "report-to", "reporting-endpoints", "set-cookie", "strict-transport-security", "transfer-encoding",
    }
)
# fmt: on


class Subresources:
    """The way out for all pages of a crawl."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler
        self.at_once = max(1, crawler.settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN"))  # of one host
        self._scripts = Kept()

    async def fetch(
        self, url: str, headers: Mapping[str, str], *, method: str, is_script: bool, verify_tls: bool = True
    ) -> Answer:
        """Raises what our downloader raises, ValueError for what is no URL."""

        async def fetch() -> Answer:
            assert self.crawler.engine is not None
            return answer(await self.crawler.engine.download_async(_request(url, headers, method, verify_tls)))

        if is_script and method == "GET":
            return await self._scripts.get((url, headers.get("origin"), verify_tls), fetch)
        return await fetch()


def answer(response: Response) -> Answer:
    """A response of ours as the browser is to see it."""
    headers = response.headers.to_unicode_dict()
    passed_on = {str(name).lower(): value for name, value in headers.items()}
    for name in _NOT_PASSED_ON & passed_on.keys():
        del passed_on[name]
    return Answer(status=response.status, headers=passed_on, body=response.body)


def is_tracker(url: str) -> bool:
    """Whether nothing of the page comes from there."""
    labels = host_of(url).split(".")
    return any(".".join(labels[start:]) in _trackers() for start in range(len(labels)))


def _request(url: str, headers: Mapping[str, str], method: str, verify_tls: bool) -> Request:
    sent = {name: value for name, value in headers.items() if not name.startswith("sec-") and name not in _NOT_SENT}
    meta = {AT_ONCE: True, "allow_offsite": True, "autothrottle_dont_adjust_delay": True, "dont_retry": True}
    if not verify_tls:
        meta[VERIFY_TLS] = False
    return Request(url, method=method, headers=sent, meta=meta, callback=NO_CALLBACK, dont_filter=True)


@cache
def _trackers() -> frozenset[str]:
    text = files("crawler.downloader.browser").joinpath("trackers.yaml").read_text(encoding="utf-8")
    return frozenset(yaml.safe_load(text))
