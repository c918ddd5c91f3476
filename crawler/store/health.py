"""What `crawler.health` judges, out of the database. The database's clock says what is late."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from crawler.health import HANGING, PAST, RECENT, Day, Listing, Present, Recent, System
from crawler.health.losses import WorkerLife, unreplaced
from crawler.store.checks import alive
from crawler.store.listings import NOT_MODIFIED, READ, USUAL
from crawler.store.queue import GONE
from crawler.store.schedules import LATE, OVERDUE
from crawler.store.workers import LIVING

LOOKED_AT = RECENT + 20  # some of the latest rows are old articles that were edited
SILENT = timedelta(minutes=2)  # a worker that has said nothing for so long is taken for lost
TRACE = timedelta(hours=1)  # what went well in the end is told for so long
LISTINGS = 20  # of a source that are looked at, where they are

_COLUMNS = ", ".join(f'd."{one.name}"' for one in fields(Day))
_DAYS = text(f"""
SELECT s.source, d.* FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM source_days d
    WHERE d.source = s.source AND d.day > ((now() - :past) AT TIME ZONE 'UTC')::date
        AND d.day <= (now() AT TIME ZONE 'UTC')::date
    ORDER BY d.day OFFSET 0
) AS d
""")  # noqa: S608 (names of our own)
_RECENT = text("""
SELECT s.source, a.* FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN LATERAL (
    SELECT stored_at, published_at IS NOT NULL AS dated, authors <> '{}' AS signed, word_count AS words,
        published_at IS NULL OR published_at > stored_at - interval '3 days' AS fresh
    FROM articles a WHERE a.source = s.source AND updated_at > now() - :past
    ORDER BY updated_at DESC LIMIT :most
) AS a WHERE a.fresh AND a.stored_at > now() - :past
ORDER BY s.source, a.stored_at DESC
""")
_SOURCES = text("""
SELECT id, crawled_at, due_at, disabled_at IS NOT NULL AS disabled, seed_error AS seed_lost,
    seeded_at IS NULL AND due_why IS NOT NULL OR seed -> 'enabled' = 'false' AS retired
FROM sources s WHERE id = ANY(:sources)
""")
_WITH_ARTICLES = text("""
SELECT s.source FROM unnest(CAST(:sources AS text[])) AS s(source)
WHERE EXISTS (SELECT FROM articles a WHERE a.source = s.source)
""")
# Only what a crawl begins with: how a sitemap of an index or a further page does, tells little of the source.
_LISTINGS = text("""
SELECT s.source, l.* FROM unnest(CAST(:sources AS text[])) AS s(source) CROSS JOIN LATERAL (
    SELECT url, kind, outcome, failures, entries, checked_at, found_at
    FROM listings l WHERE l.source = s.source AND outcome IS NOT NULL AND not_before IS NOT NULL
        AND (parent IS NULL OR kind IN ('homepage', 'feed') OR parent LIKE '%/robots.txt')
        AND parent IS DISTINCT FROM :usual
    ORDER BY failures DESC, id LIMIT :most
) AS l ORDER BY s.source, l.failures DESC
""")
_OPEN = text("SELECT source, kind, opened_at FROM incidents WHERE closed_at IS NULL AND source = ANY(:sources)")
_RUNNING = text("""
SELECT id, sources, started_at, coalesce(moved_at, started_at) AS moved_at FROM crawls
WHERE outcome = 'running' AND id = ANY(:alive)
""")
_GIVEN_UP = text("""
SELECT DISTINCT ON (j.args ->> 'source') j.args ->> 'source' AS source, e.at, j.attempts, (
    SELECT reason FROM job_failures f WHERE f.job_id = j.id ORDER BY f.at DESC LIMIT 1) AS why
FROM procrastinate.procrastinate_jobs j
CROSS JOIN LATERAL (
    SELECT max(at) AS at FROM procrastinate.procrastinate_events e WHERE e.job_id = j.id AND e.type = 'failed'
) AS e
WHERE j.status = 'failed' AND j.task_name = 'crawl' AND j.args ->> 'source' = ANY(:sources) AND e.at IS NOT NULL
ORDER BY j.args ->> 'source', e.at DESC
""")

_NAMES = text("SELECT id FROM sources WHERE id > :after ORDER BY id LIMIT :most")

_OVERDUE = text(f"SELECT count(*), min(due_at) FROM sources WHERE {OVERDUE}")  # noqa: S608 (conditions of our own)
_TICKED = text("SELECT max(ticked_at) FROM schedulers")
_WAITING = text("""
WITH ready AS (
    SELECT id, scheduled_at FROM procrastinate.procrastinate_jobs
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
)
SELECT count(*), (
    SELECT greatest(first.scheduled_at, (
        SELECT max(at) FROM procrastinate.procrastinate_events e WHERE e.job_id = first.id))
    FROM (SELECT * FROM ready ORDER BY id LIMIT 1) AS first)
