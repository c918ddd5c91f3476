"""The last step: page, article and frontier state in one transaction. The item is done when it is committed."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from crawler import tally
from crawler.items import Article, Record
from crawler.store.frontier import Visit
from crawler.store.pages import Archived, sha256
from crawler.store.session import CrawlStore
from crawler.store.writer import Entry, Stored

COUNTED = {"new": "stored", "updated": "updated", "unchanged": "unchanged", "older": "unchanged"}


class StorePipeline:
    """Passes the stored article on, which is what `-o` exports; drops what is no article after storing why."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_item(self, record: Record) -> Article:
        store: CrawlStore = self.crawler.spider.store  # type: ignore[union-attr]
        stored = record.stored = await store.store(entry_of(record))
        self.count(record, stored)
        if record.article is None or stored.error:
            raise DropItem(record.rejected or "store_refused")
        return record.article

    def count(self, record: Record, stored: Stored) -> None:
        stats, source = self.crawler.stats, record.page.source
        if record.article is None or stored.outcome is None:
            tally.count(stats, source, "rejected")
            tally.count(stats, "rejected", record.rejected or "store_refused")
            return
        tally.count(stats, source, COUNTED[stored.outcome])
        if COUNTED[stored.outcome] != "unchanged":
            for block in record.article.blocks:
                if not block.kept and block.reason:
                    tally.count(stats, "dropped", block.reason)


def entry_of(record: Record) -> Entry:
    """What a fetch leaves behind."""
    page = record.page
    if page.url_id is None:  # out of an archive
        return replace(entry_of(replace(record, page=replace(page, url_id=0))), found=page.candidate)
    if record.rejected and record.rejected.startswith("extraction_"):
        # Tried again later, and without validators: a 304 would leave it without its article for ever.
        visit = Visit(url_id=page.url_id, state="failed", reason=record.rejected, retry=True)
        archived = Archived(page=page, outcome=record.rejected, detail=record.rejected_detail)
        return Entry(visit=visit, archived=archived)
    visit = Visit(
        url_id=page.url_id,
        state="fetched",
        reason=record.rejected,
        etag=page.headers.get("etag"),
        last_modified=page.headers.get("last-modified"),
        html_sha256=sha256(page.html),
    )
    archived = Archived(page=page, outcome=record.rejected or "article", detail=record.rejected_detail)
    return Entry(visit=visit, archived=archived, article=record.article)
