"""Opens the store for a crawl and closes it: a row in `crawls` for each run, however it ends."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from scrapy import Spider, signals
from scrapy.crawler import Crawler
from scrapy.statscollectors import StatsCollector
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import CrawlerError
from crawler.store.engine import Database, open_database
from crawler.store.gate import HostGate
from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)
OUTCOME_OF = {"finished": "finished", "shutdown": "shutdown", "source_disabled": "shutdown"}  # by a person, both


class CrawlLog:
    """Gives the spider its `store` when it opens."""

    def __init__(
        self,
        database_url: str | None,
        data_dir: Path,
        patience: float,
        retry_after_max: float,
        keep_months: int,
        stats: StatsCollector,
    ) -> None:
        self.database_url, self.data_dir, self.patience, self.stats = database_url, data_dir, patience, stats
        self.retry_after_max, self.keep_months = retry_after_max, keep_months
        self.database: Database | None = None

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
            crawler.stats,
        )
        crawler.signals.connect(extension.spider_opened, signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signals.spider_closed)
        return extension

    def spider_opened(self, spider: Spider) -> None:
        try:
            self.database = open_database(self.database_url, self.data_dir)
            store = CrawlStore(self.database, self.patience, self.keep_months)
            buried = store.open(spider.name, list(spider.chosen.values()), spider.arguments)  # type: ignore[attr-defined]
        except (CrawlerError, SQLAlchemyError) as error:
            logger.error("no crawl without a database: %s", str(error).splitlines()[0])
            self.stats.set_value("news/failed/database", 1)
            return
        for why in store.disabled.values():
            logger.warning("left out: %s", why)
        if buried:
            logger.info("crawls %s had been killed; what they had leased is queued again", buried)
        spider.store = store  # type: ignore[attr-defined]
        spider.hosts = HostGate(store, self.retry_after_max)  # type: ignore[attr-defined]
        self.stats.set_value("crawl_id", store.crawl_id)

    def spider_closed(self, spider: Spider, reason: str) -> None:
        store: CrawlStore | None = getattr(spider, "store", None)
        if store is not None:
            outcome = OUTCOME_OF.get(reason, "failed")
            store.close(outcome, reason, _plain(self.stats.get_stats()))
            for source, number in store.learned.items():
                if number:  # for the closing table
                    self.stats.set_value(f"template/learned/{source}", number)
        if self.database is not None:
            self.database.close()


def _plain(stats: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in stats.items()}