FROM ready
""")
_TROUBLE = text("""
SELECT trouble, ticked_at FROM schedulers WHERE ended_at IS NULL AND trouble <> '{}' ORDER BY id DESC LIMIT 1
""")
# A scheduler's row is ended by itself, before; by the next that leads, in the transaction in which that begins, if it
# vanished. One whose session went with the database has not vanished.
_SCHEDULERS = text("""
SELECT one.host, one.pid, one.ended_at FROM schedulers one JOIN schedulers next ON next.led_at = one.ended_at
WHERE one.ended_at > now() - :past AND (one.host, one.pid) <> (next.host, next.pid)
    AND pg_postmaster_start_time() NOT BETWEEN one.ticked_at AND next.led_at
ORDER BY one.ended_at
""")
_RESTARTED = text("""
SELECT since FROM pg_postmaster_start_time() AS since
WHERE since > now() - :past AND (
    EXISTS (SELECT FROM workers WHERE started_at < since AND (stopped_at IS NULL OR stopped_at > since))
    OR EXISTS (SELECT FROM schedulers WHERE led_at < since AND (ended_at IS NULL OR ended_at > since)))
""")
# One whose machine has frozen holds its lock and says nothing. After a day it is history.
_ALIVE = text(f"""
SELECT count(*) FROM workers WHERE stopped_at IS NULL AND seen_at > now() - :silent AND id IN ({LIVING})
""")  # noqa: S608
_LIVES = text("""
SELECT host, pid, started_at, vanished,
    CASE WHEN vanished THEN seen_at WHEN stopped_at IS NOT NULL THEN stopped_at END AS gone_at
FROM (
    SELECT *, coalesce(note = :gone, false) OR stopped_at IS NULL AND seen_at <= now() - :silent AS vanished
    FROM workers WHERE greatest(seen_at, stopped_at) > now() - interval '1 day'
) AS w WHERE NOT vanished OR seen_at > now() - interval '1 day'
""")
_CONNECTIONS = text("""
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS taken,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A source's past, oldest day first, and how it stands."""

    past: tuple[Day, ...]
    present: Present


def now(connection: Connection) -> datetime:
    """The database's time."""
    at: datetime = connection.execute(text("SELECT now()")).scalar_one()
    return at


def names(connection: Connection, after: str = "", most: int = 1_000_000) -> list[str]:
    """The sources in their order, from there on."""
    return list(connection.execute(_NAMES, {"after": after, "most": most}).scalars())


def records(connection: Connection, sources: Sequence[str]) -> dict[str, Record]:
    """What is known of each of these sources."""
    given = {"sources": list(sources), "past": PAST, "most": LOOKED_AT}
    today = now(connection).astimezone(UTC).date()
    days: dict[str, list[Day]] = {}
    for row in connection.execute(_DAYS, given).mappings():
        days.setdefault(row["source"], []).append(_day(row))
    recent: dict[str, list[Recent]] = {}
    for source, stored_at, dated, signed, words, _ in connection.execute(_RECENT, given):
        recent.setdefault(source, []).append(Recent(stored_at, dated, signed, words))
    opened: dict[str, dict[str, datetime]] = {}
    for source, kind, at in connection.execute(_OPEN, given):
        opened.setdefault(source, {})[kind] = at
    given_up = {row.source: row for row in connection.execute(_GIVEN_UP, given)}
    running = {
        row.sources[0]: row
        for row in connection.execute(_RUNNING, {"alive": list(alive(connection))})
        if len(row.sources) == 1
    }
    without = _without_articles(connection, sources, days)
    listings = _listings(connection, without | {name for name, its in days.items() if _lists_fail(its[-2:])})
    found = {}
    for row in connection.execute(_SOURCES, given).mappings():
        source, its = row["id"], days.get(row["id"], [])
        job, crawl = given_up.get(source), running.get(source)
        found[source] = Record(
            past=tuple(day for day in its if day.day < today),
            present=Present(
                source=source,
                today=next((day for day in its if day.day == today), Day(day=today)),
                recent=tuple(recent.get(source, [])[:RECENT]),
                listings=tuple(one for one, _ in listings.get(source, [])),
                has_articles=source not in without,
                begun_at=min((at for _, at in listings.get(source, [])), default=None),
                crawled_at=row["crawled_at"],
                due_at=row["due_at"],
                disabled=row["disabled"],
                retired=row["retired"],
                seed_lost=row["seed_lost"],
                job_failed=job.why if job else None,
                job_failed_at=job.at if job else None,
                crawling_since=crawl.started_at if crawl else None,
                moved_at=crawl.moved_at if crawl else None,
                open=opened.get(source, {}),
            ),
        )
    return found


