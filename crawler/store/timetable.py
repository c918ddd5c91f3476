"""What is due when, what ran last, and whether anybody schedules: for `scrapy schedule`, health and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from crawler.schedule import WINDOW, Due, Past, Quiet, next_due, parse_schedule, quiet_for
from crawler.store import schedules
from crawler.store.schedules import Defaults

_ENTRIES = text("""
SELECT v.*, v.due_at - now() AS due_in, now() - v.last_started_at AS last_ago,
    now() - v.queued_at AS waits
FROM news.schedule v
WHERE (CAST(:names AS text[]) IS NULL AND v.state <> 'gone' OR v.source = ANY(:names))
    AND (NOT :due OR v.state IN ('due', 'waiting', 'running'))
ORDER BY v.due_at NULLS LAST, v.source
""")
_LEADER = text("""
SELECT host, pid, led_at, ticked_at, ended_at, queued, trouble, now() - ticked_at AS silent
FROM schedulers ORDER BY id DESC LIMIT 1
""")
_PAST = text(f"SELECT {schedules.PAST} FROM sources s LEFT JOIN rhythms r ON r.source = s.id WHERE s.id = :id")  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A source: a row of news.schedule, with the durations by the database's clock."""

    source: str
    schedule: str | None
    due_at: datetime | None
    due_why: str | None
    state: str
    seed_error: str | None
    queued_at: datetime | None
    last_crawl_id: int | None
    last_started_at: datetime | None
    last_finished_at: datetime | None
    last_outcome: str | None
    last_articles: int | None
    failures: int
    disabled_at: datetime | None
    disabled_why: str | None
    last_reason: str | None
    due_in: timedelta | None
    last_ago: timedelta | None
    waits: timedelta | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leader:
    """The scheduler that acts, or did last. `silent`: for how long it has not ticked."""

    host: str
    pid: int
    led_at: datetime
    ticked_at: datetime
    ended_at: datetime | None
    queued: int
    trouble: Mapping[str, Any]
    silent: timedelta


def entries(connection: Connection, names: Sequence[str] = (), *, due: bool = False) -> list[Entry]:
    """The sources, the next first: these, or all that have a seed. `due`: those that are due, wait or run."""
    rows = connection.execute(_ENTRIES, {"names": list(names) or None, "due": due}).mappings()
    return [Entry(**row) for row in rows]


def leader(connection: Connection) -> Leader | None:
    """None: no scheduler has ever acted."""
    row = connection.execute(_LEADER).mappings().one_or_none()
    return Leader(**row) if row else None


def past_of(connection: Connection, source: str) -> tuple[Past, datetime]:
    """What is known of a source, and the database's now."""
    row = connection.execute(_PAST, {"id": source, "window": WINDOW}).one()
    return schedules.past_of(row), row.now


def coming(connection: Connection, entry: Entry, defaults: Defaults, number: int) -> list[datetime]:
    """Its next times, if each crawl begins when it is due and the rhythm stays."""
    row = connection.execute(_PAST, {"id": entry.source, "window": WINDOW}).one()
    at, found = entry.due_at, list[datetime]()
    try:
        schedule = parse_schedule(entry.schedule or defaults.schedule)
        quiet: Quiet | None = quiet_for(row.seed_schedule, row.seed_quiet, defaults.quiet_hours)
    except ValueError:
        return [at] if at else []
    known = schedules.past_of(row)
    while at is not None and len(found) < number:
        found.append(at)
        after: Due = next_due(schedule, quiet, entry.source, max(at, row.now), Past(known.rhythm, known.failures))
        at = after.at
    return found
