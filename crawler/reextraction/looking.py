"""Slices of a run, looked at one after the other: each page read, extracted in a worker process and judged.

Every CHUNK pages are committed with how far the slice has come.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import DamagedPage, StoreError
from crawler.extraction.pool import ExtractionPool
from crawler.pipelines.again import Job, Reading, judged, readings
from crawler.recurrence import Template
from crawler.reextraction import queued
from crawler.reextraction.question import seeds_of, stored_seed
from crawler.sources import Source, adhoc_source
from crawler.store import queue, reading, reextractions, slices, subjects, templates
from crawler.store.articles import row_of
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.store.reextractions import Begun, Change
from crawler.store.slices import Extent, Part
from crawler.store.subjects import Subject

CHUNK = 100  # pages whose results are committed together
POLL = 0.5  # seconds between looks at what others do
T = TypeVar("T")


class Lost(StoreError):
    """Another process goes on with the slice."""


class Stopped(StoreError):
    """We were told to stop; what was found is stored."""


class Judged(NamedTuple):
    """What is kept of a reading until it is committed: all but its page, which may have megabytes."""

    subject: Subject
    counted: Counter[str]
    change: Change | None


class Holder:
    """The connection whose session locks say that we work on a run and on a slice; lost, it is made anew."""

    def __init__(self, database: Database, patience: Patience) -> None:
        self._patience, self._connection = patience, patience.wait_for(database.engine.connect)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        def action() -> T:
            with self._connection.begin():
                return work(self._connection)

        return self._patience.wait_for(action)

    def close(self) -> None:
        """For good: back in the pool, it would still hold its locks."""
        with suppress(SQLAlchemyError):
            self._connection.invalidate()
            self._connection.close()


class Looking:
    """What one process does for a run. `met` is told of pages looked at, and of changes found, as they come;
    `stopped` says whether it is to stop.
    """

    def __init__(
        self,
        database: Database,
        begun: Begun,
        holder: Holder,
        pool: ExtractionPool,
        patience: Patience,
        met: Callable[[int, int], None] = lambda _pages, _changes: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.database, self.begun, self.holder, self.pool = database, begun, holder, pool
        self.patience, self.met, self.stopped = patience, met, stopped
        self.seeds = seeds_of(begun)
        self.stored_seeds: dict[str, Source | None] = {}
        self.templates: dict[str, Template] = {}

    def all(self, told: Callable[[Extent], None]) -> None:
        """Look at every slice that is free until all are finished, by whomever. Raises StoreError."""
        while True:
            told(extent := self.transaction(lambda connection: slices.extent(connection, self.begun.id)))
            if not extent.slices:
                return
            if part := self.claimed(lambda connection: slices.claim(connection, self.begun.id)):
                with suppress(Lost):
                    self.look(part)
            else:
                time.sleep(POLL)

    def one(self, slice_id: int) -> bool:
        """Look at this slice. False: somebody else does. Raises StoreError."""
        part = self.claimed(lambda connection: slices.take(connection, slice_id))
        if part is None:
            return slice_id not in self.transaction(lambda given: slices.unfinished(given, self.begun.id))
        try:
            self.look(part)
        except Lost:
            return False
        return True

    def claimed(self, take: Callable[[Connection], Part | None]) -> Part | None:
        def action(connection: Connection) -> Part | None:
            reextractions.hold(connection, self.begun.id)  # again: the connection may be another than before
            return take(connection)

        return self.holder.transaction(action)

    def look(self, part: Part) -> None:
        """Raises Lost, StoreError."""
        try:
            asyncio.run(self.read(part))
            self.transaction(lambda connection: finish(connection, part))
        finally:
            self.holder.transaction(lambda connection: slices.leave(connection, part.id))

    async def read(self, part: Part) -> None:
        batch: list[Judged] = []
        reached = part.after
        async with aclosing(readings(self.pool, self.jobs(part), self.pool.workers)) as found:
            async for one in found:
                batch.append(self.judged(one))
                self.met(1, 0)
                if len(batch) >= CHUNK or self.stopped():
                    reached = self.note(part, reached, batch)
                    batch.clear()
                if self.stopped():
                    raise Stopped
        if batch:
            self.note(part, reached, batch)

    def jobs(self, part: Part) -> Iterator[Job]:
        """The pages in their order; each is read when its turn comes."""
        is_article = part.kind == "articles"
        choose = subjects.article_ids if is_article else subjects.url_ids
        find = subjects.of_articles if is_article else subjects.of_urls
        ids: array[int] = self.transaction(lambda given: choose(given, self.begun.asked, part.after, part.last))
        for at in range(0, len(ids), CHUNK):
            chosen = ids[at : at + CHUNK]
            for subject in self.transaction(lambda connection, c=chosen: find(connection, c)):  # type: ignore[misc]
                yield self.transaction(lambda connection, one=subject: self.job(connection, one))  # type: ignore[misc]

    def job(self, connection: Connection, subject: Subject) -> Job:
        try:
            page = reading.page(connection, subject.held) if subject.held else None
        except DamagedPage as error:
            return Job(subject=subject, damage=str(error))
        if page is None:
            return Job(subject=subject)
        source = self.source_of(connection, page.source, page.url)
        if page.source not in self.templates:
            self.templates[page.source] = templates.learned(connection, page.source)
        return Job(subject=subject, page=page, source=source, template=self.templates[page.source])

    def source_of(self, connection: Connection, name: str, url: str) -> Source:
        """The seed of the run; where it has none, as it was when it was last crawled."""
        if name in self.seeds:
            return self.seeds[name]
        if name not in self.stored_seeds:
            self.stored_seeds[name] = stored_seed(connection, name)
        return self.stored_seeds[name] or adhoc_source(url)

    def judged(self, one: Reading) -> Judged:
        counted, change = judged(self.known(one))
        return Judged(one.job.subject, counted, change)

    def known(self, one: Reading) -> Reading:
        """A page whose article is stored from another address, or whose address its seed denies, gives no new one."""
        if one.job.subject.old is not None or one.article is None or one.job.page is None:
            return one
        key, url, source = row_of(one.article)["key"], one.job.page.url, one.job.source
        if source is not None and not source.wants(url):
            return Reading(job=one.job, reason="not_wanted")
        is_stored = self.transaction(lambda connection: subjects.is_stored(connection, key))
        return Reading(job=one.job, reason="duplicate") if is_stored else one

    def note(self, part: Part, reached: int, batch: Sequence[Judged]) -> int:
        """Commit what was found; returns how far the slice has come. Raises Lost, and nothing is counted."""
        met: dict[str, Counter[str]] = {}
        for subject, counted, _ in batch:
            met[subject.source] = met.get(subject.source, Counter()) + counted
        changes, to = [change for *_, change in batch if change], batch[-1].subject.position

        def action(connection: Connection) -> None:
            if not slices.step(connection, part.id, reached, to, len(batch)):
                raise Lost
            reextractions.note(connection, part.run_id, changes, met)

        self.transaction(action)
        self.met(0, sum(change.outcome in reextractions.APPLICABLE for change in changes))
        return to

    def transaction(self, work: Callable[[Connection], T]) -> T:
        return self.patience.transaction(self.database.engine, work)


def finish(connection: Connection, part: Part) -> None:
    """The slice is through. Who finishes the last one finishes the run, and queues its applying if that is wanted."""
    run_id = slices.finish(connection, part.id)
    if run_id is not None and reextractions.finish(connection, run_id):
        queue.enqueue(connection, queued.applying(connection, run_id))
