"""A row for each run, however it ends, and the lock that tells whether a run is still alive.

A crawl's process holds the session advisory lock (CRAWL_LOCK, id) on one connection (guard.py). Whoever starts later
looks at every row that says `running`: those whose lock is free belong to processes that died, whose leases go back to
the queue. On the same machine that is seen at once, so that nothing waits for a lease to time out after a kill -9. Of
others, the server may have lost the session and the run may live: it has some seconds to take its lock anew.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler import __version__, tally
from crawler.sources import Source
from crawler.store import facts, listings, models
from crawler.store.queue import LOST_GRACE

KILLED = "its process is gone"
CRAWL_LOCK = 7_305_113  # the first key of pg_advisory_lock(int, int)
SILENT = 3_600.0  # seconds after which one that is elsewhere and has told nothing is not waited for

# What a changed seed wants may stand in lists that have not changed. A source's row is locked before its lists.
_READ_ANEW = text("""
WITH changed AS MATERIALIZED (SELECT id FROM sources WHERE id = :id AND seed <> :seed FOR NO KEY UPDATE)
UPDATE listings SET etag = NULL, last_modified = NULL FROM changed WHERE listings.source = changed.id
""").bindparams(bindparam("seed", type_=JSONB))


def begin(
    connection: Connection, spider: str, sources: Iterable[Source], arguments: dict[str, Any], *, saved: bool = False
) -> int:
    """Insert the row of a new run and lock it on this connection; returns its id.

    `saved`: the sources come out of the database, where they may be newer by now.
    """
    chosen = list(sources)
    if not saved:
        save_sources(connection, chosen)
    statement = insert(models.Crawl).values(
        spider=spider,
        sources=[source.id for source in chosen],
        arguments=arguments,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
    )
    crawl_id = int(connection.execute(statement.returning(models.Crawl.id)).scalar_one())
    lock(connection, crawl_id)
    if spider not in ("archive", "page"):
        ids = [source.id for source in chosen]
        connection.execute(update(models.Source).where(models.Source.id.in_(ids)).values(last_crawl=crawl_id))
    return crawl_id


def lock(connection: Connection, crawl_id: int) -> bool:
    """Hold the run's lock for as long as the connection lives.

    False when another connection holds it: that of this run which the server has not seen end yet, or a burial.
    """
    statement = text("SELECT pg_try_advisory_lock(:key, :id)")
    return bool(connection.execute(statement, {"key": CRAWL_LOCK, "id": crawl_id}).scalar_one())


_FOUND = text("SELECT outcome FROM crawls WHERE id = :id AND lost_at IS NOT NULL")


def revive(connection: Connection, crawl_id: int) -> None:
    """A run that had lost its lock and has it again is not dead: what its burial counted is taken back."""
    outcome = connection.execute(_FOUND, {"id": crawl_id}).scalar()
    if outcome is None:
        return
    facts.alone(connection)
    if outcome == "killed":
        facts.not_ended(connection, crawl_id)
        _count_failure(connection, [crawl_id], -1)
    connection.execute(
        update(models.Crawl)
        .where(models.Crawl.id == crawl_id, models.Crawl.outcome.in_(("running", "killed")))
        .values(outcome="running", reason=None, finished_at=None, lost_at=None)
    )


def save_sources(connection: Connection, sources: Iterable[Source]) -> None:
    """Insert or refresh them, always in the same order (_LOCK_SOURCES), or who does so together would deadlock."""
    for source in sorted(sources, key=lambda source: source.id):
        values = {
            "name": source.name,
            "homepage": str(source.homepage),
            "language": source.language,
            "country": source.country,
            "seed": source.model_dump(mode="json", exclude_defaults=True),
        }
        connection.execute(_READ_ANEW, {"id": source.id, "seed": values["seed"]})
        statement = upsert(models.Source).values(id=source.id, **values)
        changed = {**values, "loaded_at": func.now()}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))


_SUSPECTS = text("""
SELECT id FROM (
    SELECT id FROM crawls WHERE outcome = 'running'
    UNION SELECT lease_crawl FROM urls WHERE state = 'leased'
    UNION SELECT lease_crawl FROM listings WHERE lease_crawl IS NOT NULL
) AS suspect
WHERE id NOT IN (SELECT CAST(objid AS bigint) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS bigint) = :key
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")
_FREE = text("""
SELECT id FROM unnest(CAST(:suspects AS bigint[])) AS id WHERE pg_try_advisory_xact_lock(:key, CAST(id AS int))
""")
_DOUBTED = text("""
UPDATE crawls SET lost_at = coalesce(lost_at, now()) WHERE id = ANY(:free) AND outcome = 'running'
RETURNING id, host, pid, lost_at <= now() - make_interval(secs => :grace)
    OR coalesce(moved_at, started_at) < now() - make_interval(secs => :silent)
    OR arguments ? 'job' AND sources = ARRAY[CAST(:taken AS text)] AS late
""")


