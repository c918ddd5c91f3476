"""Opens the store for a crawl and closes it: a row in `crawls` for each run, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.statscollectors import StatsCollector
from sqlalchemy.exc import SQLAlchemyError

from crawler import json_log
from crawler.errors import CrawlerError, DatabaseUnreachable, NewerSchema, SourceTaken
from crawler.extensions import ending
from crawler.store.engine import Database, open_database
from crawler.store.gate import HostGate
from crawler.store.patience import Patience
from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)
ACCOUNT_EVERY = 60.0  # seconds
REFUSALS: dict[type[Exception], str] = {SourceTaken: "taken", NewerSchema: "newer"}  # else the database is away


class CrawlLog:
    """Gives the spider its `store` when it opens.

    `shared`: the database and the patience of the process's crawls, whose owner closes it; None: this one has its own.
    """

    def __init__(
        self,
        database_url: str | None,
        data_dir: Path,
        patience: float,
        retry_after_max: float,
        keep_months: int,
        lost_grace: float,
        stats: StatsCollector,
        shared: tuple[Database, Patience] | None = None,
    ) -> None:
        self.database_url, self.data_dir, self.patience, self.stats = database_url, data_dir, patience, stats
        self.retry_after_max, self.keep_months, self.lost_grace = retry_after_max, keep_months, lost_grace
        self.shared = shared
        self.database: Database | None = None
        self.accounting: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        settings = crawler.settings
        assert crawler.stats is not None
        extension = cls(
            settings["DATABASE_URL"] or None,
            Path(settings["CRAWLER_DATA_DIR"]),
            settings.getfloat("DATABASE_PATIENCE"),
            settings.getfloat("RETRY_AFTER_MAX"),
            settings.getint("PAGES_KEEP_MONTHS"),
            settings.getfloat("LOST_GRACE"),
            crawler.stats,
            getattr(crawler, "shared_store", None),
        )
        crawler.signals.connect(extension.spider_opened, signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signals.spider_closed)
        return extension

    async def spider_opened(self, spider: Spider) -> None:
        """In a thread: the reactor has other crawls to serve."""
        try:
            store, buried = await asyncio.to_thread(self._open, spider)
        except (CrawlerError, SQLAlchemyError) as error:
            if self.shared and type(error) in REFUSALS:  # its worker knows what to do
                logger.info("no crawl now: %s", error)
            else:
                why = "" if isinstance(error, SourceTaken) else "no crawl without a database: "
                logger.error("%s%s", why, str(error).splitlines()[0])
            self.stats.set_value(f"news/failed/{REFUSALS.get(type(error), 'database')}", 1)
            return
        for why in store.disabled.values():
            logger.warning("left out: %s", why)
        if buried:
            logger.info("crawls %s had been killed; what they had leased is queued again", buried)
        spider.store = store  # type: ignore[attr-defined]
        spider.hosts = HostGate(store, self.retry_after_max)  # type: ignore[attr-defined]
        self.stats.set_value("crawl_id", store.crawl_id)
        json_log.tell(crawl=store.crawl_id, source=next(iter(spider.chosen)) if len(spider.chosen) == 1 else None)  # type: ignore[attr-defined]
        self.accounting = asyncio.get_running_loop().create_task(self.account(store))

    def _open(self, spider: Spider) -> tuple[CrawlStore, list[int]]:
        if self.shared:
            database, patience = self.shared
            store = CrawlStore(database, patience, self.keep_months, self.lost_grace)
        else:
            database = self.database = open_database(self.database_url, self.data_dir)
            store = CrawlStore(database, self.patience, self.keep_months, self.lost_grace)
        chosen = list(spider.chosen.values())  # type: ignore[attr-defined]
        alone = getattr(spider, "alone", None)
        saved = alone is not None and getattr(spider, "given", None) is not None
        return store, store.open(spider.name, chosen, spider.arguments, alone=alone, saved=saved)  # type: ignore[attr-defined]

    async def account(self, store: CrawlStore) -> None:
        """Keep the database told of what this run does: it may be killed, or hang."""
        with contextlib.suppress(asyncio.CancelledError, DatabaseUnreachable):
            while True:
                await asyncio.sleep(ACCOUNT_EVERY)
                try:
                    await store.account(_plain(self.stats.get_stats()))
                except SQLAlchemyError as error:  # the next time, or the end, does it
                    logger.warning("the crawl's figures were not noted: %s", str(error).splitlines()[0])

    async def spider_closed(self, spider: Spider, reason: str) -> None:
        """In a thread: what is done at a crawl's end may take minutes."""
        if self.accounting is not None:
            self.accounting.cancel()
        try:
            if settled := getattr(spider, "settled", None):
                await settled()
        finally:
            reason = getattr(spider, "ending", None) or reason
            await asyncio.to_thread(self._close, getattr(spider, "store", None), reason)

    def _close(self, store: CrawlStore | None, reason: str) -> None:
        if store is not None:
            stats = _plain(self.stats.get_stats())
            word, met = ending.ended(reason, stats)
            store.close(ending.OUTCOMES.get(word, "failed"), ending.in_words(word, met), stats)
            for source, number in store.learned.items():
                if number:  # for the closing table
                    self.stats.set_value(f"template/learned/{source}", number)
        if self.database is not None:
            self.database.close()


def _plain(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in stats.items()}
