"""What a page may ask for, and what it is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import Route

from crawler.downloader.browser.kept import Answer
from crawler.downloader.browser.subresources import answer, is_tracker
from crawler.downloader.handler import VERIFY_TLS
from crawler.failures import detail_of, outcome_of
from crawler.outcomes import OUTCOMES
from crawler.urls import host_of, same_site

if TYPE_CHECKING:
    from playwright.async_api import Request
    from scrapy.http import Response

    from crawler.downloader.browser.subresources import Subresources

FETCHED = frozenset(("fetch", "script", "xhr"))  # Playwright's resource types
SAFE = frozenset(("GET", "HEAD"))  # nothing else is sent: it may count, order or comment
MOST_FETCHED = 100
MOST_BYTES = 50 << 20
MOST_ASKED = 500  # what is refused included
NO_STYLE = Answer(status=200, headers={"content-type": "text/css"}, body=b"")  # some scripts wait for it


class Routing:
    """The requests of one page, answered from `document` and `subresources` or refused."""

    def __init__(self, document: Response, subresources: Subresources, flooded: Callable[[], None]) -> None:
        self.document = document
        self.flooded = flooded  # called when the page asks for more than it ever could need
        self.subresources = subresources
        self.given = False  # the document, to the page
        self.over = False  # set once nobody looks at the page any more
        self.open = 0  # requests that wait for their answer
        self.answered = monotonic()  # when the last one got it
        self.failure: str | None = None  # of a request to the page's own site that may well work another time
        self._verify_tls = document.request is None or document.request.meta.get(VERIFY_TLS) is not False
        self._asked = self._fetched = self._bytes = 0
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(subresources.at_once)  # so that little is left in the queues when it is over
        )

    async def answer(self, route: Route) -> None:
        """Playwright's handler for every request of the page. Never raises."""
        self._asked += 1
        if self._asked > MOST_ASKED:
            self.over = True
            self.flooded()
        self.open += 1
        try:
            found = await self._found(route.request)
            with suppress(PlaywrightError):  # the page is closed
                if found is None:
                    await route.abort("aborted")  # the code that leaves the page where it is
                else:
                    await route.fulfill(status=found.status, headers=dict(found.headers), body=found.body)
        finally:
            self.open -= 1
            self.answered = monotonic()

    async def _found(self, request: Request) -> Answer | None:
        if request.is_navigation_request():
            # A page that goes elsewhere stays where it is: redirects are the spider's, and frames hold no article.
            document = None if self.given else answer(self.document)
            self.given = True
            return document
        if request.resource_type == "stylesheet":
            return NO_STYLE
        if self.over or not self._may_be_fetched(request):
            return None
        self._fetched += 1
        async with self._turns[host_of(request.url)]:
            return None if self.over or self._bytes > MOST_BYTES else await self._fetch(request)

    def _may_be_fetched(self, request: Request) -> bool:
        return (
            request.resource_type in FETCHED
            and request.method in SAFE
            and request.url.startswith(("http://", "https://"))
            and self._fetched < MOST_FETCHED
            and not is_tracker(request.url)
        )

    async def _fetch(self, request: Request) -> Answer | None:
        is_script = request.resource_type == "script"
        try:
            found = await self.subresources.fetch(
                request.url,
                request.headers,
                method=request.method,
                is_script=is_script,
                verify_tls=self._verify_tls or not same_site(request.url, self.document.url),
            )
        except Exception as error:  # whatever a download handler or a middleware raises
            if OUTCOMES[outcome_of(error)].state == "failed":
                self._note(request.url, detail_of(error))
            return None
        if found.status == 429 or found.status >= 500:
            self._note(request.url, str(found.status))
        self._bytes += len(found.body)
        return found

    def _note(self, url: str, why: str) -> None:
        if same_site(url, self.document.url):
            self.failure = f"{url} ({why})"
