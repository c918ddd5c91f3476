"""Seeds -> rows of `sources` with the time of their next crawl; what is due -> the queue. The clock is the database's.

A due source goes into procrastinate's queue by one statement for all of them, in the order of their lateness. Whose
crawl waits already is not queued a second time; whose crawl still runs stays due. Then, for these only and in the same
transaction, schedule.py says when they are due next. So nothing that a scheduler does can be half done, and a source
that was due many times while no scheduler ran is crawled once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from crawler.schedule import HOURS, RESTING, WINDOW, Due, Past, Rhythm, next_due, parse_schedule, quiet_for, resting
from crawler.sources import Source
from crawler.store import crawls, disabling
from crawler.store.queue import SCHEDULED

BATCH = 1_000  # sources that are queued in one transaction
RETHINK = timedelta(hours=1)  # for a schedule in the database that this program cannot read

# Of `sources`: due for :late seconds, by the database's clock, and nobody sees to it: no job of it runs, and it has not
# been crawled since (where a cron crawls what a scheduler once planned, it stays due and is not late).
OVERDUE = """due_at <= now() - make_interval(secs => :late) AND disabled_at IS NULL AND seeded_at IS NOT NULL
    AND (crawled_at IS NULL OR crawled_at < due_at) AND NOT EXISTS (
        SELECT FROM procrastinate.procrastinate_jobs AS j WHERE j.lock = sources.id AND j.status = 'doing')"""
LATE = 300  # seconds, after which what is due is overdue: a scheduler ticks every few

# What next_due wants to know of a source `s`.
PAST = """
s.id, s.schedule, s.seed ->> 'schedule' AS seed_schedule, s.seed ->> 'quiet_hours' AS seed_quiet,
coalesce(s.crawled_at, s.queued_at) IS NOT NULL OR s.last_crawl IS NOT NULL AS crawled,
greatest(s.failures, (SELECT min(l.failures) FROM listings l WHERE l.source = s.id AND l.kind <> 'further'
    AND l.not_before IS NOT NULL AND l.checked_at IS NOT NULL)) AS failures,
r.counts, r.undated, now() AS now,
CASE WHEN r.since IS NOT NULL THEN extract(epoch FROM least(r.learned_at - r.since, :window)) / 3600 END AS hours
"""

# Ids in the order of lateness; who puts several into the queue goes by their locks, as queue.py does.
_QUEUE = text(f"""
WITH due AS (
    SELECT id, due_at FROM sources
    WHERE due_at <= now() AND disabled_at IS NULL AND seeded_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM procrastinate.procrastinate_jobs AS j WHERE j.lock = sources.id AND j.status = 'doing')
    ORDER BY due_at LIMIT :most FOR UPDATE OF sources SKIP LOCKED
), given AS MATERIALIZED (
    SELECT nextval('procrastinate.procrastinate_jobs_id_seq') AS job, id FROM due ORDER BY due_at
), queued AS (
    INSERT INTO procrastinate.procrastinate_jobs (id, queue_name, task_name, priority, lock, queueing_lock, args)
    SELECT job, 'news', 'crawl', {SCHEDULED}, id, id,
        jsonb_build_object('source', id, 'asked', 'schedule', 'arguments', jsonb_build_object())
    FROM given ORDER BY id COLLATE "C"
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
    RETURNING lock
)
SELECT {PAST}, queued.lock IS NOT NULL AS is_queued
FROM due JOIN sources s USING (id) LEFT JOIN rhythms r ON r.source = s.id LEFT JOIN queued ON queued.lock = s.id
""")  # noqa: S608 (our own words)

# Whoever writes several rows locks them in the order of crawls.save_sources first.
_PLANNED = text("""
WITH planned AS MATERIALIZED (
    SELECT id, p.due_at, why, is_queued
    FROM sources JOIN unnest(CAST(:ids AS text[]), CAST(:at AS timestamptz[]), CAST(:why AS text[]),
        CAST(:queued AS boolean[])) AS p(id, due_at, why, is_queued) USING (id)
    ORDER BY id COLLATE "C" FOR NO KEY UPDATE OF sources
)
UPDATE sources SET due_at = planned.due_at, due_why = planned.why,
    queued_at = CASE WHEN planned.is_queued THEN now() ELSE queued_at END
