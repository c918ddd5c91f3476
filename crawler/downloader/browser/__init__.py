"""Pages of sources with `render: true` as a browser shows them, once their scripts have run.

The browser never connects anywhere. The page itself is fetched by our downloader like any other, and only an answer
that is HTML is opened in the browser, which gets it from us. What its scripts ask for then goes through our downloader
as well (subresources.py): robots.txt, the address guard, TLS, limits of size and the host's concurrency hold because
there is no other way out (chromium.py).

2026-11: with Playwright and without scrapy-playwright 0.0.48. Its download handler holds the host's slot while the page
loads, so what the page asks for would wait for that slot for ever, and Scrapy allows no download handler to use the
downloader. It goes on unguarded when the callback that would set our guards up fails, redirects pass it by, and
every crawl would start its driver, with or without a page to render. Here Scrapy's part is a middleware.

Nothing of this is imported, and nothing started, before a request asks for it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from functools import partial
from typing import TYPE_CHECKING

from scrapy import signals
from scrapy.http import HtmlResponse, TextResponse

from crawler.downloader.browser.errors import BrowserMissing, NotRendered
from crawler.downloader.slots import GivenUp, PoliteDownloader

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

    from crawler.downloader.browser.chromium import Chromium
    from crawler.downloader.browser.subresources import Subresources

RENDER = "render"  # Request.meta: whether its page is to be rendered
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGE_MISSING = "the package playwright is missing: pip install 'news-crawler[browser]' (or make browser)"
PROGRAM_MISSING = "there is no Chromium: apt-get install chromium, or set CHROMIUM to the path of one"
# The answer's own validators stand for its bytes, not for what scripts made of them.
_NOT_OF_THE_RENDERED = ("Content-Length", "Content-Encoding", "Content-Type", "ETag", "Last-Modified")

logger = logging.getLogger(__name__)


class RenderMiddleware:
    """Has to come before RobotsMiddleware on the way out and after all others on the way back: 90."""

    def __init__(self, crawler: Crawler) -> None:
        settings = crawler.settings
        self.crawler = crawler
        self.program: str = settings.get("CHROMIUM") or ""
        self.seconds = settings.getfloat("RENDER_TIMEOUT", 30.0)
        self.most_bytes = settings.getint("DOWNLOAD_MAXSIZE")
        self._turn = asyncio.Semaphore(max(1, settings.getint("RENDER_PAGES", 2)))
        self._chromium: Chromium | None = None
        self._subresources: Subresources | None = None
        self._missing: str | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        middleware = cls(crawler)
        crawler.signals.connect(middleware.close, signals.spider_closed)
        return middleware

    async def process_request(self, request: Request) -> None:
        """Raise BrowserMissing before a host is bothered for nothing."""
        if request.meta.get(RENDER):
            self._prepare()

    async def process_response(self, request: Request, response: Response) -> Response:
        """Raise NotRendered, or GivenUp when the crawl is closing or the source disabled."""
        if not request.meta.get(RENDER) or not isinstance(response, TextResponse) or not is_renderable(response):
            return response
        with self._downloader.parked():  # it waits for the browser, and keeps no other host waiting
            async with self._turn:
                self._raise_if_over(request)
                html = await self._rendered(request, response)
        self._count("pages")
        return as_rendered(response, html)

    async def close(self) -> None:
        """Leave no browser behind."""
        if self._chromium is not None:
            await self._chromium.close()

    def _prepare(self) -> None:
        if self._missing is None and self._chromium is None:
            try:
                self._start()
            except BrowserMissing as error:
                self._give_up(error)
        if self._missing is not None:
            raise BrowserMissing(self._missing)

    def _start(self) -> None:
        program = next(filter(None, map(shutil.which, [self.program] if self.program else PROGRAMS)), None)
        if program is None:
            raise BrowserMissing(PROGRAM_MISSING)
        try:
            from crawler.downloader.browser.chromium import Chromium
        except ImportError:
            raise BrowserMissing(PACKAGE_MISSING) from None
        from crawler.downloader.browser.subresources import Subresources

        settings = self.crawler.settings
        self._chromium = Chromium(
            program, user_agent=settings["USER_AGENT"], most_memory=settings.getint("RENDER_MEMORY_MB", 1024) << 20
        )
        self._subresources = Subresources(self.crawler)

    def _give_up(self, error: BrowserMissing) -> None:
        self._missing = str(error)
        logger.warning("pages with `render: true` are left out, %s", error)

    async def _rendered(self, request: Request, response: TextResponse) -> str:
        from crawler.downloader.browser.rendering import Rendering

        assert self._chromium is not None and self._subresources is not None
        rendering = Rendering(
            response,
            self._subresources,
            seconds=self.seconds,
            most_bytes=self.most_bytes,
            check=partial(self._raise_if_over, request),
        )
        try:
            async with self._chromium.context() as context:
                return await rendering.html(context)
        except BrowserMissing as error:
            if self._missing is None:
                self._give_up(error)
            raise
        except NotRendered as error:
            self._count(f"failed/{error.reason}")
            raise

    def _raise_if_over(self, request: Request) -> None:
        self._downloader.refuse(request)
        engine = self.crawler.engine
        if engine is not None and engine._slot is not None and engine._slot.closing is not None:
            raise GivenUp("the crawl is closing", reason="crawl_closing")

    @property
    def _downloader(self) -> PoliteDownloader:
        assert self.crawler.engine is not None
        downloader = self.crawler.engine.downloader
        assert isinstance(downloader, PoliteDownloader), "RenderMiddleware needs DOWNLOADER = PoliteDownloader"
        return downloader

    def _count(self, key: str) -> None:
        assert self.crawler.stats is not None
        self.crawler.stats.inc_value(f"render/{key}")


def is_renderable(response: Response) -> bool:
    """Whether a browser would show it as a page: a good answer, HTML, not empty."""
    content_type = (response.headers.get("Content-Type") or b"text/html").split(b";")[0].strip().lower()
    is_html = content_type in (b"text/html", b"application/xhtml+xml")
    return is_html and 200 <= response.status < 300 and bool(response.body)


def as_rendered(response: Response, html: str) -> HtmlResponse:
    """The answer with the page that scripts made of it, in UTF-8; status, URL and other headers stay."""
    headers = response.headers.copy()
    for name in _NOT_OF_THE_RENDERED:
        headers.pop(name, None)
    headers["Content-Type"] = "text/html; charset=utf-8"
    return HtmlResponse(
        response.url,
        status=response.status,
        headers=headers,
        body=html.encode("utf-8", "replace"),
        encoding="utf-8",
        flags=[*response.flags, "rendered"],
        request=response.request,
        ip_address=response.ip_address,
        protocol=response.protocol,
    )
