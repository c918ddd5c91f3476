"""Pages to the extraction workers. A page that cannot be extracted goes on, with the reason, to be archived."""

from __future__ import annotations

import logging
from typing import Self

from scrapy.crawler import Crawler

from crawler.errors import ExtractionError
from crawler.extraction.pool import ExtractionPool
from crawler.items import Record
from crawler.sources import Source

logger = logging.getLogger(__name__)


class ExtractPipeline:
    """Fills `Record.extraction`, or `Record.rejected`."""

    def __init__(self, crawler: Crawler, pool: ExtractionPool) -> None:
        self.crawler, self.pool = crawler, pool

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        settings = crawler.settings
        pool = ExtractionPool(
            settings.getint("EXTRACTION_WORKERS"),
            settings.getfloat("EXTRACTION_TIMEOUT"),
            settings.getint("EXTRACTION_MEMORY_MB"),
        )
        return cls(crawler, pool)

    async def process_item(self, record: Record) -> Record:
        page = record.page
        sources: dict[str, Source] = getattr(self.crawler.spider, "chosen", {})
        try:
            record.extraction = await self.pool.extract(page.html, page.url, sources.get(page.source))
        except ExtractionError as error:
            logger.warning("%s: %s (%s); the page is kept", page.url, error.reason, error)
            record.rejected, record.rejected_detail = error.reason, str(error)
        return record

    def close_spider(self) -> None:
        self.pool.close()
