"""How a spider finds what its sources announce: their feeds, sitemaps and sections become candidates in the frontier.

Feeds and sitemaps are read first. Sections and home pages follow when these are done, so that what is new in them is
what nothing else names, and their further pages are asked for only as long as that goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, cast

from scrapy import Request
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler import tally
from crawler.discovery.homepage import sitemaps_from_robots
from crawler.discovery.listing import may_be_article, parse_listing
from crawler.discovery.selection import Span
from crawler.discovery.shapes import Shapes, shape_of
from crawler.discovery.sitemap import SubSitemap, parse_sitemap
from crawler.errors import CrawlerError, FeedError
from crawler.items import Candidate
from crawler.recheck import ANNOUNCED, worth
from crawler.sources import Source
from crawler.spiders import exchange, fetches
from crawler.store.intake import Added
from crawler.store.listings import LINKED, NOT_A_LIST, NOT_MODIFIED, READ, USUAL, DueListing, Found, Kind, Reading
from crawler.urls import canonical_url, origin_of, url_key

if TYPE_CHECKING:
    from crawler.spiders.news import NewsSpider
    from crawler.store.session import CrawlStore

BATCH = 1_000  # candidates written at a time
MAX_SEEN = 200_000  # announcements that are remembered; of further ones, the database tells what is known
MOST: dict[Kind, int] = {"sitemap": 500, "archive": 500, "section": 60, "further": 200}  # of one source in one run
PRIORITY = 10
FIRST: tuple[Kind, ...] = ("homepage", "feed", "sitemap")
USUAL_PLACES = ("/sitemap.xml", "/sitemap_index.xml", "/feed", "/rss.xml")  # tried where a site announces nothing
logger = logging.getLogger(__name__)


class Discovery:
    """The sources of one run and what they have announced so far. Its requests' callbacks are its own."""

    def __init__(self, spider: NewsSpider, span: Span, *, archives: bool, again: bool) -> None:
        self.spider, self.span = spider, span
        self.archives = archives or bool(span)
        self.since = datetime.now(UTC) if again else None  # what was fetched before is looked at again
        self.pending: Counter[str] = Counter()  # documents of a source that are not read yet
        self.in_sections: set[str] = set()  # sources whose feeds and sitemaps are done
        self.asked: set[tuple[str, str]] = set()  # a sitemap index may name itself
        self.number: Counter[tuple[str, Kind]] = Counter()
        self.seen: dict[int, float] = {}  # hash of what was announced -> its latest change, in seconds since 1970
        self.shapes: dict[str, Shapes] = {}
        self.lists: defaultdict[str, set[str | None]] = defaultdict(set)  # keys of what is no article but lists them

    @property
    def store(self) -> CrawlStore:
        assert self.spider.store is not None
        return self.spider.store

    @property
    def is_busy(self) -> bool:
        return any(self.pending.values())

    # -- what to ask for ----------------------------------------------------------------------------------------------

    async def begin(self, source: Source) -> AsyncIterator[Request]:
        """The first requests of a source."""
        known = await self.store.seeded(source.id, list(named_by(source)))
        self.lists[source.id] = set(map(url_key, known))
        if is_found_out(source):
            await self.store.announce(source.id, await self.of_robots(str(source.homepage)))
        self.spider.rates[source.id] = await self.store.rates(source.id)
        kinds: tuple[Kind, ...] = (*FIRST, "archive") if self.archives else FIRST
        # Without feeds and sitemaps the home page is all there is to ask, however short a while ago that was.
        for request in await self.due(source, kinds) or await self.due(source, ("homepage",), every=True):
            yield request
        if not self.pending[source.id]:
            for request in await self.sections(source):
                yield request
        if not self.pending[source.id]:
            for outcome, number in (await self.store.resting(source.id)).items():
                tally.count(self.spider.crawler.stats, source.id, f"resting/{outcome}", number)

    async def due(self, source: Source, kinds: Sequence[Kind], *, every: bool = False) -> list[Request]:
        every = every or bool(self.span) or self.since is not None
        found = await self.store.due_listings(source.id, kinds, every=every)
        return [self.request(one, source) for one in found if self.may_ask(source, one)]

    async def sections(self, source: Source) -> list[Request]:
        """Once a run: the section pages that are due, and what a run before had not read of them."""
        if source.id in self.in_sections:
            return []
        self.in_sections.add(source.id)
        await self.learn(source)
        return await self.due(source, ("section", "further"))

    async def learn(self, source: Source) -> None:
        rows = await self.store.shapes(source.id)
        self.shapes[source.id] = Shapes(tuple((shape, *counts) for shape, counts in rows.items()))

    def may_ask(self, source: Source, listing: DueListing) -> bool:
        """Each document once a run, and not more of a kind than is sane."""
        if (source.id, listing.url) in self.asked:
            return False
        self.asked.add((source.id, listing.url))
        most = MOST.get(listing.kind)
        self.number[source.id, listing.kind] += 1
        if most and self.number[source.id, listing.kind] == most + 1:
            logger.warning("%s: only %d lists of the kind %r are read in one run", source.id, most, listing.kind)
        return most is None or self.number[source.id, listing.kind] <= most

    def request(self, listing: DueListing, source: Source) -> Request:
        self.pending[source.id] += 1
        options = exchange.options(source, listing=listing.kind in LINKED)
        conditional = listing.kind != "further" and not self.span and self.since is None
        return Request(
            listing.url,
            callback=self.parse,
            errback=self.lost,
            cb_kwargs={"source": source, "listing": listing},
            headers=fetches.conditional_headers(listing.etag, listing.last_modified) if conditional else {},
            meta={"handle_httpstatus_list": fetches.HANDLED_STATUSES} | options,
            priority=PRIORITY,
            dont_filter=True,
        )

    # -- what came back -----------------------------------------------------------------------------------------------

    async def parse(self, response: Response, source: Source, listing: DueListing) -> AsyncIterator[Request]:
        """A feed, a sitemap, a section or a home page."""
        tally.answered(self.spider.crawler.stats, source.id, response.meta.get("download_latency"))
        try:
            lost = exchange.judged_listing(response)
            if lost is not None:
                await self.ended(Reading(listing=listing, outcome=lost.outcome, detail=lost.detail))
                for request in await self.due(source, FIRST) if listing.kind == "homepage" else ():
                    yield request
            elif listing.kind in LINKED:
                async for request in self.read_section(response, source, listing):
                    yield request
            else:
                async for request in self.read_feed(response, source, listing):
                    yield request
        except FeedError as error:
            await self.ended(Reading(listing=listing, outcome=NOT_A_LIST, detail=str(error)))
        except CrawlerError as error:
            logger.error("%s: %s", source.id, error)
        finally:
            self.settled(source)
        async for request in self.next_phase(source):
            yield request

    async def lost(self, failure: Failure) -> AsyncIterator[Request]:
        request = cast(Request, failure.request)  # type: ignore[attr-defined]
        source: Source = request.cb_kwargs["source"]
        lost = fetches.lost(failure)
        reading = Reading(listing=request.cb_kwargs["listing"], outcome=lost.outcome, detail=lost.detail)
        try:
            await self.ended(reading)
            for following in await self.due(source, FIRST) if reading.listing.kind == "homepage" else ():
                yield following
        finally:
            self.settled(source)
        async for following in self.next_phase(source):
            yield following

    async def next_phase(self, source: Source) -> AsyncIterator[Request]:
        """Sections, when feeds and sitemaps are done."""
        if not self.pending[source.id]:
            for request in await self.sections(source):
                yield request

    def settled(self, source: Source) -> None:
        self.pending[source.id] -= 1
        if self.spider.store is not None:
            self.spider.store.changed.set()

    async def ended(self, reading: Reading) -> None:
        """Record how a request ended, and say so if it is worth saying."""
        listing = reading.listing
        tally.ended(self.spider.crawler.stats, listing.source, "listing", reading.outcome)
        if reading.outcome in ("crawl_closing", "source_disabled"):  # it was not asked
            return
        tally.count(self.spider.crawler.stats, listing.source, "lists")
        if reading.outcome not in (READ, NOT_MODIFIED) and listing.parent != USUAL:
            logger.warning("%s: %s could not be read: %s", listing.source, listing.url, reading.detail)
            tally.count(self.spider.crawler.stats, listing.source, "feed_errors")
        await self.store.was_read(reading)
        if listing.kind == "homepage" and reading.outcome != READ:  # its robots.txt may have been read all the same
            source = self.spider.chosen[listing.source]
            await self.store.announce(source.id, await self.of_robots(listing.url))

    # -- feeds and sitemaps -------------------------------------------------------------------------------------------

    async def read_feed(self, response: Response, source: Source, listing: DueListing) -> AsyncIterator[Request]:
        entries = new = 0
        parts = await asyncio.to_thread(parse_sitemap, response.body, url=response.url, source=source)
        while batch := await asyncio.to_thread(lambda: list(islice(parts, BATCH))):
            entries += len(batch)
            added = await self.add(source, [one for one in batch if isinstance(one, Candidate)])
            new += added.new
            for request in await self.descend(source, listing, [one for one in batch if isinstance(one, SubSitemap)]):
                yield request
        await self.was_read(response, listing, entries, new)

    async def was_read(self, response: Response, listing: DueListing, entries: int, new: int) -> None:
        """A backfill has taken only a part, so the next crawl must not be answered that nothing has changed."""
        etag, last_modified = (None, None) if self.span else exchange.validators(response)
        await self.ended(
            Reading(
                listing=listing,
                outcome=READ,
                entries=entries,
                new=new,
                body_sha256=sha256(response.body).digest(),
                etag=etag,
                last_modified=last_modified,
            )
        )

    async def descend(self, source: Source, listing: DueListing, found: Sequence[SubSitemap]) -> list[Request]:
        """The sitemaps of an index that are due."""
        if not found:
            return []
        kind: Kind = "archive" if listing.kind == "archive" else "sitemap"
        named = [Found(url=one.url, kind=kind, parent=listing.url, modified_at=one.modified_at) for one in found]
        await self.store.announce(source.id, named)
        self.asked.update((source.id, one.url) for one in found if not self.span.may_hold(one.modified_at))
        return await self.due(source, (kind,))

    # -- sections and home pages --------------------------------------------------------------------------------------

    async def read_section(self, response: Response, source: Source, listing: DueListing) -> AsyncIterator[Request]:
        if source.id not in self.shapes:
            await self.learn(source)
        shapes = self.shapes[source.id]
        read = await asyncio.to_thread(parse_listing, response.body, url=response.url, source=source, shapes=shapes)
        added = await self.add(source, read.candidates, covered=listing.covered_until)
        # All that the page names is noted before it counts as read: a run that is killed now leaves it to the next.
        if read.next_page and (added.uncovered or (self.span and self.span.reaches(read.candidates))):
            further = Found(url=read.next_page, kind="further", parent=listing.url, since=listing.covered_until)
            await self.store.announce(source.id, [further])
        if listing.kind == "homepage":
            await self.announce_all(source, response, read.feeds, read.sections)
        await self.was_read(response, listing, len(read.candidates), added.new)
        for request in await self.due(source, (*FIRST, "further") if listing.kind == "homepage" else ("further",)):
            yield request

    async def announce_all(
        self, source: Source, response: Response, feeds: Iterable[str], sections: Iterable[str]
    ) -> None:
        """What a home page and its robots.txt name; the usual places where they name nothing."""
        announced = [*await self.of_robots(response.url), *await self.of_robots(str(source.homepage))]
        announced += [Found(url=url, kind="feed", parent=response.url) for url in feeds]
        if not announced:
            places = [canonical_url(place, response.url) for place in USUAL_PLACES]
            announced = [Found(url=place, kind="feed", parent=USUAL) for place in places if place]
        announced += [Found(url=url, kind="section", parent=response.url) for url in sections]
        self.lists[source.id].update(url_key(one.url) for one in announced)
        await self.store.announce(source.id, announced)

    async def of_robots(self, url: str) -> list[Found]:
        """The sitemaps that the robots.txt of an address names, as far as it is known."""
        origin = origin_of(url)
        known = await self.store.known_robots(origin)
        robots = f"{origin}/robots.txt"
        named = sitemaps_from_robots(known.body, robots) if known else []
        return [Found(url=one, kind="sitemap", parent=robots) for one in named]

    # -- candidates ---------------------------------------------------------------------------------------------------

    async def add(self, source: Source, candidates: Sequence[Candidate], *, covered: datetime | None = None) -> Added:
        """Put them into the frontier. `covered`: see intake.add; only pages with links ask for it, and are told all."""
        stats = self.spider.crawler.stats
        wanted, lists = self.told_apart(source, self.span.within(candidates))
        if lists:
            number = await self.store.exclude(source.id, lists, "listing_url")
            tally.ended(stats, source.id, "outcome", "listing_url", number)
        fresh, later = self.sifted(wanted)
        heed = worth(self.spider.rates.get(source.id, {}), ANNOUNCED, salt=1)
        added = Added()
        if fresh:
            added = await self.store.add(source.id, fresh, heed=heed, since=self.since, covered=covered)
            tally.count(stats, source.id, "found", added.new + added.due + added.known)
            tally.count(stats, source.id, "known", added.known)
            tally.count(stats, "outcome", "forgotten", added.forgotten)
            # Nearly all that a feed or a news sitemap names are articles: that teaches what their addresses look like.
            named = {one.url for one in fresh if one.found_in == "feed" or (one.title and one.published_at)}
            await self.store.shaped([(source.id, shape_of(url), True) for url in added.urls if url in named])
        if later:
            again = await self.store.add(source.id, later, heed=heed, covered=covered)
            # It may have come before the other: then that one counted as known what this one had made.
            tally.count(stats, source.id, "known", -again.due - again.new)
            added = replace(added, uncovered=added.uncovered + again.uncovered)
        return added

    def told_apart(self, source: Source, candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Candidates, and those that are lists themselves or, in a sitemap, have an address that is no article's."""
        wanted: list[Candidate] = []
        sections: list[Candidate] = []
        shapes, lists = self.shapes.get(source.id, Shapes()), self.lists[source.id]
        for one in candidates:
            is_wanted = one.found_in != "sitemap" or may_be_article(one, source=source, shapes=shapes)
            is_wanted = is_wanted and url_key(one.url) not in lists
            (wanted if is_wanted else sections).append(one)
        return wanted, sections

    def sifted(self, candidates: Iterable[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that this run has not seen, and those that it has, but without so late a date of change.

        Feeds and sitemaps overlap, and only some of them tell that an article was changed. What a page links passes
        every time: whether earlier readings have passed it is asked for each.
        """
        fresh: list[Candidate] = []
        later: list[Candidate] = []
        for one in candidates:
            key, changed = hash(one.url), one.modified_at.timestamp() if one.modified_at else 0.0
            known = self.seen.get(key)
            if known is None or changed > known or one.found_in == "listing":
                (fresh if known is None else later).append(one)
                if known is not None or len(self.seen) < MAX_SEEN:
                    self.seen[key] = changed
        return fresh, later


def named_by(source: Source) -> Iterator[Found]:
    """What a seed names; its home page where it names nothing."""
    for kind, urls in (
        ("feed", source.feeds),
        ("sitemap", source.sitemaps),
        ("archive", source.archives),
        ("section", source.listings),
    ):
        for url in urls:
            yield Found(url=str(url), kind=cast(Kind, kind))
    if is_found_out(source):
        yield Found(url=str(source.homepage), kind="homepage")


def is_found_out(source: Source) -> bool:
    """Whether the seed names no place where articles are announced."""
    return not (source.feeds or source.sitemaps or source.listings)


def is_home(url: str, source: Source) -> bool:
    """Whether an address is the source's home page or its host's, to which some sites redirect what is gone."""
    home = url_key(str(source.homepage)) or ""
    return url_key(url) in (home, home.partition("/")[0] + "/")
