"""Sources in, pages out: feeds and sitemaps to the frontier, due URLs from the frontier to the pipelines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from math import ceil
from pathlib import Path
from typing import Any, Self, cast

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler import tally
from crawler.discovery.homepage import feeds_and_sitemaps, sitemaps_from_robots
from crawler.discovery.sitemap import SubSitemap, parse_sitemap
from crawler.errors import CrawlerError, DatabaseUnreachable, FeedError, SeedError
from crawler.items import Candidate, Page, Record
from crawler.outcomes import OUTCOMES
from crawler.sources import Source
from crawler.spiders import fetches
from crawler.spiders.selection import chosen_sources
from crawler.store.frontier import Due, Visit
from crawler.store.session import CrawlStore
from crawler.store.writer import Entry

BATCH = 1_000  # candidates written at a time
MAX_SITEMAPS = 500  # files of one source in one run
DISCOVERY_PRIORITY = 10
IDLE_WAIT = 1.0  # seconds
NOT_BY_AGE = 1e9  # seconds: longer than anything was stored ago


class NewsSpider(Spider):
    """`scrapy crawl news` crawls every enabled source, `-a sources=a,b` some, `scrapy crawl <source>` one.

    `-a archives=1` also walks the sitemaps that list a source's whole archive.
    """

    name = "news"
    store: CrawlStore | None = None  # given by extensions.crawl_log when the spider opens

    def __init__(
        self, *, chosen: Sequence[Source] = (), archives: str = "", recheck_after: float = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.chosen = {source.id: source for source in chosen}
        self.archives = archives.lower() in ("1", "true", "yes")
        self.recheck_after = recheck_after
        self.arguments = kwargs
        self.broken: Sequence[SeedError] = ()
        self.pending = 0  # feeds and sitemaps that are not read yet
        self.sitemaps: Counter[str] = Counter()
        self.listings: set[tuple[str, str]] = set()  # asked for: a sitemap index may name itself
        self.seen: dict[int, float] = {}  # hash of what was announced -> its latest change, in seconds since 1970

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        chosen, broken = chosen_sources(Path(crawler.settings["SEEDS_DIR"]), cls.name, kwargs.get("sources"))
        recheck_after = crawler.settings.getfloat("RECHECK_AFTER")
        spider = super().from_crawler(crawler, *args, chosen=chosen, recheck_after=recheck_after, **kwargs)
        spider.broken = broken
        return spider

    # -- the run ------------------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        """First what announces articles, then articles as they become due; ends when neither is left.

        URLs are leased a few at a time, so that memory does not grow with the frontier.
        """
        for error in self.broken:  # no sooner: there are no stats before the spider opens
            self.logger.error("left out: %s", error)
            tally.count(self.crawler.stats, "failed", "broken_seed")
        if self.store is None:
            return
        try:
            async for request in self.requests(self.store):
                yield request
        except DatabaseUnreachable as error:
            self.store.failure = str(error)
        if self.store.failure is not None:
            self.logger.error("%s", self.store.failure)
            await self.crawler.engine.close_spider_async(reason="database_unreachable")

    async def requests(self, store: CrawlStore) -> AsyncIterator[Request]:
        """Raises DatabaseUnreachable when the database does not come back."""
        async for request in self.first_requests():
            yield request
        while store.failure is None:
            # Looked at before the lease: what is announced while that goes on is not in its answer.
            quiet = not self.pending and not store.in_flight
            due = await store.take(*self.room())
            for one in due:
                yield self.article_request(one)
            if not due:
                if quiet:
                    return
                await store.wait(IDLE_WAIT)

    async def first_requests(self) -> AsyncIterator[Request]:
        for source in self.chosen.values():
            for request in self.discovery_requests(source):
                yield request

    def room(self) -> tuple[dict[str, int], int]:
        """How many more URLs may be leased, of each source and in all: every slot busy, refilled by halves."""
        assert self.store is not None
        settings = self.crawler.settings
        each = 4 * settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")
        free = 8 * settings.getint("CONCURRENT_REQUESTS") - len(self.store.in_flight)
        in_flight = Counter(self.store.in_flight.values())
        hungry = [source for source in self.chosen if 2 * in_flight[source] <= each]
        share = max(2, ceil(free / max(1, len(hungry))))
        return {source: min(each - in_flight[source], share) for source in hungry}, free

    # -- discovery ----------------------------------------------------------------------------------------------------

    def discovery_requests(self, source: Source) -> Iterator[Request]:
        given = [*source.feeds, *source.sitemaps, *(source.archives if self.archives else ())]
        for url in given:
            if self.is_first(source, str(url)):
                yield self.discovery_request(str(url), source, self.parse_listing)
        if not given:
            homepage = str(source.homepage)
            yield self.discovery_request(homepage, source, self.parse_homepage)
            yield self.discovery_request(fetches.robots_url(homepage), source, self.parse_robots)

    def is_first(self, source: Source, url: str) -> bool:
        """Whether this run has not asked for a feed or sitemap yet."""
        first = (source.id, url) not in self.listings
        self.listings.add((source.id, url))
        return first

    def discovery_request(self, url: str, source: Source, callback: Callable[..., Any]) -> Request:
        self.pending += 1
        return Request(
            url,
            callback=callback,
            errback=self.lost_discovery,
            cb_kwargs={"source": source},
            priority=DISCOVERY_PRIORITY,
            dont_filter=True,
        )

    async def parse_homepage(self, response: Response, source: Source) -> AsyncIterator[Request]:
        for url in feeds_and_sitemaps(response.body, response.url):
            yield self.discovery_request(url, source, self.parse_listing)
        self.settled()

    async def parse_robots(self, response: Response, source: Source) -> AsyncIterator[Request]:
        for url in sitemaps_from_robots(response.body, response.url):
            yield self.discovery_request(url, source, self.parse_listing)
        self.settled()

    async def parse_listing(self, response: Response, source: Source) -> AsyncIterator[Request]:
        """A feed or a sitemap, whichever it turns out to be."""
        try:
            async for found in self.read_listing(response, source):
                yield found
        except FeedError as error:
            self.logger.warning("%s: %s", source.id, error)  # which names the address
            tally.count(self.crawler.stats, source.id, "feed_errors")
        except CrawlerError as error:
            self.logger.error("%s: %s", source.id, error)
        finally:
            self.settled()

    async def read_listing(self, response: Response, source: Source) -> AsyncIterator[Request]:
        found = parse_sitemap(response.body, url=response.url, source=source)
        while batch := await asyncio.to_thread(lambda: list(islice(found, BATCH))):
            candidates = [one for one in batch if isinstance(one, Candidate)]
            await self.add(source, candidates)
            for one in batch:
                if isinstance(one, SubSitemap) and self.is_first(source, one.url) and self.may_descend(source, one):
                    yield self.discovery_request(one.url, source, self.parse_listing)

    def may_descend(self, source: Source, sitemap: SubSitemap) -> bool:
        self.sitemaps[source.id] += 1
        if self.sitemaps[source.id] == MAX_SITEMAPS + 1:
            self.logger.warning(
                "%s: only the first %d sitemaps are read; see `archives` in the README", source.id, MAX_SITEMAPS
            )
        return self.sitemaps[source.id] <= MAX_SITEMAPS

    async def add(self, source: Source, candidates: Sequence[Candidate]) -> None:
        if self.store is None:
            return
        fresh, later = self.sifted(candidates)
        if fresh:
            added = await self.store.add(source.id, fresh, self.recheck_after)
            tally.count(self.crawler.stats, source.id, "found", added.new + added.due + added.known)
            tally.count(self.crawler.stats, source.id, "known", added.known)
        if later:
            added = await self.store.add(source.id, later, NOT_BY_AGE)
            # It may have come before the other: then that one counted as known what this one had made.
            tally.count(self.crawler.stats, source.id, "known", -added.due - added.new)

    def sifted(self, candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that this run has not seen, and those that it has, but without so late a date of change.

        Feeds and sitemaps overlap, and only some of them tell that an article was changed.
        """
        fresh: list[Candidate] = []
        later: list[Candidate] = []
        for one in candidates:
            key, changed = hash(one.url), one.modified_at.timestamp() if one.modified_at else 0.0
            known = self.seen.get(key)
            if known is None or changed > known:
                (fresh if known is None else later).append(one)
                self.seen[key] = changed
        return fresh, later

    async def lost_discovery(self, failure: Failure) -> None:
        request = cast(Request, failure.request)  # type: ignore[attr-defined]
        lost = fetches.lost(failure)
        source: Source = request.cb_kwargs["source"]
        self.logger.warning("%s: %s could not be read: %s", source.id, request.url, lost.detail)
        tally.count(self.crawler.stats, source.id, "feed_errors")
        self.settled()

    def settled(self) -> None:
        self.pending -= 1
        if self.store is not None:
            self.store.changed.set()

    # -- articles -----------------------------------------------------------------------------------------------------

    def article_request(self, due: Due) -> Request:
        return Request(
            due.candidate.url,
            callback=self.parse_article,
            errback=self.lost_article,
            cb_kwargs={"due": due},
            headers=fetches.conditional_headers(due.etag, due.last_modified),
            meta={"handle_httpstatus_list": fetches.HANDLED_STATUSES},
            dont_filter=True,
        )

    async def parse_article(self, response: Response, due: Due) -> AsyncIterator[Record]:
        lost = fetches.judged(response)
        if lost is not None:
            await self.visited(due, lost)
            return
        tally.count(self.crawler.stats, due.candidate.source, "fetched")
        yield Record(
            page=Page(
                url=response.url,
                requested_url=due.candidate.url,
                source=due.candidate.source,
                status=response.status,
                headers=fetches.kept_headers(response),
                html=response.body,
                fetched_at=datetime.now(UTC),
                candidate=due.candidate,
                url_id=due.url_id,
            )
        )

    async def lost_article(self, failure: Failure) -> None:
        request = cast(Request, failure.request)  # type: ignore[attr-defined]
        await self.visited(request.cb_kwargs["due"], fetches.lost(failure))

    async def visited(self, due: Due, lost: fetches.Lost) -> None:
        """Record a fetch that gave no page."""
        assert self.store is not None
        ending = OUTCOMES[lost.outcome]
        if ending.state == "unchanged":
            tally.count(self.crawler.stats, due.candidate.source, "unchanged")
        else:
            tally.count(self.crawler.stats, due.candidate.source, "failed")
            tally.count(self.crawler.stats, "failed", lost.outcome)
            self.logger.info("%s: %s (%s)", due.candidate.url, lost.outcome, lost.detail)
        visit = Visit(url_id=due.url_id, state=ending.state, reason=lost.outcome, retry=bool(ending.again))
        await self.store.store(Entry(visit=visit))
