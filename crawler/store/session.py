"""One crawl's hold on the database: its row and lock, its leases, its writer. The only door that Scrapy's side uses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import DatabaseUnreachable, StoreError, Superseded
from crawler.items import Candidate, StoredRobots
from crawler.recheck import Rates
from crawler.recurrence import Template
from crawler.sources import Source
from crawler.store import (
    archives,
    cleaning,
    crawls,
    dictionaries,
    disabling,
    duplicates,
    facts,
    frontier,
    hosts,
    identity,
    intake,
    learning,
    listings,
    models,
    partitions,
    queue,
    templates,
    tombstones,
)
from crawler.store.engine import Database, keep_schema
from crawler.store.frontier import Due
from crawler.store.guard import Guard, Pacer, fence
from crawler.store.hosts import Pass
from crawler.store.identity import Hop
from crawler.store.intake import Added
from crawler.store.listings import DueListing, Found, Kind, Reading
from crawler.store.patience import Patience
from crawler.store.writer import Entry, Stored, Writer
from crawler.urls import url_key
from crawler.warc import Identity

logger = logging.getLogger(__name__)
MOST_PROCESSING = 16  # pages; the extraction workers are busy with fewer
CLEANING_TIME = 60.0  # seconds at a run's end
TRAINING_TIME = 30.0  # so, for dictionaries of pages; one takes well below a second
COMPARING_TIME = 60.0  # the same, for articles whose likes have not been looked for
WORKERS = 3  # threads, and so connections, for the frontier; the guard and the writer have one each
T = TypeVar("T")


class CrawlStore:
    """Open it once per run. Its coroutines do their work in threads; the reactor never waits for the database.

    `patience`: seconds to wait for a database that is away, or that of all runs on it. `keep_months`: see
    PAGES_KEEP_MONTHS. `lost_grace`: see LOST_GRACE. `in_flight`: leased URLs by id with their source, until their entry
    is committed.
    """

    def __init__(
        self,
        database: Database,
        patience: float | Patience,
        keep_months: int = 0,
        lost_grace: float = queue.LOST_GRACE,
    ) -> None:
        self.database = database
        self._shared = isinstance(patience, Patience)
        self.patience = patience if isinstance(patience, Patience) else Patience(patience)
        self.keep_months, self.lost_grace = keep_months, lost_grace
        self.crawl_id = 0
        self.sources: list[str] = []
        self.in_flight: dict[int, str] = {}
        self.processing: set[int] = set()  # ids of pages that have come and are not committed yet
        self.disabled: dict[str, str] = {}  # of the sources that were to be crawled, why a person has disabled them
        self.learned: dict[str, int] = {}  # by source, at the end: blocks that became part of its template in this run
        self.barred: dict[str, str] = {}  # those that were so when the run began: it does without them
        self.changed = asyncio.Event()
        self.failure: DatabaseUnreachable | None = None  # set when the database did not come back
        self._guard: Guard | None = None
        self._pacer: Pacer | None = None
        self._writer: Writer | None = None
        self._closing = threading.Event()
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="store")

    def open(
        self,
        spider: str,
        sources: Sequence[Source],
        arguments: dict[str, Any],
        *,
        alone: str | None = None,
        saved: bool = False,
    ) -> list[int]:
        """Begin the run; returns the ids of earlier runs that had died and were buried.

        `alone`: the source of a crawl of one, of which there is one at a time; `saved`: see crawls.begin. Raises
        SourceTaken.
        """
        if not self._shared:
            self.patience = Patience(self.patience.seconds, self.database.place, self.database.mend)
            self.database.heed = self.patience.heed
        connection = self.database.engine.connect()
        try:
            with connection.begin():
                keep_schema(connection)
                if alone is not None:
                    fence(connection, alone)
                buried = crawls.bury_dead(connection, self.lost_grace, taken=alone)
            with connection.begin():  # another one: a burial and a beginning each lock sources in their order
                keep_schema(connection)
                self.disabled = self.barred = disabling.barred(connection, sources)
                enabled = [source for source in sources if source.id not in self.disabled]
                self.sources = [source.id for source in enabled]
                self.crawl_id = crawls.begin(connection, spider, enabled, arguments, saved=saved)
            self._guard = Guard(connection, self.crawl_id, alone)
        except BaseException:
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()  # it may hold locks
            connection.close()
            raise
        self._pacer = Pacer(self.database.engine)
        self._writer = Writer(self.database.engine, self.crawl_id, self.patience, self._guard.hold, self.keep_months)
        return buried

    # -- frontier -----------------------------------------------------------------------------------------------------

    async def add(
        self,
        source: str,
        candidates: Sequence[Candidate],
        *,
        heed: bool = True,
        since: datetime | None = None,
        covered: datetime | None = None,
    ) -> Added:
        """See intake.add."""
        added = await self._work(
            lambda connection: intake.add(connection, source, candidates, heed=heed, since=since, covered=covered)
        )
        self.changed.set()
        return added

    async def exclude(self, source: str, candidates: Sequence[Candidate], outcome: str) -> int:
        """See intake.exclude."""
        return await self._work(lambda connection: intake.exclude(connection, source, candidates, outcome))

    async def take(self, wanted: Mapping[str, int], most: int) -> list[Due]:
        """Lease due URLs: up to so many of each source, `most` in all."""
        if not wanted or most <= 0:
            return []
        due = await self._lease(lambda connection: frontier.take(connection, self.crawl_id, wanted, most))
        self.in_flight |= {one.url_id: one.candidate.source for one in due}
        return due

    async def lease(self, source: Source, candidate: Candidate) -> Due | None:
        """Lease one URL that was asked for by hand."""

        def work(connection: Connection) -> Due | None:
            crawls.save_sources(connection, [source])
            return frontier.lease_one(connection, self.crawl_id, candidate)

        due = await self._lease(work)
        if due:
            self.in_flight[due.url_id] = due.candidate.source
        return due

    async def look_for_disabled(self) -> dict[str, str]:
        """Which sources of this run are disabled by now; what is leased of those that were not before is given back."""

        def work(connection: Connection) -> dict[str, str]:
            found = disabling.disabled(connection, self.sources)
            if fresh := found.keys() - self.disabled.keys():
                crawls.give_back(connection, [self.crawl_id], models.Url.source.in_(fresh))
            return self.barred | found

        self.disabled = await self._work(work)
        return self.disabled

    async def give_back(self, url_id: int) -> None:
        """A page that was leased and is not asked for."""
        await self._work(lambda connection: crawls.give_back(connection, [self.crawl_id], models.Url.id == url_id))

    async def redirected(self, due: Due, target: str, *, permanent: bool, is_own: bool) -> Hop:
        """See identity.redirected. A page that was merged into another, or forgotten, is no longer in flight."""
        hop = await self._work(
            lambda connection: identity.redirected(connection, due, target, permanent=permanent, is_own=is_own)
        )
        if hop in ("merged", "forgotten"):
            self.in_flight.pop(due.url_id, None)
            self.changed.set()
        return hop

    async def forgotten(self, pages: Mapping[str, str]) -> set[str]:
        """Those of these addresses (with their source) that are not to come back."""
        keys = {url: url_key(url) or url for url in pages}
        given = {keys[url]: source for url, source in pages.items()}
        found = await self._work(lambda connection: tombstones.forgotten(connection, given))
        return {url for url, key in keys.items() if key in found}

    # -- archives -----------------------------------------------------------------------------------------------------

    async def claim(self, file: Identity, selection: str, *, again: bool) -> archives.Claim:
        """Lease a WARC file for this run."""
        return await self._lease(
            lambda connection: archives.claim(connection, self.crawl_id, file, selection, again=again)
        )

    async def mark(self, mark: archives.Mark) -> bool:
        """Note how far a file is done; False when another run has it now."""
        return await self._work(lambda connection: archives.mark(connection, self.crawl_id, mark))

    async def meet(self, sources: Sequence[Source]) -> None:
        """Sources that were not known when the run began: their rows are made, and at the end they are cleaned."""
        if sources:
            await self._work(lambda connection: crawls.save_sources(connection, sources))
            self.sources += [source.id for source in sources]

    # -- both ---------------------------------------------------------------------------------------------------------

    async def template(self, source: str) -> Template:
        """What the source's articles have taught so far."""
        return await self._work(lambda connection: templates.learned(connection, source))

    async def rates(self, source: str) -> Rates:
        """How often looks at its stored articles have found edits."""
        return await self._work(lambda connection: learning.rates(connection, source))

    async def shapes(self, source: str) -> Mapping[str, tuple[int, int]]:
        """What its addresses look like: shape -> articles and others."""
        return await self._work(lambda connection: learning.shapes(connection, source))

    async def shaped(self, pages: Sequence[learning.Shaped]) -> None:
        """Count addresses that a feed has named."""
        await self._work(lambda connection: learning.shaped(connection, pages))

    # -- listings -----------------------------------------------------------------------------------------------------

    async def seeded(self, source: str, found: Sequence[Found]) -> list[str]:
        """See listings.seeded; returns the addresses of all that are known."""

        def work(connection: Connection) -> list[str]:
            listings.seeded(connection, source, found)
            return listings.addresses(connection, source)

        return await self._work(work)

    async def announce(self, source: str, found: Sequence[Found]) -> None:
        """See listings.announce."""
        await self._work(lambda connection: listings.announce(connection, source, found))

    async def due_listings(self, source: str, kinds: Sequence[Kind], *, every: bool = False) -> list[DueListing]:
        """See listings.due."""
        return await self._work(
            lambda connection: listings.due(connection, source, kinds, every=every, crawl_id=self.crawl_id)
        )

    async def resting(self, source: str) -> dict[str, int]:
        """See listings.resting."""
        return await self._work(lambda connection: listings.resting(connection, source))

    async def was_read(self, reading: Reading) -> None:
        """See listings.finish."""
        await self._work(lambda connection: listings.finish(connection, reading))

    # -- hosts --------------------------------------------------------------------------------------------------------

    async def enter(self, host: str, places: Sequence[int], delay: float) -> Pass:
        """See hosts.enter."""
        return await self._pace(lambda connection: hosts.enter(connection, host, places, delay))

    async def leave(self, host: str, place: int, delay: float) -> None:
        """See hosts.leave."""
        await self._pace(lambda connection: hosts.leave(connection, host, place, delay))

    async def hold(self, host: str, seconds: float) -> None:
        """See hosts.hold."""
        await self._work(lambda connection: hosts.hold(connection, host, seconds))

    async def held(self, host: str) -> bool:
        """Whether a host has asked for a pause that is not over."""
        return await self._work(lambda connection: hosts.is_held(connection, host))

    async def known_robots(self, origin: str) -> StoredRobots | None:
        """See hosts.known_robots."""
        return await self._work(lambda connection: hosts.known_robots(connection, origin))

    async def learned_robots(self, origin: str, robots: StoredRobots) -> None:
        """See hosts.learned_robots."""
        await self._work(lambda connection: hosts.learned_robots(connection, origin, robots))

    async def _pace(self, work: Callable[[Connection], T]) -> T:
        pacer = self._pacer
        assert pacer is not None
        return await self._in_thread(lambda: pacer.transaction(work))

    async def _work(self, work: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            with self.database.engine.begin() as connection:
                return work(connection)

        return await self._in_thread(transaction)

    async def _lease(self, work: Callable[[Connection], T]) -> T:
        guard = self._guard
        assert guard is not None
        return await self._in_thread(lambda: guard.transaction(work))

    async def _in_thread(self, action: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._workers, self.patience.wait_for, action, self._closing)
        except DatabaseUnreachable as error:
            self._fail(error)
            raise

    # -- results ------------------------------------------------------------------------------------------------------

    async def store(self, entry: Entry) -> Stored:
        """Returns once the entry is committed. Raises DatabaseUnreachable; its URL is then fetched by a later run."""
        assert self._writer is not None
        future: Future[Stored] = self._writer.submit(entry)
        try:
            return await asyncio.wrap_future(future)
        except DatabaseUnreachable as error:
            self._fail(error)
            raise
        finally:
            self.in_flight.pop(entry.visit.url_id, None)
            self.processing.discard(entry.visit.url_id)
            self.changed.set()

    @property
    def is_behind(self) -> bool:
        """Whether so many pages wait to be extracted and stored that no more should come: a kill would lose them."""
        return len(self.processing) >= MOST_PROCESSING

    def _fail(self, error: DatabaseUnreachable) -> None:
        """It did not come back, or is another crawl's: nobody else waits as long again."""
        self.failure = self.failure or error
        self._closing.set()
        if not isinstance(error, Superseded):
            self.patience.give_up()

    async def account(self, stats: dict[str, Any]) -> None:
        """See facts.account: while the run goes on."""
        await self._work(lambda connection: facts.account(connection, self.crawl_id, stats))

    async def wait(self, seconds: float) -> None:
        """Until something was stored or added, at most so long."""
        self.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.changed.wait(), seconds)

    def close(self, outcome: str, reason: str, stats: dict[str, Any]) -> None:
        """Write what waits, close the run's row, give back what it had leased.

        A thread cannot be cancelled: leases that one is still taking must be there before they are given back.
        """
        self._closing.set()
        self._workers.shutdown(cancel_futures=True)
        if self._writer:
            self._writer.close()
        if outcome == "finished" and self.failure is None:
            self._apply_templates()
            self._keep_pages()
            self._compare()
        if self._pacer is not None:
            self._pacer.close()
        if self._guard is not None:
            self._end(self._guard, outcome, reason, stats)
            self._guard.close()
            self._guard = None

    def _end(self, guard: Guard, outcome: str, reason: str, stats: dict[str, Any]) -> None:
        """A database that is away is waited for; what is not closed by then is closed by the next run."""
        if self.patience.given_up:  # there is one try: not for finding out that only the connection was lost
            with contextlib.suppress(SQLAlchemyError, StoreError):
                guard.hold()
        with contextlib.suppress(SQLAlchemyError, StoreError):
            self.patience.wait_for(
                lambda: guard.transaction(lambda given: crawls.end(given, self.crawl_id, outcome, reason, stats))
            )

    def _apply_templates(self) -> None:
        """What the run's sources have taught cleans what was stored before; what is not done now is done next time."""
        end = time.monotonic() + CLEANING_TIME
        for source in self.sources:
            try:
                changed = cleaning.clean(self.database.engine, source, seconds=end - time.monotonic())
                with self.database.engine.begin() as connection:
                    self.learned[source] = templates.learned_since(connection, source, self.crawl_id)
                    templates.prune(connection, source)
            except SQLAlchemyError as error:
                logger.warning("%s: its template was not applied: %s", source, str(error).splitlines()[0])
                return
            if self.learned[source]:
                told = "%s: %d new blocks of its template are dropped from now on: scrapy template %s"
                logger.info(told, source, self.learned[source], source)
            if changed:
                logger.info("%s: its template cleaned %d stored articles", source, changed)

    def _keep_pages(self) -> None:
        """Better dictionaries for what comes, and months that are not kept any more."""
        engine = self.database.engine
        kept_from = partitions.kept_from(self.keep_months, datetime.now(UTC))
        with _told("raw pages"):
            for source, trial in dictionaries.review_all(engine, self.sources, TRAINING_TIME):
                if trial.dictionary:
                    share = trial.after / trial.before
                    logger.info("%s: a dictionary packs its raw pages into %.2f of what they took", source, share)
        with _told("raw pages"):
            for one in partitions.prune(engine, kept_from) if kept_from else ():
                logger.log(logging.WARNING if one.outcome == "blocked" else logging.INFO, "raw pages: %s", one.words)

    def _compare(self) -> None:
        """What was stored before there were clusters, or has lost its original; what is not done now waits on."""
        try:
            done = duplicates.catch_up(self.database.engine, seconds=COMPARING_TIME)
        except SQLAlchemyError as error:
            logger.warning("stored articles were not compared: %s", str(error).splitlines()[0])
            return
        if done:
            logger.info("%d stored articles were compared with the others", done)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """What a run leaves undone is told, and done by the next."""
    try:
        yield
    except (StoreError, SQLAlchemyError) as error:
        logger.warning("%s: %s", what, str(error).splitlines()[0])
