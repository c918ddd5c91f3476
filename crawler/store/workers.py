"""A row for each worker, and the lock that tells whether it is alive, as crawls.py does for runs.

A worker's session holds the advisory lock (WORKER_LOCK, id). A cut-off machine's session is ended by the server after
half a minute (connection.py): then its jobs are somebody else's, and it finds that out when it is back.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from crawler import __version__
from crawler.errors import StoreError

WORKER_LOCK = 7_305_130  # the first key of pg_advisory_lock(int, int)
JOIN_LOCK = 7_305_134  # of pg_advisory_xact_lock(bigint): workers that start together share out what there is
DRAIN_LOCK = 7_305_131  # of pg_advisory_lock(bigint): held by who wants all workers to end their crawls
WAITS = "waits for a migration"  # the note of a worker that has ended them
LOOK_EVERY = 0.3  # seconds
JOIN_TIME, JOIN_EVERY = 30.0, 2.0  # seconds: the processes of a worker that was killed hold connections for so long
SPARE = 10  # connections for schedulers, commands and readers

# The ids of the workers whose process lives, on whatever machine: in every query that asks for them.
LIVING = f"""
SELECT CAST(objid AS bigint) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS bigint) = {WORKER_LOCK}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 (a number of our own)

_REGISTER = text("""
WITH made AS (INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES RETURNING id)
INSERT INTO workers (id, host, pid, version, crawls, connections)
SELECT id, :host, :pid, :version, :crawls, :connections FROM made RETURNING id
""")
_LOCK = text("SELECT pg_try_advisory_lock(:key, CAST(:id AS int))")
# Of a worker that was given up and lives, too: it takes its row back, and has lost its jobs.
_SEEN = text("UPDATE workers SET seen_at = now(), lost_at = NULL, stopped_at = NULL, note = :note WHERE id = :id")
_STATE = text("""
SELECT (SELECT version_num FROM alembic_version) AS schema,
       EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0
           AND CAST(objid AS bigint) = :drain AND database = d.oid) AS draining,
       ARRAY(SELECT id FROM procrastinate.procrastinate_jobs WHERE status = 'doing' AND worker_id = :id) AS jobs
FROM pg_database AS d WHERE datname = current_database()
""")
_STOPPED = text("UPDATE workers SET stopped_at = now(), note = :note WHERE id = :id AND stopped_at IS NULL")
# Workers take theirs little by little: what those that live will take is not free either.
_ROOM = text("""
SELECT most - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS now,
    most - :spare - (SELECT coalesce(sum(connections), 0) FROM workers WHERE id = ANY(:alive)) AS later
FROM (SELECT CAST(current_setting('max_connections') AS int)
    - CAST(current_setting('superuser_reserved_connections') AS int)) AS server(most)
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a worker is told when it says that it lives.

    `schema`: the version of the tables. `draining`: somebody waits for all crawls to end. `jobs`: those that are its.
    """

    schema: str
    draining: bool
    jobs: frozenset[int]


class Size(Protocol):
    """How much a worker does at once, and what that takes."""

    @property
    def crawls(self) -> int: ...
    @property
    def connections(self) -> int: ...


S = TypeVar("S", bound=Size)


class Standing:
    """A worker's hold on the database: its row, and its lock, on a connection of its own. Used by one thread a time."""

    def __init__(self, engine: Engine) -> None:
        self.id = 0
        self._engine = engine
        self._connection: Connection | None = None
        self._held = False

    def begin(self, sized: Callable[[int], S]) -> S:
        """Insert the row and take the lock. `sized`: what the worker is to be with so many connections; may raise.

        What others hold that are no longer there is waited for: the processes of a killed worker go after a while.
        """
        end = time.monotonic() + JOIN_TIME
        while (size := self._begin(sized, last=time.monotonic() > end)) is None:
            time.sleep(JOIN_EVERY)
        return size

    def _begin(self, sized: Callable[[int], S], *, last: bool) -> S | None:
        connection = self._connected()
        with connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": JOIN_LOCK})
            room = connection.execute(_ROOM, {"spare": SPARE, "alive": alive(connection)}).one()
            size = sized(room.later)
            if size.connections > room.now:
                if not last:
                    return None
                size = sized(room.now)
            given: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "version": __version__}
            given |= {"crawls": size.crawls, "connections": size.connections}
            self.id = int(connection.execute(_REGISTER, given).scalar_one())
            self._held = _lock(connection, self.id)
        return size

    def say(self, note: str | None = None) -> State:
        """That the worker lives; after a lost connection, the lock is taken anew."""
        connection = self._connected()
        with connection.begin():
            self._held = self._held or _lock(connection, self.id)
            if self._held:  # else a burial has it, or this worker's old session, for a moment
                seen = connection.execute(_SEEN, {"id": self.id, "note": note})
                if not seen.rowcount:
                    raise StoreError("this worker's row is gone; start it again")
            row = connection.execute(_STATE, {"id": self.id, "drain": DRAIN_LOCK}).one()
        return State(schema=row.schema, draining=row.draining, jobs=frozenset(row.jobs))

    def end(self, note: str) -> None:
        """Close the row, and the connection for good. procrastinate's row stays: see `forget`."""
        connection = self._connected()
        with connection.begin():
            connection.execute(_STOPPED, {"id": self.id, "note": note})
        self.close()

    def close(self) -> None:
        """Back in the pool, the connection would still hold the lock."""
        with suppress(SQLAlchemyError):
            if self._connection is not None:
                self._connection.invalidate()
                self._connection.close()
        self._connection, self._held = None, False

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self._connection, self._held = self._engine.connect(), False
        return self._connection