def bury_dead(connection: Connection, grace: float = LOST_GRACE, taken: str | None = None) -> list[int]:
    """Mark runs whose process is gone as killed and give back what they had leased; returns their ids.

    One whose process may live is only noted, and buried by who finds its lock free `grace` seconds later; but at once
    if it was a queued crawl of `taken`, whose fence the caller has now: it has lost that source, should it come back.
    """
    suspects = connection.execute(_SUSPECTS, {"key": CRAWL_LOCK}).scalars().all()
    if not suspects:
        return []
    facts.alone(connection)  # before any row: a run that ends has it first, too
    free = connection.execute(_FREE, {"key": CRAWL_LOCK, "suspects": suspects}).scalars().all()
    given = {"free": free, "grace": grace, "silent": SILENT, "taken": taken}
    doubted = {row.id: row for row in connection.execute(_DOUBTED, given).all()}
    running = {row.id for row in doubted.values() if row.late or _is_gone(row.host, row.pid)}
    dead = [crawl_id for crawl_id in free if crawl_id in running or crawl_id not in doubted]
    if dead:
        connection.execute(
            update(models.Crawl)
            .where(models.Crawl.id.in_(running))
            .values(outcome="killed", reason=KILLED, finished_at=func.now())
        )
        give_back(connection, dead)
        _count_failure(connection, running)
        for crawl_id in sorted(running):
            facts.ended(connection, crawl_id, KILLED)
    return dead


def _is_gone(host: str, pid: int) -> bool:
    """Whether that process is known to be there no more."""
    if host != socket.gethostname():
        return False
    with suppress(OSError, IndexError):  # a zombie, on Linux
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


# Sources before their lists, and these in the order of save_sources, whatever the server's collation.
_LOCK_SOURCES = text("""
SELECT id FROM sources WHERE id IN (
    SELECT unnest(sources) FROM crawls WHERE id = ANY(:crawl_ids)
    UNION SELECT source FROM listings WHERE lease_crawl = ANY(:crawl_ids))
ORDER BY id COLLATE "C" FOR NO KEY UPDATE
""")


def give_back(connection: Connection, crawl_ids: Iterable[int], *of: ColumnElement[bool]) -> int:
    """Put back what these runs leased and did not finish; an interrupted fetch is no attempt.

    The rows of their sources are locked. `of`: only such pages, and no lists, nor locks.
    """
    given = list(crawl_ids)
    if not of:
        connection.execute(_LOCK_SOURCES, {"crawl_ids": given})
        listings.give_back(connection, given)
    statement = (
        update(models.Url)
        .where(models.Url.state == "leased", models.Url.lease_crawl.in_(given), *of)
        .values(
            state=func.coalesce(models.Url.state_before, "queued"),
            state_before=None,
            lease_crawl=None,
            attempts=func.greatest(models.Url.attempts - 1, 0),
        )
    )
    return connection.execute(statement).rowcount


_RUNS = text("SELECT id FROM crawls WHERE id = :id AND outcome = 'running' FOR UPDATE")


