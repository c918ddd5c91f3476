"""A source that is disabled while it is crawled: nothing more goes out to it, and its leases are given back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol, Self, cast

from scrapy import Spider, signals
from scrapy.crawler import Crawler

from crawler.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)


class Stoppable(Protocol):
    """What is used of the downloader (downloader/slots.py)."""

    def stop(self, sources: Collection[str]) -> None: ...


class SourceSwitch:
    """Asks the database every `seconds`: one small query, however many requests there are."""

    def __init__(self, crawler: Crawler, seconds: float) -> None:
        self.crawler, self.seconds = crawler, seconds
        self.task: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        extension = cls(crawler, crawler.settings.getfloat("DISABLED_CHECK"))
        crawler.signals.connect(extension.spider_opened, signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signals.spider_closed)
        return extension

    def spider_opened(self, spider: Spider) -> None:
        self.task = asyncio.get_running_loop().create_task(self.watch(spider))

    async def watch(self, spider: Spider) -> None:
        with contextlib.suppress(DatabaseUnreachable, RuntimeError):  # the crawl is told elsewhere, or has ended
            while True:
                await asyncio.sleep(self.seconds)
                store: CrawlStore | None = getattr(spider, "store", None)
                if (
                    store is None or not store.sources
                ):  # it opens in a thread, while signals go on; archives meet theirs
                    continue
                before = store.disabled
                if await store.look_for_disabled() == before:
                    continue
                for source in store.disabled.keys() - before.keys():
                    logger.warning("%s was disabled: nothing more is asked of it", source)
                assert self.crawler.engine is not None
                cast(Stoppable, self.crawler.engine.downloader).stop(store.disabled)
                store.changed.set()

    def spider_closed(self, spider: Spider, reason: str) -> None:
        if self.task is not None:
            self.task.cancel()
