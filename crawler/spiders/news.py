"""Sources in, pages out: what they announce to the frontier, due pages from the frontier to the pipelines."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, Self, cast

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler import tally
from crawler.discovery.selection import Span
from crawler.errors import DatabaseUnreachable, SeedError
from crawler.items import Page, Record
from crawler.recheck import STEPS, Rates, next_look
from crawler.sources import Source
from crawler.spiders import exchange, fetches
from crawler.spiders.discovery import Discovery, is_home
from crawler.spiders.fetches import Lost
from crawler.spiders.selection import chosen_sources, is_yes, span_of
from crawler.store.frontier import Due, Visit
from crawler.store.session import CrawlStore
from crawler.store.writer import Entry
from crawler.urls import same_site

IDLE_WAIT = 1.0  # seconds
MAX_HOPS = 5  # redirects in a row
PRIORITY_OF_HOPS = 5  # what has begun is finished first
NO_END = frozenset(("crawl_closing", "source_disabled"))  # the page keeps what it had: its lease is given back
SUSPECT = frozenset(("forbidden", "rate_limited", "server_error"))  # ends behind which a bot wall may stand


class NewsSpider(Spider):
    """`scrapy crawl news` crawls every enabled source, `-a sources=a,b` some, `scrapy crawl <source>` one.

    `-a archives=1` also walks the sitemaps that list a source's whole archive, `-a since=... -a until=...` all that may
    list what was published then, `-a recheck=1` looks at every announced article again.
    """

    name = "news"
    store: CrawlStore | None = None  # given by extensions.crawl_log when the spider opens
    given: Source | None = None  # what a queued crawl crawls, instead of what `name` and arguments choose
    ending: str | None = None  # why it is stopped, by whoever stops it
    job: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        chosen: Sequence[Source] = (),
        archives: str = "",
        recheck: str = "",
        span: Span | None = None,
        steps: Sequence[float] = STEPS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chosen = {source.id: source for source in chosen}
        self.steps = steps  # ages at which articles are looked at again
        self.rates: dict[str, Rates] = {}  # of edits, by source
        self.arguments = {**kwargs, **self.job}
        self.broken: Sequence[SeedError] = ()
        self._breaking: set[asyncio.Task[None]] = set()  # faults that are being written down
        asked = {"archives": is_yes("archives", archives), "again": is_yes("recheck", recheck)}
        self.discovery = Discovery(self, span or Span(), **asked)

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        chosen: list[Source] = [cls.given] if cls.given else []
        broken: list[SeedError] = []
        if cls.given is None:
            chosen, broken = chosen_sources(Path(crawler.settings["SEEDS_DIR"]), cls.name, kwargs.get("sources"))
        span = span_of(kwargs.get("since"), kwargs.get("until"))
        steps = [float(step) for step in crawler.settings.getlist("RECHECK_STEPS")]
        spider = super().from_crawler(crawler, *args, chosen=chosen, span=span, steps=steps, **kwargs)
        spider.broken = broken
        return cls.connected(crawler, spider)

    @classmethod
    def connected(cls, crawler: Crawler, spider: Self) -> Self:
        """The spider, told of its own faults."""
        crawler.signals.connect(spider.item_broke, signals.item_error)
        crawler.signals.connect(spider.answer_broke, signals.spider_error)
        return spider

    @property
    def alone(self) -> str | None:
        """The source of a crawl of one, of which one runs at a time, whether it was queued or not."""
        return next(iter(self.chosen)) if len(self.chosen) == 1 else None

    # -- the run ------------------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        """First what announces articles, then articles as they become due; ends when neither is left.

        Pages are leased a few at a time, so that memory does not grow with the frontier.
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
            self.store.failure = self.store.failure or error
        if self.store.failure is not None:
            self.logger.error("%s", self.store.failure)
            await self.crawler.engine.close_spider_async(reason=self.store.failure.reason)
        elif self.is_switched_off:
            await self.crawler.engine.close_spider_async(reason="source_disabled")

    @property
    def is_switched_off(self) -> bool:
        """Whether a person has disabled every source of this crawl."""
        return self.store is not None and self.chosen.keys() <= self.store.disabled.keys()

    async def requests(self, store: CrawlStore) -> AsyncIterator[Request]:
        """Raises DatabaseUnreachable when the database does not come back."""
        async for request in self.first_requests():
            yield request
        while store.failure is None:
            if self.is_switched_off and not store.in_flight:
                return
            # Looked at before the lease: what is announced while that goes on is not in its answer.
            quiet = not self.discovery.is_busy and not store.in_flight
            due = await store.take(*self.room())
            for one in due:
                yield self.article_request(one)
            if not due:
                if quiet:
                    return
                await store.wait(IDLE_WAIT)

    async def first_requests(self) -> AsyncIterator[Request]:
        assert self.store is not None
        for source in [one for name, one in self.chosen.items() if name not in self.store.disabled]:
            async for request in self.discovery.begin(source):
                yield request

    def room(self) -> tuple[dict[str, int], int]:
        """How many more pages may be leased, of each source and in all: every slot busy, refilled by halves."""
        assert self.store is not None
        settings = self.crawler.settings
        each = 4 * settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN")
        free = 8 * settings.getint("CONCURRENT_REQUESTS") - len(self.store.in_flight)
        in_flight = Counter(self.store.in_flight.values())
        open_ = self.chosen.keys() - self.store.disabled.keys()
        hungry = [source for source in self.chosen if source in open_ and 2 * in_flight[source] <= each]
        share = max(2, ceil(free / max(1, len(hungry))))
        return {source: min(each - in_flight[source], share) for source in hungry}, free

    # -- articles -----------------------------------------------------------------------------------------------------

    def article_request(self, due: Due, url: str | None = None) -> Request:
        """For a leased page, or for `url`, to which it redirects."""
        source = self.chosen[due.candidate.source]
        # What a seed allows, it allows for its own site.
        options = (
            exchange.options(source) if url is None or same_site(url, str(source.homepage)) else {"source": source.id}
        )
        return Request(
            url or due.candidate.url,
            callback=self.parse_article,
            errback=self.lost_article,
            cb_kwargs={"due": due},
            headers=fetches.conditional_headers(due.etag, due.last_modified),
            meta={
                "handle_httpstatus_list": fetches.UNFOLLOWED_STATUSES,
                "dont_redirect": True,  # the frontier is asked before each hop
                **options,
            },
            priority=PRIORITY_OF_HOPS if url else 0,
            dont_filter=True,
        )

    async def parse_article(self, response: Response, due: Due) -> AsyncIterator[Any]:
        tally.answered(self.crawler.stats, due.candidate.source, response.meta.get("download_latency"))
        if response.status in fetches.REDIRECTS:
            if request := await self.followed(response, due):
                yield request
            return
        lost = fetches.judged(response)
        if lost is not None and not (lost.outcome in SUSPECT and response.body):
            await self.visited(due, lost)
            return
        if lost is None:
            tally.count(self.crawler.stats, due.candidate.source, "fetched")
        if self.store is not None:
            self.store.processing.add(due.url_id)
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
                attempts=due.attempts,
                step=due.step,
                chain=due.chain,
                is_permanent=due.is_permanent,
                published_at=due.published_at,
            ),
            rejected=lost.outcome if lost else None,
            rejected_detail=lost.detail if lost else None,
        )

    async def followed(self, response: Response, due: Due) -> Request | None:
        """The request for where a page redirects to, unless that is known already or leads nowhere."""
        assert self.store is not None
        target = fetches.redirect_target(response)
        chain = (*due.chain, response.url)
        if isinstance(target, Lost):
            await self.visited(due, target)
        elif target in chain or len(chain) > MAX_HOPS:
            await self.visited(due, Lost("redirect_loop", f"{len(chain)} redirects, the last to {target}"))
        elif is_home(target, self.chosen[due.candidate.source]):
            await self.visited(due, Lost("soft_404", "it redirects to the home page"))
        else:
            permanent = due.is_permanent and response.status in fetches.PERMANENT
            is_own = same_site(target, due.candidate.url)
            hop = await self.store.redirected(due, target, permanent=permanent, is_own=is_own)
            if hop == "new":  # the target is a page of its own, and this one may be back; but not so without end
                hop = "follow" if due.candidate.found_in == "redirect" else "moved"
                if hop == "moved":
                    found = replace(due.candidate, url=target, found_in="redirect", guid=None)
                    await self.store.add(due.candidate.source, [found])
            if hop == "follow":
                return self.article_request(replace(due, chain=chain, is_permanent=permanent), target)
            if hop in ("duplicate", "moved"):
                await self.visited(due, Lost(hop, target))
            elif hop == "refused":
                await self.visited(due, Lost("forgotten", "it redirects to what was forgotten"))
            else:
                outcome = "forgotten" if hop == "forgotten" else "duplicate"
                tally.ended(self.crawler.stats, due.candidate.source, "outcome", outcome)
        return None

    async def broke(self, due: Due | None, failure: Failure) -> None:
        """A fault of ours on a page, which is logged: its lease must not keep the crawl from ending."""
        if due is not None and self.store is not None and self.store.failure is None:
            detail = f"{type(failure.value).__name__}: {failure.value}"
            await self.visited(due, Lost("internal_error", detail))

    async def item_broke(self, item: Any, failure: Failure) -> None:
        """As `broke`, of a page in the pipelines."""
        if isinstance(item, Record) and item.page.url_id in (self.store.in_flight if self.store else ()):
            page = item.page
            assert page.candidate and page.url_id is not None
            due = Due(url_id=page.url_id, candidate=page.candidate, attempts=page.attempts, step=page.step)
            await self.broke(due, failure)

    def answer_broke(self, failure: Failure, response: Response | Failure) -> None:
        """As `broke`, in a callback or errback. Scrapy awaits nobody who hears of that."""
        request: Request | None = getattr(response, "request", None)
        task = asyncio.ensure_future(self.broke(request.cb_kwargs.get("due") if request else None, failure))
        self._breaking.add(task)
        task.add_done_callback(self._breaking.discard)

    async def lost_article(self, failure: Failure) -> None:
        request = cast(Request, failure.request)  # type: ignore[attr-defined]
        await self.visited(request.cb_kwargs["due"], fetches.lost(failure))

    async def visited(self, due: Due, lost: Lost) -> None:
        """Record a fetch that gave no page."""
        assert self.store is not None
        source = due.candidate.source
        if lost.outcome in NO_END:
            if lost.outcome == "source_disabled":
                await self.store.give_back(due.url_id)
            self.store.in_flight.pop(due.url_id, None)
            self.store.changed.set()
            return
        tally.ended(self.crawler.stats, source, "outcome", lost.outcome)
        look = None
        if lost.outcome == "not_modified":
            tally.count(self.crawler.stats, source, "unchanged")
            rates, now = self.rates.get(source, {}), datetime.now(UTC)
            look = next_look(due.published_at, now, rates, salt=due.url_id, steps=self.steps)
        elif lost.outcome not in ("duplicate", "moved"):
            tally.count(self.crawler.stats, source, "failed")
            tally.count(self.crawler.stats, "failed", lost.outcome)
            self.logger.info("%s: %s (%s)", due.candidate.url, lost.outcome, lost.detail)
        visit = Visit(
            url_id=due.url_id,
            source=source,
            outcome=lost.outcome,
            detail=lost.detail,
            attempts=due.attempts,
            looked=due.step,
            look=look,
        )
        await self.store.store(Entry(visit=visit))