def end(connection: Connection, crawl_id: int, outcome: str, reason: str, stats: dict[str, Any]) -> None:
    """Close the row of a run, if it is open: who got no answer to that does it again, and it counts once.

    What JSON cannot hold of `stats` is written as text.
    """
    facts.alone(connection)  # before any row: so does a burial
    if connection.execute(_RUNS, {"id": crawl_id}).one_or_none() is None:
        return
    give_back(connection, [crawl_id])
    facts.account(connection, crawl_id, stats)
    facts.ended(connection, crawl_id, reason if outcome == "failed" else None)
    sources = select(func.unnest(models.Crawl.sources)).where(models.Crawl.id == crawl_id)
    connection.execute(
        update(models.Crawl)
        .where(models.Crawl.id == crawl_id)
        .values(outcome=outcome, reason=reason, finished_at=func.now())
    )
    if outcome == "finished":  # of a source of which it could read no list it knows no more than one that failed
        unread, resting = (models.Source.id.in_(found(stats)) for found in (tally.unread, tally.resting))
        failed = models.Source.failures
        failures = case((unread, failed + 1), (resting, failed), else_=0)
        connection.execute(
            update(models.Source).where(models.Source.id.in_(sources)).values(crawled_at=func.now(), failures=failures)
        )
    elif outcome == "failed" and not reason.startswith("database"):
        _count_failure(connection, [crawl_id])


def _count_failure(connection: Connection, crawl_ids: Iterable[int], number: int = 1) -> None:
    """Only a run of one source tells something about it."""
    alone = select(func.unnest(models.Crawl.sources)).where(
        models.Crawl.id.in_(crawl_ids), func.cardinality(models.Crawl.sources) == 1
    )
    failures = func.greatest(models.Source.failures + number, 0)
    connection.execute(update(models.Source).where(models.Source.id.in_(alone)).values(failures=failures))


KEPT_DAYS = 90
KEPT_IDLE_DAYS = 7  # of a run that found nothing new: of a thousand sources, tens of thousands a day
_PRUNE = text("""
DELETE FROM crawls WHERE id IN (
    SELECT id FROM crawls AS run
    WHERE started_at < now() - make_interval(days => :days) AND outcome <> 'running'
        AND NOT EXISTS (SELECT FROM sources WHERE last_crawl = run.id)
    ORDER BY started_at
    LIMIT :most
)
""")
_PRUNE_IDLE = text("""
WITH looked_at AS MATERIALIZED (
    SELECT id, outcome = 'finished' AND NOT EXISTS (
        SELECT FROM unnest(sources) AS source WHERE stats ? format('news/%s/stored', source)
            OR stats ? format('news/%s/updated', source)) AS idle
    FROM crawls WHERE id > :after AND started_at < now() - make_interval(days => :days)
    ORDER BY id LIMIT :most
), pruned AS (
    DELETE FROM crawls USING looked_at WHERE crawls.id = looked_at.id AND idle
        AND NOT EXISTS (SELECT FROM sources WHERE last_crawl = crawls.id)
    RETURNING crawls.id
)
SELECT count(*) AS looked_at, max(id) AS last, (SELECT count(*) FROM pruned) AS pruned FROM looked_at
""")


def prune(connection: Connection, *, days: int = KEPT_DAYS, most: int = 10_000) -> int:
    """Delete runs that began longer ago; a source's last one stays."""
    return connection.execute(_PRUNE, {"days": days, "most": most}).rowcount


def prune_idle(
    connection: Connection, after: int = 0, *, days: int = KEPT_IDLE_DAYS, most: int = 10_000
) -> tuple[int, int | None]:
    """Of so many runs after that one, delete those that found nothing; a source's last one stays, for `prune`.

    Returns how many, and after which to go on; None: there are no more for now.
    """
    row = connection.execute(_PRUNE_IDLE, {"after": after, "days": days, "most": most}).one()
    return row.pruned, row.last
