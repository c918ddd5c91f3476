"""The last step: page, article and frontier state in one transaction. The item is done when it is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

from scrapy.crawler import Crawler
from scrapy.exceptions import DropItem

from crawler import tally
from crawler.discovery.shapes import shape_of
from crawler.items import Article, Record
from crawler.outcomes import OUTCOMES
from crawler.recheck import STEPS, Rates, next_look
from crawler.rights import rights_of
from crawler.store.frontier import Visit
from crawler.store.pages import Archived, sha256
from crawler.store.session import CrawlStore
from crawler.store.writer import Entry, Stored

WALLS = frozenset(("bot_challenge", "consent_wall"))
COUNTED = {"new": "stored", "updated": "updated", "reread": "updated", "unchanged": "unchanged", "older": "unchanged"}


class StorePipeline:
    """Passes the stored article on, which is what `-o` exports; drops what is no article after storing why."""

    def __init__(self, crawler: Crawler) -> None:
        self.crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler)

    async def process_item(self, record: Record) -> Article:
        store: CrawlStore = self.crawler.spider.store  # type: ignore[union-attr]
        rates: Mapping[str, Rates] = getattr(self.crawler.spider, "rates", {})
        steps: Sequence[float] = getattr(self.crawler.spider, "steps", STEPS)
        stored = record.stored = await store.store(entry_of(record, rates.get(record.page.source, {}), steps))
        self.count(record, stored)
        if record.article is None or stored.error or stored.forgotten:
            raise DropItem(record.rejected or ("forgotten" if stored.forgotten else "store_refused"))
        return record.article

    def count(self, record: Record, stored: Stored) -> None:
        stats, source = self.crawler.stats, record.page.source
        if stored.forgotten:
            tally.ended(stats, source, "outcome", "forgotten")
            return
        tally.ended(stats, source, "outcome", "store_refused" if stored.error else outcome_of(record))
        if record.page.status >= 400:
            tally.count(stats, source, "failed")
            tally.count(stats, "failed", outcome_of(record))
            return
        if record.article is None or stored.outcome is None:
            tally.count(stats, source, "rejected")
            tally.count(stats, "rejected", record.rejected or "store_refused")
            return
        tally.count(stats, source, COUNTED[stored.outcome])
        if COUNTED[stored.outcome] != "unchanged":
            for block in record.article.blocks:
                if not block.kept and block.reason:
                    tally.count(stats, "dropped", block.reason)
                    tally.count(stats, source, "dropped/blocks")
                    tally.count(stats, source, "dropped/words", len(block.text.split()))


def outcome_of(record: Record) -> str:
    """A word of outcomes.py."""
    return record.article.page_type if record.article else record.rejected or "no_content"


def entry_of(record: Record, rates: Rates, steps: Sequence[float]) -> Entry:
    """What a fetch leaves behind."""
    page, article = record.page, record.article
    if page.url_id is None:  # out of an archive: nothing is asked for again because of it
        entry = entry_of(replace(record, page=replace(page, url_id=0)), rates, steps)
        visit = replace(entry.visit, look=None, fetched_at=page.fetched_at)
        return replace(entry, visit=visit, found=page.candidate)
    outcome = outcome_of(record)
    # What is tried again is asked for without validators: a 304 would leave it without its article for ever.
    final = not OUTCOMES[outcome].again
    # Without a date an article is as old as its first fetch.
    published_at = (article.published_at or page.published_at or page.fetched_at) if article else None
    visit = Visit(
        url_id=page.url_id,
        source=page.source,
        outcome=outcome,
        detail=record.rejected_detail,
        attempts=page.attempts,
        looked=page.step,
        look=next_look(published_at, page.fetched_at, rates, salt=page.url_id, steps=steps) if article else None,
        published_at=published_at,
        etag=page.headers.get("etag") if final else None,
        last_modified=page.headers.get("last-modified") if final else None,
        html_sha256=sha256(page.html) if final else None,
    )
    if page.status >= 400 and outcome not in WALLS:
        return Entry(visit=visit)  # an error's page tells nothing that its status does not
    archived = Archived(
        page=page,
        outcome="article" if article else outcome,
        detail=record.rejected_detail,
        rights=rights_of(page.headers, page.html),
    )
    shape = shape_of(page.requested_url)
    bands = record.extraction.bands if record.extraction else None
    return Entry(visit=visit, archived=archived, article=article, shape=shape, bands=bands)
