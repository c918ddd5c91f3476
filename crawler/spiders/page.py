"""One page, asked for by hand: `scrapy crawl page -a url=https://...`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

from scrapy import Request, Spider
from scrapy.crawler import Crawler

from crawler import tally
from crawler.errors import ConfigurationError
from crawler.items import Candidate
from crawler.spiders.news import NewsSpider
from crawler.spiders.selection import source_of
from crawler.urls import canonical_url


class PageSpider(NewsSpider):
    """Fetches one address, whether it is known or not, and stores its article. Robots and politeness hold here too."""

    name = "page"

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        url = address(kwargs.get("url"))
        chosen = [source_of(Path(crawler.settings["SEEDS_DIR"]), url)]
        make = Spider.from_crawler.__func__  # type: ignore[attr-defined]  # past NewsSpider's, which chooses by name
        spider = cast(Self, make(cls, crawler, chosen=chosen, **kwargs))
        spider.address = url
        return cls.connected(crawler, spider)

    address: str = ""
    alone = None  # a page is fetched beside a crawl of its source

    async def first_requests(self) -> AsyncIterator[Request]:
        assert self.store is not None
        (source,) = self.chosen.values()
        if self.is_switched_off:
            return
        if await self.store.forgotten({self.address: source.id}):
            self.logger.warning("%s was forgotten, and is not fetched", self.address)
            tally.count(self.crawler.stats, "outcome", "forgotten")
            return
        due = await self.store.lease(source, Candidate(url=self.address, source=source.id, found_in="ad_hoc"))
        if due is None:
            self.logger.warning("%s is being fetched by another crawl", self.address)
        else:
            yield self.article_request(replace(due, etag=None, last_modified=None))

    def room(self) -> tuple[dict[str, int], int]:
        """What else this source has waiting is not for this run."""
        return {}, 0


def address(url: object) -> str:
    """Raises ConfigurationError for what is no http(s) address."""
    found = canonical_url(url) if isinstance(url, str) else None
    if found is None:
        raise ConfigurationError("give the page's address: scrapy crawl page -a url=https://example.com/article")
    return found
