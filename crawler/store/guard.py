"""Connections that hold session locks: the run's own for as long as it lives, and the places it takes at hosts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from crawler.store import crawls

T = TypeVar("T")


class Guard:
    """Leases are taken here, on the connection that holds the lock: no run leases what a burial would not give back.

    When the connection is lost, so is the lock; the next transaction reconnects and takes it again first.
    """

    def __init__(self, connection: Connection, crawl_id: int) -> None:
        self.crawl_id = crawl_id
        self._connection = connection
        self._held = True
        self._alone = threading.Lock()

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` in a transaction. May be called from any thread."""
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
            if crawls.lock(self._connection, self.crawl_id):
                crawls.revive(self._connection, self.crawl_id)
                self._held = True


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