def _without_articles(
    connection: Connection, sources: Sequence[str], days: Mapping[str, Sequence[Day]]
) -> frozenset[str]:
    """Those of which none was ever stored: most are seen to have some by their days."""
    unknown = {name for name in sources if not any(day.articles for day in days.get(name, ()))}
    found = connection.execute(_WITH_ARTICLES, {"sources": sorted(unknown)}).scalars() if unknown else ()
    return frozenset(unknown.difference(found))


def _listings(connection: Connection, sources: Collection[str]) -> dict[str, list[tuple[Listing, datetime]]]:
    """Those of each, and when each was found; the one that fails for longest first."""
    found: dict[str, list[tuple[Listing, datetime]]] = {}
    given = {"sources": sorted(sources), "usual": USUAL, "most": LISTINGS}
    for source, *its, at in connection.execute(_LISTINGS, given) if sources else ():
        found.setdefault(source, []).append((Listing(*its), at))
    return found


def _lists_fail(days: Iterable[Day]) -> bool:
    """Whether any list could not be read on one of these days."""
    return any(word not in (READ, NOT_MODIFIED) for day in days for word in day.lists)


def _day(row: Mapping[Any, Any]) -> Day:
    values = {one.name: row[one.name] for one in fields(Day)}
    return Day(**{**values, "by_hour": tuple(values["by_hour"])})


def system(connection: Connection) -> System:
    """How the whole stands."""
    overdue, due_since = connection.execute(_OVERDUE, {"late": LATE}).one()
    waiting, waiting_since = connection.execute(_WAITING).one()
    taken, most = connection.execute(_CONNECTIONS).one()
    lost = _lost(connection)
    trouble = connection.execute(_TROUBLE).one_or_none()
    still = list(_still(connection))
    vanished = connection.execute(_SCHEDULERS, {"past": TRACE}).all()
    return System(
        overdue=overdue,
        due_since=due_since,
        ticked_at=connection.execute(_TICKED).scalar_one(),
        waiting=waiting,
        waiting_since=waiting_since,
        workers=connection.execute(_ALIVE, {"silent": SILENT}).scalar_one(),
        lost=tuple(f"{one.host} (process {one.pid})" for one in lost),
        lost_since=lost[0].gone_at if lost else None,
        schedulers_lost=tuple(f"{one.host} (process {one.pid})" for one in vanished),
        scheduler_lost_at=vanished[0].ended_at if vanished else None,
        restarted_at=connection.execute(_RESTARTED, {"past": TRACE}).scalar(),
        connections=taken,
        most_connections=most,
        trouble=tuple(f"{name}: {what}" for name, what in trouble.trouble.items()) if trouble else (),
        hanging=tuple(name for name, _ in still),
        hanging_since=min((at for _, at in still), default=None),
    )


def _lost(connection: Connection) -> list[WorkerLife]:
    """Workers that have said nothing for a while, and whose place nobody has taken."""
    silent_since = now(connection) - SILENT
    rows = connection.execute(_LIVES, {"silent": SILENT, "gone": GONE}).mappings()
    lost = unreplaced(WorkerLife(**row) for row in rows)
    return [one for one in lost if one.gone_at and one.gone_at <= silent_since]


def _still(connection: Connection) -> Iterable[tuple[str, datetime]]:
    """Crawls of many sources that have done nothing for a while: of one, its source tells."""
    at = now(connection)
    for row in connection.execute(_RUNNING, {"alive": list(alive(connection))}):
        if len(row.sources) != 1 and at - row.moved_at > HANGING:
            yield f"crawl {row.id}", row.moved_at
