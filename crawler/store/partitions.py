"""The months of the raw archive: a partition of `pages` for each, made when it is first needed, dropped when it is old.

Neither may keep anybody waiting, and a reader may read for hours (export-warc, pg_dump). So a partition is made as a
table and then attached, which goes on beside readers and writers, where CREATE TABLE … PARTITION OF would wait for all
of them and everybody else behind it. And it is detached CONCURRENTLY before it is dropped: PostgreSQL hides it from
whatever begins now, waits, without a lock, for whoever may still read it, and only then lets go of it. Who waits too
long leaves it so; the next pruning finishes that. A table that is to be dropped bears MARK as its comment: one that
somebody has detached by hand, to keep it, is never touched. So the mark is taken back where detaching has not begun.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from crawler.errors import ConfigurationError, StoreError

PARTITION_LOCK = 7_305_114  # of pg_advisory_xact_lock
PRUNING_LOCK = 7_305_121  # of pg_try_advisory_lock
MARK = "to be dropped: older than what is kept"
PATIENCE = "10s"  # lock_timeout: how long a month's readers are waited for
BUSY = ("55P03", "40P01")  # lock_not_available, deadlock_detected
DEPENDED_ON = "2BP01"  # dependent_objects_still_exist
MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
NAME = re.compile(r"pages_(\d{4})_(\d{2})")

_PARTITIONS = text("""
SELECT relname AS name, inhrelid IS NOT NULL AS is_attached, coalesce(inhdetachpending, false) AS is_pending,
    coalesce(obj_description(pg_class.oid, 'pg_class') = :mark, false) AS is_marked,
    pg_total_relation_size(pg_class.oid) AS bytes
FROM pg_class LEFT JOIN pg_inherits ON inhrelid = pg_class.oid
WHERE relkind = 'r' AND relname ~ '^pages_\\d{4}_\\d{2}$' AND pg_table_is_visible(pg_class.oid)
    AND (inhparent IS NULL OR inhparent = to_regclass('pages'))
ORDER BY relname
""")
_STATE = text("""
SELECT to_regclass(:name) IS NOT NULL AS is_there, EXISTS (
    SELECT FROM pg_inherits
    WHERE inhrelid = to_regclass(:name) AND inhparent = to_regclass('pages') AND NOT inhdetachpending) AS is_attached
""")
_MARKED_IN_VAIN = text("""
SELECT coalesce(obj_description(to_regclass(:name), 'pg_class') = :mark, false) AND EXISTS (
    SELECT FROM pg_inherits
    WHERE inhrelid = to_regclass(:name) AND inhparent = to_regclass('pages') AND NOT inhdetachpending)
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """A month's table. Pending: its detaching has begun, and it is hidden already."""

    name: str
    is_attached: bool
    is_pending: bool
    is_marked: bool
    bytes: int

    @property
    def month(self) -> datetime:
        """Its first instant."""
        year, month = self.name.split("_")[1:]
        return datetime(int(year), int(month), 1, tzinfo=UTC)

    @property
    def is_condemned(self) -> bool:
        """Whether an earlier pruning has begun with it."""
        return self.is_marked and (self.is_pending or not self.is_attached)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """What became of a month: gone, or still read; the next pruning drops it then.

    Blocked: something of somebody's depends on it, a view maybe. It is detached, and goes when that has gone.
    """

    partition: Partition
    outcome: Literal["dropped", "busy", "blocked"]
    detail: str = ""

    @property
    def words(self) -> str:
        """One line."""
        told = {
            "dropped": "is dropped",
            "busy": "is still read; the next run or prune drops it",
            "blocked": f"cannot be dropped: {self.detail}; the next run or prune tries again",
        }
        return f"{self.partition.month:%Y-%m} {told[self.outcome]}"


