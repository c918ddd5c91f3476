"""Connections that hold session locks: the run's own for as long as it lives, and the places it takes at hosts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import UTC
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from crawler.errors import SourceTaken, Superseded
from crawler.store import crawls

T = TypeVar("T")

# Of 64 bits: of 32, a hundred thousand sources would have some twins that are never crawled at the same time.
_KEY = "hashtextextended('the crawl of ' || CAST(:source AS text), 0)"
_FENCE = text(f"SELECT pg_try_advisory_lock({_KEY})")
_HOLDER = text(f"""
SELECT pid, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND CAST(classid AS bigint) << 32 | CAST(objid AS bigint) = {_KEY}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")  # noqa: S608 (a key of our own)
# Who holds a source's lock holds that of its run on the same connection.
_CRAWLED = text(f"""
SELECT c.id, c.host, c.pid, c.started_at FROM crawls AS c JOIN pg_locks AS own ON own.objid::bigint = c.id
JOIN pg_locks AS fence ON fence.pid = own.pid
WHERE own.locktype = 'advisory' AND own.granted AND own.objsubid = 2 AND CAST(own.classid AS bigint) = :crawl_lock
    AND own.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND fence.locktype = 'advisory' AND fence.granted AND fence.objsubid = 1 AND fence.database = own.database
    AND CAST(fence.classid AS bigint) << 32 | CAST(fence.objid AS bigint) = {_KEY}
""")  # noqa: S608 (a key of our own)
_SESSION = text("SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")


class Guard:
    """Leases are taken here, on the connection that holds the lock: no run leases what a burial would not give back.

    When the connection is lost, so is the lock; the next transaction reconnects and takes it again first. So with the
    lock of `source`, which a queued crawl holds: if another crawl has that by then, this one is over.
    """

    def __init__(self, connection: Connection, crawl_id: int, source: str | None = None) -> None:
        self.crawl_id, self.source = crawl_id, source
        self._connection = connection
        self._own: set[tuple[Any, ...]] = set()  # sessions: a pid alone may be another's by now
        self._held = True
        if source is not None:
            with connection.begin():
                self._own.add(_session(connection))
        self._alone = threading.Lock()

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction. May be called from any thread.

        Raises Superseded, and OperationalError, which will pass, while it cannot have its lock back.
        """
        with self._alone:
            self._hold()
            with self._connection.begin():
                return work(self._connection)

    def hold(self) -> None:
        """Make sure of the lock: a round trip. The connection is never left inside a transaction."""
        self.transaction(lambda connection: connection.exec_driver_sql("SELECT 1"))

    def close(self) -> None:
        """Close the connection for good: back in the pool, it would still hold the lock."""
        with self._alone, contextlib.suppress(SQLAlchemyError):
            self._connection.invalidate()
            self._connection.close()

    def _hold(self) -> None:
        if self._held and not self._connection.invalidated:
            return
        self._held = False
        with self._connection.begin():
            fenced = self.source is None or self._fenced(self.source)
            if not fenced or not crawls.lock(self._connection, self.crawl_id):
                raise OperationalError("", None, psycopg.OperationalError("this run's old session has not ended yet"))
            crawls.revive(self._connection, self.crawl_id)
        self._held = True

    def _fenced(self, source: str) -> bool:
        """Whether the source's lock is had again. Not yet, while the server has not seen our old session end."""
        self._own.add(_session(self._connection))
        if take(self._connection, source):
            return True
        holder = self._connection.execute(_HOLDER, {"source": source}).one_or_none()
        if holder is not None and tuple(holder) not in self._own:
            raise Superseded
        return False


def take(connection: Connection, source: str) -> bool:
    """Hold the source's lock for as long as the connection lives; False when another crawl of it does."""
    return bool(connection.execute(_FENCE, {"source": source}).scalar_one())


def fence(connection: Connection, source: str) -> None:
    """As `take`. Raises SourceTaken."""
    if not take(connection, source):
        raise taken(connection, source) or SourceTaken


def taken(connection: Connection, source: str) -> SourceTaken | None:
    """Who crawls that source alone at this moment; None: nobody."""
    row = connection.execute(_CRAWLED, {"source": source, "crawl_lock": crawls.CRAWL_LOCK}).first()
    if row is None:
        return None
    since = row.started_at.astimezone(UTC)
    who = f"process {row.pid} on {row.host} (crawl {row.id}, since {since:%Y-%m-%d %H:%M:%S} UTC)"
    return SourceTaken(f"{source} is being crawled by {who}; `scrapy enqueue crawl {source}` crawls it after that")


def _session(connection: Connection) -> tuple[Any, ...]:
    """The server's process, and since when."""
    return tuple(connection.execute(_SESSION).one())


class Pacer:
    """Where places at hosts are taken (hosts.py): a lost connection gives them back, and a new one takes them anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._alone = threading.Lock()

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction. May be called from any thread."""
        with self._alone:
            if self._connection is None or self._connection.invalidated:
                self._connection = self._engine.connect()
            with self._connection.begin():
                return work(self._connection)

    def close(self) -> None:
        """Close the connection for good: back in the pool, it would still hold places."""
        with self._alone, contextlib.suppress(SQLAlchemyError):
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
