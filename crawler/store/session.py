"""One crawl's hold on the database: its row and lock, its leases, its writer. The only door that Scrapy's side uses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import DatabaseUnreachable
from crawler.items import Candidate
from crawler.sources import Source
from crawler.store import crawls, frontier
from crawler.store.engine import Database
from crawler.store.frontier import Added, Due
from crawler.store.writer import Entry, Stored, Writer, patiently

T = TypeVar("T")


class CrawlStore:
    """Open it once per run. Its coroutines do their work in threads; the reactor never waits for the database.

    `patience`: seconds to wait for a database that is away. `in_flight`: leased URLs by id with their source, until their
    entry is committed.
    """

    def __init__(self, database: Database, patience: float) -> None:
        self.database = database
        self.patience = patience
        self.crawl_id = 0
        self.in_flight: dict[int, str] = {}
        self.changed = asyncio.Event()
        self.failure: str | None = None  # set when the database did not come back
        self._guard: Connection | None = None
        self._writer: Writer | None = None

    def open(self, spider: str, sources: Sequence[Source], arguments: dict[str, Any]) -> list[int]:
        """Begin the run; returns the ids of earlier runs that had died and were buried."""
        guard = self.database.engine.connect()
        with guard.begin():
            buried = crawls.bury_dead(guard)
            self.crawl_id = crawls.begin(guard, spider, sources, arguments)
        self._guard = guard
        self._writer = Writer(self.database.engine, self.crawl_id, self.patience, self._lock_again)
        return buried

    def _lock_again(self) -> None:
        """The lock went with the connection that held it. Called by the writer's thread while it waits."""
        with contextlib.suppress(SQLAlchemyError):
            if self._guard is not None:
                self._guard.invalidate()
                self._guard.close()
            self._guard = self.database.engine.connect()
            with self._guard.begin():
                crawls.lock(self._guard, self.crawl_id)

    # -- frontier -----------------------------------------------------------------------------------------------------

    async def add(self, source: str, candidates: Sequence[Candidate], recheck_after: float) -> Added:
        added = await self._work(lambda connection: frontier.add(connection, source, candidates, recheck_after))
        self.changed.set()
        return added

    async def take(self, wanted: Mapping[str, int]) -> list[Due]:
        """Lease due URLs: up to so many of each source."""
        due = await self._work(lambda connection: frontier.take(connection, self.crawl_id, wanted)) if wanted else []
        self.in_flight |= {one.url_id: one.candidate.source for one in due}
        return due

    async def lease(self, source: Source, candidate: Candidate) -> Due | None:
        """Lease one URL that was asked for by hand."""

        def work(connection: Connection) -> Due | None:
            crawls.save_sources(connection, [source])
            return frontier.lease_one(connection, self.crawl_id, candidate)

        due = await self._work(work)
        if due:
            self.in_flight[due.url_id] = due.candidate.source
        return due

    async def _work(self, work: Callable[[Connection], T]) -> T:
        def transaction() -> T:
            with self.database.engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(patiently, transaction, self.patience)

    # -- results ------------------------------------------------------------------------------------------------------

    async def store(self, entry: Entry) -> Stored:
        """Returns once the entry is committed. Raises DatabaseUnreachable; its URL is then fetched by a later run."""
        assert self._writer is not None
        future: Future[Stored] = self._writer.submit(entry)
        try:
            return await asyncio.wrap_future(future)
        except DatabaseUnreachable as error:
            self.failure = str(error)
            self._writer.give_up()
            raise
        finally:
            self.in_flight.pop(entry.visit.url_id, None)
            self.changed.set()

    async def wait(self, seconds: float) -> None:
        """Until something was stored or added, at most so long."""
        self.changed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.changed.wait(), seconds)

    def close(self, outcome: str, reason: str, stats: dict[str, Any]) -> None:
        """Write what waits, close the run's row, give back what it had leased."""
        if self._writer:
            self._writer.close()
        with contextlib.suppress(SQLAlchemyError, DatabaseUnreachable):
            with self.database.engine.begin() as connection:
                crawls.end(connection, self.crawl_id, outcome, reason, stats)
        if self._guard is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._guard.close()
            self._guard = None
