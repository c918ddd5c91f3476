"""Pages to the extraction workers. A page that cannot be extracted goes on, with the reason, to be archived."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from dataclasses import dataclass, field
from typing import Self

from scrapy.crawler import Crawler
from scrapy.settings import BaseSettings

from crawler import tally
from crawler.errors import DatabaseUnreachable, ExtractionError
from crawler.extraction.pool import ExtractionPool
from crawler.items import Record
from crawler.recurrence import Template
from crawler.sources import Source
from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)
REFRESH_PAGES, REFRESH_SECONDS = 200, 60.0  # after so many pages of a source, or so long, its template is read again


@dataclass(slots=True)
class KnownTemplate:
    """A source's template and how long ago it was read."""

    template: Template = field(default_factory=Template)
    asked_at: float = -math.inf
    pages: int = 0

    def is_old(self) -> bool:
        return self.pages >= REFRESH_PAGES or time.monotonic() - self.asked_at >= REFRESH_SECONDS


class ExtractPipeline:
    """Fills `Record.extraction`, or `Record.rejected`. `shared`: the pool is that of all crawls of this process."""

    def __init__(self, crawler: Crawler, pool: ExtractionPool, *, shared: bool = False) -> None:
        self.crawler, self.pool, self.shared = crawler, pool, shared
        self.templates: dict[str, KnownTemplate] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        shared: ExtractionPool | None = getattr(crawler, "shared_pool", None)
        return cls(crawler, shared or pool_of(crawler.settings), shared=shared is not None)

    async def process_item(self, record: Record) -> Record:
        page = record.page
        sources: dict[str, Source] = getattr(self.crawler.spider, "chosen", {})
        started = time.monotonic()
        try:
            template = await self.template(page.source)
            record.extraction = await self.pool.extract(page.html, page.url, sources.get(page.source), template)
        except ExtractionError as error:
            logger.warning("%s: %s (%s); the page is kept", page.url, error.reason, error)
            if record.rejected is None:
                record.rejected, record.rejected_detail = error.reason, str(error)
        tally.count_time(self.crawler.stats, "extraction", time.monotonic() - started)
        return record

    async def template(self, source: str) -> Template:
        """What the source has taught, as of a short while ago: the end of the crawl cleans what came too early."""
        known = self.templates.setdefault(source, KnownTemplate())
        if known.is_old():
            known.asked_at, known.pages = time.monotonic(), 0  # now: pages that come meanwhile do not ask again
            store: CrawlStore | None = getattr(self.crawler.spider, "store", None)
            if store is not None:
                with contextlib.suppress(DatabaseUnreachable):
                    known.template = await store.template(source)
        known.pages += 1
        return known.template

    def close_spider(self) -> None:
        if not self.shared:
            self.pool.close()


def pool_of(settings: BaseSettings) -> ExtractionPool:
    """The workers that the settings ask for."""
    return ExtractionPool(
        settings.getint("EXTRACTION_WORKERS"),
        settings.getfloat("EXTRACTION_TIMEOUT"),
        settings.getint("EXTRACTION_MEMORY_MB"),
        json=settings.getbool("LOG_JSON"),
    )