FROM planned WHERE sources.id = planned.id
""")

_KNOWN = text(f"""
SELECT {PAST}, s.seed, s.seed_error, s.seeded_at IS NOT NULL AS is_seeded, s.due_why
FROM sources s LEFT JOIN rhythms r ON r.source = s.id WHERE s.id = ANY(:ids)
""")  # noqa: S608

_SEEDED = text("""
UPDATE sources SET seeded_at = now(), seed_error = NULL, schedule = sown.schedule
FROM unnest(CAST(:ids AS text[]), CAST(:schedules AS text[])) AS sown(id, schedule) WHERE sources.id = sown.id
""")

_RHYTHM = text("""
INSERT INTO rhythms (source, counts, learn_at)
SELECT id, array_fill(0, ARRAY[CAST(:hours AS integer)]), CASE WHEN schedule = 'auto' THEN now() END
FROM sources WHERE id = ANY(:ids)
ON CONFLICT (source) DO UPDATE SET learn_at = EXCLUDED.learn_at
""")

_AT_REST = text("SELECT id, homepage FROM sources WHERE seeded_at IS NOT NULL AND starts_with(due_why, :forgotten)")
_SEEDED_OF = text("SELECT id FROM sources WHERE seeded_at IS NOT NULL AND id = ANY(:ids)")
_BROKEN = text("""
WITH broken AS MATERIALIZED (
    SELECT id, error FROM sources JOIN unnest(CAST(:ids AS text[]), CAST(:errors AS text[])) AS b(id, error) USING (id)
    WHERE seed_error IS DISTINCT FROM error ORDER BY id COLLATE "C" FOR NO KEY UPDATE OF sources
)
UPDATE sources SET seed_error = broken.error FROM broken WHERE sources.id = broken.id RETURNING sources.id
""")

_GONE = text("""
WITH gone AS MATERIALIZED (
    SELECT id FROM sources WHERE seeded_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM unnest(CAST(:ids AS text[])) AS there(id) WHERE there.id = sources.id)
    ORDER BY id COLLATE "C" FOR NO KEY UPDATE
)
UPDATE sources SET seeded_at = NULL, due_at = NULL, due_why = 'its seed is gone', seed_error = NULL
FROM gone WHERE sources.id = gone.id RETURNING sources.id
""")


@dataclass(frozen=True, slots=True)
class Defaults:
    """The settings SCHEDULE and QUIET_HOURS, for seeds that say nothing."""

    schedule: str = "auto"
    quiet_hours: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """What a look at the due sources found: how many were due, how many crawls went into the queue for them."""

    due: int
    queued: int


def queue_due(connection: Connection, defaults: Defaults, most: int = BATCH) -> Queued:
    """Queue a crawl of each source that is due, the latest first, and say when it is due next."""
    rows = connection.execute(_QUEUE, {"most": most, "window": WINDOW}).all()
    if rows:
        due = {row.id: planned(row, defaults, is_queued=True) for row in rows}
        _write(connection, due, {row.id for row in rows if row.is_queued})
    return Queued(len(rows), sum(row.is_queued for row in rows))


def sow(
    connection: Connection, defaults: Defaults, sources: Sequence[Source], forgotten: Mapping[str, str] | None = None
) -> list[str]:
    """Make the rows say what the seeds say; returns the ids of those that had said something else.

    `forgotten`: those that are not to be crawled, and as what (disabling.forgotten).
    """
    given = {source.id: source for source in sources}
    known = {row.id: row for row in connection.execute(_KNOWN, {"ids": list(given), "window": WINDOW})}
    seeds = {name: source.model_dump(mode="json", exclude_defaults=True) for name, source in given.items()}
    schedules = {name: source.schedule or defaults.schedule for name, source in given.items()}
    at_rest = {name: resting(under) for name, under in (forgotten or {}).items()}
    changed = [name for name in given if not _says(known.get(name), seeds[name], schedules[name], at_rest.get(name))]
    if not changed:
        return []
    crawls.save_sources(connection, [given[name] for name in changed])  # all: it locks them in the order of a crawl
    connection.execute(_SEEDED, {"ids": changed, "schedules": [schedules[name] for name in changed]})
    connection.execute(_RHYTHM, {"ids": changed, "hours": HOURS})
    again = [
        name
        for name in changed
        if _timing(known.get(name)) != (schedules[name], given[name].quiet_hours, _on(seeds[name]), at_rest.get(name))
    ]
    _plan(connection, defaults, again, at_rest)
    return changed


def wake(connection: Connection, defaults: Defaults) -> list[str]:
    """Plan those that were forgotten and are allowed again; returns their ids."""
    homepages: dict[str, str] = dict(connection.execute(_AT_REST, {"forgotten": RESTING}).all())
    allowed = sorted(homepages.keys() - disabling.forgotten(connection, homepages).keys())
    _plan(connection, defaults, allowed, {})
    return allowed


def _plan(connection: Connection, defaults: Defaults, names: Sequence[str], at_rest: Mapping[str, Due]) -> None:
    if names:
        rows = connection.execute(_KNOWN, {"ids": names, "window": WINDOW}).all()
        planning = {row.id: planned(row, defaults) if _on(row.seed) else OFF for row in rows}
        _write(connection, {name: at_rest.get(name, due) for name, due in planning.items()}, set())


def mark_broken(connection: Connection, errors: Mapping[str, str]) -> list[str]:
    """The seeds of these sources cannot be read: their last good ones stay. Returns those of which it is news."""
    given = {"ids": list(errors), "errors": list(errors.values())}
    return list(connection.execute(_BROKEN, given).scalars()) if errors else []


def uproot(connection: Connection, names: Iterable[str]) -> list[str]:
    """These seeds are there: sources without one are not due any more. Returns those of which it is news."""
    return list(connection.execute(_GONE, {"ids": list(names)}).scalars())


def seeded(connection: Connection) -> int:
    """How many sources have a seed."""
    return int(connection.execute(text("SELECT count(*) FROM sources WHERE seeded_at IS NOT NULL")).scalar_one())


def seeded_of(connection: Connection, names: Iterable[str]) -> set[str]:
    """Those of these that have one, if only an earlier one."""
    return set(connection.execute(_SEEDED_OF, {"ids": list(names)}).scalars())


OFF = Due(None, "enabled: false in its seed")


def planned(row: Row[Any], defaults: Defaults, *, is_queued: bool = False) -> Due:
    """When the source of a row is due next. `is_queued`: its crawl waits, be it the first."""
    try:
        quiet = quiet_for(row.seed_schedule, row.seed_quiet, defaults.quiet_hours)
        past = replace(past_of(row), crawled=is_queued or row.crawled)
        return next_due(parse_schedule(row.schedule or defaults.schedule), quiet, row.id, row.now, past)
    except Exception as error:  # a newer program wrote it, or this one errs: one source must not stop the others
        return Due(row.now + RETHINK, f"not understood: {str(error) or type(error).__name__}")


def past_of(row: Row[Any]) -> Past:
    known = row.counts is not None and len(row.counts) == HOURS and row.hours is not None
    rhythm = Rhythm(row.counts, row.undated, max(0.0, float(row.hours))) if known else Rhythm()
    return Past(rhythm, row.failures, row.crawled)


def _write(connection: Connection, due: Mapping[str, Due], queued: set[str]) -> None:
    ids = sorted(due)
    given: dict[str, list[str] | list[datetime | None] | list[bool]] = {
        "ids": ids,
        "at": [due[name].at for name in ids],
        "why": [due[name].why for name in ids],
        "queued": [name in queued for name in ids],
    }
    connection.execute(_PLANNED, given)


def _says(row: Row[Any] | None, seed: Mapping[str, Any], schedule: str, at_rest: Due | None) -> bool:
    if row is None or not row.is_seeded or row.seed_error:
        return False
    return (row.seed, row.schedule, _at_rest(row)) == (seed, schedule, at_rest)


def _timing(row: Row[Any] | None) -> tuple[str | None, str | None, bool, Due | None] | None:
    """What decides when a source is due; None: nothing has yet."""
    return (row.schedule, row.seed_quiet, _on(row.seed), _at_rest(row)) if row is not None and row.is_seeded else None


def _at_rest(row: Row[Any]) -> Due | None:
    return Due(None, row.due_why) if (row.due_why or "").startswith(RESTING) else None


def _on(seed: Mapping[str, Any]) -> bool:
    return bool(seed.get("enabled", True))