_FORGET = text("""
DELETE FROM workers WHERE id IN (
    SELECT id FROM workers WHERE stopped_at < now() - make_interval(days => :days) ORDER BY id LIMIT :most)
""")
_UNREGISTER = text("""
DELETE FROM procrastinate.procrastinate_workers WHERE id IN (
    SELECT id FROM procrastinate.procrastinate_workers AS given
    WHERE NOT EXISTS (SELECT FROM workers WHERE workers.id = given.id) ORDER BY id LIMIT :most)
""")


def forget(connection: Connection, days: int, most: int = 100) -> None:
    """Delete the rows of workers that stopped so long ago, when their jobs have gone.

    For each row of procrastinate's, all jobs are read, and rewritten those that it had: nothing for a goodbye.
    """
    connection.execute(_FORGET, {"days": days, "most": most})
    connection.execute(_UNREGISTER, {"most": most})


_ALIVE = text(LIVING)
_HAVE_TABLE = text("SELECT to_regclass('workers') IS NOT NULL")
_BUSY = text("SELECT id, host, pid FROM workers WHERE id = ANY(:alive) AND note IS DISTINCT FROM :waits ORDER BY id")


def alive(connection: Connection) -> list[int]:
    """The ids of the workers whose process lives, on whatever machine."""
    return list(connection.execute(_ALIVE).scalars())


@contextmanager
def drained(engine: Engine, seconds: float) -> Iterator[None]:
    """While this lasts, no worker has a job: what they had is back in the queue. Raises StoreError if it takes longer.

    They are told by a session lock, which goes with this process whatever becomes of it.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": DRAIN_LOCK})
            end = time.monotonic() + seconds
            while busy := _busy(connection):
                if time.monotonic() > end:
                    raise StoreError(f"not all workers have ended their crawls in {seconds:.0f} s: {', '.join(busy)}")
                time.sleep(LOOK_EVERY)
            yield
        finally:
            connection.invalidate()  # back in the pool, it would still hold the lock


def _busy(connection: Connection) -> list[str]:
    if not connection.execute(_HAVE_TABLE).scalar_one():
        return []
    rows = connection.execute(_BUSY, {"alive": alive(connection), "waits": WAITS}).all()
    return [f"worker {row.id} ({row.host}, process {row.pid})" for row in rows]


def _lock(connection: Connection, worker_id: int) -> bool:
    return bool(connection.execute(_LOCK, {"key": WORKER_LOCK, "id": worker_id}).scalar_one())
