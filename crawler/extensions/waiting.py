"""A queued crawl that only waits gives its place back: what it has not got to is in the database, and so are the rests
of hosts and lists, so nothing is lost, and the worker does something else meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured

from crawler import tally
from crawler.extensions.ending import NO_ANSWER, STALLED

if TYPE_CHECKING:
    from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)
LOOKS = 20  # in the time that a crawl may wait


class OnlyWaits:
    """Ends a queued crawl of one source in which nothing has come for `seconds`."""

    def __init__(self, crawler: Crawler, seconds: float) -> None:
        self.crawler, self.seconds = crawler, seconds
        self.task: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        extension = cls(crawler, crawler.settings.getfloat("CRAWL_WAIT_MAX"))
        if extension.seconds <= 0:
            raise NotConfigured
        crawler.signals.connect(extension.spider_opened, signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signals.spider_closed)
        return extension

    def spider_opened(self, spider: Spider) -> None:
        if getattr(spider, "alone", None) is not None and getattr(spider, "given", None) is not None:
            self.task = asyncio.get_running_loop().create_task(self.watch(spider))

    def spider_closed(self, spider: Spider, reason: str) -> None:
        if self.task is not None:
            self.task.cancel()

    async def watch(self, spider: Any) -> None:
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < self.seconds:
            await asyncio.sleep(self.seconds / LOOKS)
            came = tally.came(self.stats())
            if came != seen or self.is_at_work(getattr(spider, "store", None)):
                seen, since = came, time.monotonic()
        stats = self.stats()
        spider.ending = STALLED if tally.has_read(stats) else NO_ANSWER
        met = tally.listed(tally.put_off(stats)) or "no answer at all"
        logger.warning("%s: nothing has come for %.0f s (%s): its crawl ends", spider.name, self.seconds, met)
        assert self.crawler.engine is not None
        self.task = None  # or it would be cancelled by the end that it brings about
        with contextlib.suppress(RuntimeError):  # it is being closed
            await self.crawler.engine.close_spider_async(reason=spider.ending)

    def is_at_work(self, store: CrawlStore | None) -> bool:
        """Pages are extracted or stored, or it is the database that is waited for: that is another matter."""
        return store is None or bool(store.processing) or store.patience.waited is not None

    def stats(self) -> dict[str, Any]:
        assert self.crawler.stats is not None
        return self.crawler.stats.get_stats()