def month_of(at: datetime) -> datetime:
    """The first instant of its month, in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def later(month: datetime, months: int) -> datetime:
    """So many months later, or earlier."""
    count = month.year * 12 + month.month - 1 + months
    return month.replace(year=count // 12, month=count % 12 + 1)


def kept_from(months: int, now: datetime) -> datetime | None:
    """The first month that is kept: of this one and so many before. 0: all are."""
    return later(month_of(now), -months) if months > 0 else None


def read_month(raw: str) -> datetime:
    """2026-03. Raises ConfigurationError."""
    match = MONTH.fullmatch(raw.strip())
    if match is None or match[1] == "0000":
        raise ConfigurationError(f"{raw} is no month; write 2026-03")
    return datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)


def ensure(connection: Connection, month: datetime) -> bool:
    """Make `pages_2026_11` for November 2026, unless it is there. False: it is being dropped, or was detached.

    The lock keeps two writers from making it at once.
    """
    name = f"pages_{month:%Y_%m}"
    is_there, is_attached = connection.execute(_STATE, {"name": name}).one()
    if is_there:
        return bool(is_attached)
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    is_there, is_attached = connection.execute(_STATE, {"name": name}).one()
    if is_there:
        return bool(is_attached)
    bounds = f"FROM ('{month.isoformat()}') TO ('{later(month, 1).isoformat()}')"
    connection.execute(text(f"CREATE TABLE {name} (LIKE pages INCLUDING ALL EXCLUDING IDENTITY EXCLUDING COMMENTS)"))
    connection.execute(text(f"ALTER TABLE pages ATTACH PARTITION {name} FOR VALUES {bounds}"))
    return True


def partitions(connection: Connection) -> list[Partition]:
    """All months, oldest first, with those that an earlier pruning has not finished."""
    found = (Partition(**row) for row in connection.execute(_PARTITIONS, {"mark": MARK}).mappings())
    return [one for one in found if one.is_attached or one.is_marked]


def outlived(connection: Connection, before: datetime | None) -> list[Partition]:
    """The months before that one, and what is condemned already: that first, since it bars the others.

    What is pending without our mark is being detached by somebody, who wants to keep it.
    """
    attached = [one for one in partitions(connection) if one.is_condemned or not one.is_pending]
    old = [one for one in attached if one.is_condemned or (before is not None and one.month < before)]
    return sorted(old, key=lambda one: (not one.is_pending, one.name))


def prune(engine: Engine, before: datetime | None) -> Iterator[Dropped]:
    """Drop the months before that one, and tell of each. No reader or writer of `pages` waits for it.

    Raises StoreError when another process is at it, and for what PostgreSQL refuses.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        try:
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": PRUNING_LOCK}).scalar_one():
                raise StoreError("another process drops old pages just now")
            connection.execute(text(f"SET lock_timeout = '{PATIENCE}'"))
            for partition in partitions(connection):
                _take_back(connection, partition.name)  # of a pruning that was killed
            for partition in outlived(connection, before):
                yield (done := _drop(connection, partition))
                if done.outcome == "busy":
                    return
        except SQLAlchemyError as error:
            raise StoreError(f"old pages could not be dropped: {str(error).splitlines()[0]}") from error
        finally:
            with contextlib.suppress(SQLAlchemyError):  # the server may take a moment to see that a session is gone
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
            connection.invalidate()  # with its setting


def _drop(connection: Connection, partition: Partition) -> Dropped:
    name = partition.name
    detach = f"ALTER TABLE pages DETACH PARTITION {name} {'FINALIZE' if partition.is_pending else 'CONCURRENTLY'}"
    steps = [f"COMMENT ON TABLE {name} IS '{MARK}'", *([detach] if partition.is_attached else []), f"DROP TABLE {name}"]
    try:
        for step in steps:
            connection.execute(text(step))
    except DBAPIError as error:
        with contextlib.suppress(SQLAlchemyError):
            _take_back(connection, name)
        state = getattr(error.orig, "sqlstate", None)
        if state in BUSY:
            return Dropped(partition=partition, outcome="busy")
        if state == DEPENDED_ON:
            return Dropped(partition=partition, outcome="blocked", detail=_depending(error))
        raise
    return Dropped(partition=partition, outcome="dropped")


def _take_back(connection: Connection, name: str) -> None:
    """The mark, where the detaching has not begun: somebody may detach the month by hand now, to keep it."""
    if connection.execute(_MARKED_IN_VAIN, {"name": name, "mark": MARK}).scalar_one():
        connection.execute(text(f"COMMENT ON TABLE {name} IS NULL"))


def _depending(error: DBAPIError) -> str:
    """What PostgreSQL names first: view mine depends on table pages_2026_01."""
    told = getattr(getattr(error.orig, "diag", None), "message_detail", None) or str(error.orig)
    return str(told).partition("\n")[0]
