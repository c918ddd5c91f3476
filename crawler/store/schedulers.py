"""Of all schedulers that run, one leads: the one whose session holds an advisory lock. Its ticks leave a trace.

What the leader decides by the clock, it does on the very connection that holds the lock (`transaction`): without the
lock there is no connection to do it on. The server ends that session when its host does not answer any more (about
30 s), or when the process was frozen (IDLE); then the next in line has the lock.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import SQLAlchemyError

from crawler import __version__
from crawler.store.engine import Database, keep_schema

SCHEDULER_LOCK = 7_305_122  # the key of pg_try_advisory_lock
IDLE = 60.0  # seconds without a statement, after which the server takes a leader for frozen
KEPT = "30 days"  # rows of those that led earlier
T = TypeVar("T")

_SESSION = (
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; "
    "SET tcp_user_timeout = 30000; SET idle_session_timeout = {idle}; SET idle_in_transaction_session_timeout = {idle}"
)
_IS_LED = text("""
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0
    AND CAST(objid AS bigint) = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")
_LOCK = text("SELECT pg_try_advisory_lock(:key)")
_LEADER = text("SELECT host, pid FROM schedulers WHERE ended_at IS NULL ORDER BY id DESC LIMIT 1")
_ENDED = text("UPDATE schedulers SET ended_at = now() WHERE ended_at IS NULL")
_FORGET = text("DELETE FROM schedulers WHERE ended_at < now() - CAST(:kept AS interval)")
# Until it has ticked itself, what counts is when another last did.
_BEGIN = text("""
INSERT INTO schedulers (host, pid, version, ticked_at)
SELECT :host, :pid, :version, coalesce(max(ticked_at), now()) FROM schedulers RETURNING id
""")
_TICK = text("""
UPDATE schedulers SET ticked_at = now(), queued = queued + :queued, trouble = :trouble WHERE id = :id
""").bindparams(bindparam("trouble", type_=JSONB))
_TROUBLE = text("UPDATE schedulers SET trouble = :trouble WHERE id = :id").bindparams(bindparam("trouble", type_=JSONB))
_END = text("UPDATE schedulers SET ended_at = now() WHERE id = :id")


def leading(connection: Connection) -> bool:
    """Whether a scheduler leads, on whatever machine."""
    return bool(connection.execute(_IS_LED, {"key": SCHEDULER_LOCK}).scalar_one())


class Leadership:
    """This process's place among the schedulers. Its methods may be called from any thread, one at a time."""

    def __init__(self, database: Database, idle: float = IDLE) -> None:
        self._database, self._idle = database, idle
        self._connection: Connection | None = None
        self._id: int | None = None  # of its row while it leads
        self._alone = threading.Lock()
        self.leader = ""  # who leads, as far as this one knows that stands by

    def take(self) -> bool:
        """Whether it leads now. Raises SQLAlchemyError when the database is away, and NewerSchema for one that is newer
        than this program."""
        with self._alone:
            try:
                return self._take()
            except BaseException:
                self._drop()
                raise

    @property
    def leads(self) -> bool:
        """As far as it knows."""
        return self._id is not None

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Do `work` as the leader; no migration comes between. Raises SQLAlchemyError (then it leads no more, unless
        `take` says so) and NewerSchema."""
        with self._alone:
            assert self._connection is not None and self._id is not None
            try:
                with self._connection.begin():
                    keep_schema(self._connection)
                    return work(self._connection)
            except BaseException:
                if self._connection.invalidated:
                    self._drop()
                raise

    def note(self, connection: Connection, queued: int, trouble: Mapping[str, str]) -> None:
        """That it has ticked. A row that somebody has deleted is made anew."""
        given = {"queued": queued, "trouble": dict(trouble)}
        if not connection.execute(_TICK, {**given, "id": self._id}).rowcount:
            self._id = self._begin(connection)
            connection.execute(_TICK, {**given, "id": self._id})

    def tell(self, trouble: Mapping[str, str]) -> None:
        """That it has not, and why. Raises SQLAlchemyError."""
        if self.leads:
            self.transaction(lambda one: one.execute(_TROUBLE, {"id": self._id, "trouble": dict(trouble)}))

    def give_up(self, seconds: float) -> None:
        """Stop leading; the next in line has it at once. Not waited for longer than that: the end of a process does it
        too."""
        if not self._alone.acquire(timeout=seconds):
            return
        try:
            if self._connection is not None and self._id is not None:
                with contextlib.suppress(SQLAlchemyError), self._connection.begin():
                    self._connection.execute(_END, {"id": self._id})
            self._drop()
        finally:
            self._alone.release()

    def _take(self) -> bool:
        if self._connection is None or self._connection.invalidated:
            self._drop()
            self._connection = self._database.engine.connect()
            with self._connection.begin():
                self._connection.exec_driver_sql(_SESSION.format(idle=round(self._idle * 1000)))
        with self._connection.begin():
            keep_schema(self._connection)  # a round trip, too: whether the session is there, and the lock with it
            if self._id is None and self._connection.execute(_LOCK, {"key": SCHEDULER_LOCK}).scalar_one():
                self._id = self._begin(self._connection)
            leader = self._connection.execute(_LEADER).one_or_none() if self._id is None else None
            self.leader = f"process {leader.pid} on {leader.host}" if leader else ""
        return self._id is not None

    def _begin(self, connection: Connection) -> int:
        connection.execute(_ENDED)
        connection.execute(_FORGET, {"kept": KEPT})
        given = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
        return int(connection.execute(_BEGIN, given).scalar_one())

    def _drop(self) -> None:
        """Close the connection for good: back in the pool, it would still hold the lock."""
        self._id = None
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.invalidate()
                self._connection.close()
            self._connection = None
