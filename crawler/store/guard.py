"""Connections that hold session locks: the run's own for as long as it lives, and the places it takes at hosts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import SourceTaken, Superseded
from crawler.store import crawls

SOURCE_LOCK = 7_305_133  # the first key of pg_advisory_lock(int, int); the second is a hash of the source
T = TypeVar("T")

_FENCE = text("SELECT pg_try_advisory_lock(:key, hashtext(:source))")
_HOLDER = text("""
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND CAST(classid AS bigint) = :key AND CAST(CAST(objid AS bigint) AS bit(32)) = CAST(hashtext(:source) AS bit(32))
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


class Guard:
    """Leases are taken here, on the connection that holds the lock: no run leases what a burial would not give back.

    When the connection is lost, so is the lock; the next transaction reconnects and takes it again first. So with the
    lock of `source`, which a queued crawl holds: if another crawl has that by then, this one is over.
    """

    def __init__(self, connection: Connection, crawl_id: int, source: str | None = None) -> None:
        self.crawl_id, self.source = crawl_id, source
        self._connection = connection
        self._own = {_pid(connection)}  # sessions
        self._held = True
        self._alone = threading.Lock()

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction. May be called from any thread. Raises Superseded."""
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
            if crawls.lock(self._connection, self.crawl_id):
                crawls.revive(self._connection, self.crawl_id)
                self._held = fenced

    def _fenced(self, source: str) -> bool:
        """Whether the source's lock is had again. Not yet, while the server has not seen our old session end."""
        self._own.add(_pid(self._connection))
        if take(self._connection, source):
            return True
        holder = self._connection.execute(_HOLDER, {"key": SOURCE_LOCK, "source": source}).scalar()
        if holder is not None and holder not in self._own:
            raise Superseded
        return False


def take(connection: Connection, source: str) -> bool:
    """Hold the source's lock for as long as the connection lives; False when a queued crawl of it does."""
    return bool(connection.execute(_FENCE, {"key": SOURCE_LOCK, "source": source}).scalar_one())


def fence(connection: Connection, source: str) -> None:
    """As `take`. Raises SourceTaken."""
    if not take(connection, source):
        raise SourceTaken


def _pid(connection: Connection) -> int:
    """Of the server's process."""
    return int(connection.connection.driver_connection.info.backend_pid)  # type: ignore[union-attr]


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
