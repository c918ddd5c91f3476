"""The queue of jobs, in procrastinate's tables: what goes in, what waits, what runs, and how it ends.

procrastinate hands out jobs, one at a time of each lock. What it does with them afterwards goes by the client's clock;
here it goes by the database's: a job that failed comes back after 1, 5 and 30 minutes; then it is `failed`, and stays
to be looked at. Why is in `job_failures`. A job whose worker is gone comes back after LOST_GRACE, by whoever looks
first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from crawler.store import workers
from crawler.store.workers import LIVING, WORKER_LOCK
from crawler.text import json_safe

QUEUE = "news"
PERSON, SCHEDULED, BULK = 10, 0, -10  # priorities
TASKS = ("crawl", "reextract", "archive")
RETRIES = (60.0, 300.0, 1800.0)  # seconds after the first, second and third failure
MOST_LOST = 10  # a job that was lost so often is what kills its workers
LOST_GRACE = 15.0  # seconds, three of a worker's beats, in which one that lives takes its lock anew
LOST_LOCK = 7_305_132  # of pg_try_advisory_xact_lock: one looks for lost jobs at a time
KEPT_DAYS = 7
GONE = "its process is gone"  # the note of a worker that did not say that it stops

Task = Literal["crawl", "reextract", "archive"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be done.

    `lock`: one job with it runs at a time. `queueing_lock`: one with it waits. `arguments` are JSON.
    """

    task: Task
    arguments: Mapping[str, Any] = field(default_factory=dict)
    lock: str | None = None
    queueing_lock: str | None = None
    priority: int = SCHEDULED


def crawl_of(source: str, *, asked: str = "schedule", arguments: Mapping[str, str] | None = None) -> Job:
    """A crawl of one source, by the `schedule` or a `person`. One of each waits, and more of those with arguments."""
    return Job(
        task="crawl",
        arguments={"source": source, "asked": asked, "arguments": dict(arguments or {})},
        lock=source,
        queueing_lock=None if arguments else source,
        priority=PERSON if asked == "person" else SCHEDULED,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an attempt ended.

    done (`reason`: and came to nothing); failed: it comes again, unless that is `final`; dropped: it is not to be done
    any more; back: in the queue after `delay` seconds, which is no attempt. `gives_way`: others of its source first.
    """

    kind: Literal["done", "failed", "dropped", "back"]
    reason: str | None = None
    delay: float = 0.0
    final: bool = False
    gives_way: bool = False
    crawl_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A job that a worker has; `alive`: whether that worker is."""

    id: int
    task: str
    source: str | None
    arguments: Mapping[str, Any]
    since: datetime
    attempts: int
    worker_id: int | None
    host: str | None
    pid: int | None
    alive: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A job in the queue; `due`: not before."""

    id: int
    task: str
    source: str | None
    arguments: Mapping[str, Any]
    since: datetime
    due: datetime
    attempts: int
    priority: int
    reason: str | None  # why it is back


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An attempt that came to nothing; `status`: what became of the job."""

    job_id: int
    task: str | None
    source: str | None
    at: datetime
    kind: str
    reason: str | None
    status: str | None


# Ids are drawn first, so that each job that goes in is known by its place. They go in in the order of their locks: who
# does so at the same time waits at one of them, and not in a circle.
_ENQUEUE = text("""
WITH given AS MATERIALIZED (
    SELECT nextval('procrastinate.procrastinate_jobs_id_seq') AS id, place, job
    FROM jsonb_array_elements(CAST(:jobs AS jsonb)) WITH ORDINALITY AS e(job, place) ORDER BY place
), made AS (
    INSERT INTO procrastinate.procrastinate_jobs (id, queue_name, task_name, args, lock, queueing_lock, priority)
    SELECT id, :queue, job ->> 'task', job -> 'arguments', job ->> 'lock', job ->> 'queueing_lock',
           CAST(job ->> 'priority' AS int)
    FROM given ORDER BY job ->> 'queueing_lock' COLLATE "C"
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id
)
SELECT made.id FROM given LEFT JOIN made USING (id) ORDER BY place
""")


def enqueue(connection: Connection, jobs: Sequence[Job]) -> list[int | None]:
    """Put them into the queue; returns their ids, None for one whose queueing_lock waits already."""
    if not jobs:
        return []
    given = json.dumps([asdict(job) for job in jobs])
    return list(connection.execute(_ENQUEUE, {"jobs": given, "queue": QUEUE}).scalars())


# -- how an attempt ends ----------------------------------------------------------------------------------------------

_DONE = text("""
UPDATE procrastinate.procrastinate_jobs SET status = 'succeeded', attempts = attempts + 1, abort_requested = false
WHERE id = :id AND status = 'doing' AND worker_id = :worker
""")
_IN_VAIN = text("""
INSERT INTO job_failures (job_id, worker_id, kind, reason, crawl_id) VALUES (:id, :worker, 'failed', :reason, :crawl)
""")
# A job goes back unless somebody has cancelled it, or another with its queueing_lock waits already, which will do what
# it was to do, as soon as this one would have.
# One that waits, were it for later, keeps those of its lock and of a lower priority waiting (procrastinate's fetch): a
# person's long backfill lets the scheduled crawls of its source pass.
_SETTLE = text("""
WITH twin AS (
    SELECT other.id, job.priority FROM procrastinate.procrastinate_jobs AS job
    JOIN procrastinate.procrastinate_jobs AS other ON other.queueing_lock = job.queueing_lock AND other.status = 'todo'
    WHERE job.id = :id AND :kind = 'back' AND NOT job.abort_requested
), ended AS (
    UPDATE procrastinate.procrastinate_jobs AS job
    SET status = CAST(CASE
            WHEN :kind = 'dropped' OR abort_requested AND NOT :final THEN 'cancelled'
            WHEN :kind = 'failed' AND (:final OR attempts >= cardinality(CAST(:retries AS float[]))) THEN 'failed'
            WHEN NOT EXISTS (SELECT FROM procrastinate.procrastinate_jobs AS other
                WHERE other.queueing_lock = job.queueing_lock AND other.status = 'todo') THEN 'todo'
            WHEN :kind = 'failed' THEN 'failed' ELSE 'cancelled' END AS procrastinate.procrastinate_job_status),
        attempts = attempts + CASE WHEN :kind = 'failed' THEN 1 ELSE 0 END,
        scheduled_at = now() + make_interval(secs => CASE WHEN :kind = 'failed'
            THEN (CAST(:retries AS float[]))[attempts + 1] ELSE :delay END),
        priority = CASE WHEN queueing_lock IS NULL AND (:kind = 'failed' OR :gives_way)
            THEN least(priority, :bulk) ELSE priority END,
        worker_id = NULL, abort_requested = false
    WHERE id = :id AND status = 'doing' AND worker_id IS NOT DISTINCT FROM CAST(:worker AS bigint)
    RETURNING id, status
), handed AS (
    UPDATE procrastinate.procrastinate_jobs AS other SET priority = greatest(other.priority, twin.priority),
        scheduled_at = CASE WHEN other.priority >= twin.priority THEN other.scheduled_at END
    FROM twin, ended WHERE other.id = twin.id AND ended.status = 'cancelled' AND other.status = 'todo'
    RETURNING other.id
), told AS (
    INSERT INTO job_failures (job_id, worker_id, kind, reason, crawl_id, instead)
    SELECT ended.id, CAST(:worker AS bigint), coalesce(CAST(:told AS text), 'dropped'),
        coalesce('job ' || handed.id || ' waits, and does it', CAST(:reason AS text),
            CASE WHEN CAST(:told AS text) IS NULL THEN 'aborted' END),
        CAST(:crawl AS bigint), handed.id
    FROM ended LEFT JOIN handed ON true
    WHERE CAST(:told AS text) IS NOT NULL OR status = 'cancelled'
)
SELECT status FROM ended
""")
_CALL = text('SELECT pg_notify(\'procrastinate_queue_v1#\' || :queue, \'{"type": "job_inserted", "job_id": 0}\')')


def settle(
    connection: Connection, job_id: int, worker_id: int | None, ending: Ending, retries: Sequence[float] = RETRIES
) -> str | None:
    """Write how an attempt ended; returns the job's state, None if it is not this worker's any more."""
    if ending.kind == "done":
        given = {"id": job_id, "worker": worker_id, "reason": ending.reason, "crawl": ending.crawl_id}
        if not connection.execute(_DONE, given).rowcount:
            return None
        if ending.reason:
            connection.execute(_IN_VAIN, given)
        return "succeeded"
    told = ending.kind if ending.kind != "back" else None
    return _settled(connection, job_id, worker_id, ending, told, retries)


def _settled(
    connection: Connection,
    job_id: int,
    worker_id: int | None,
    ending: Ending,
    told: str | None,
    retries: Sequence[float] = RETRIES,
) -> str | None:
    given = {
        "id": job_id,
        "worker": worker_id,
        "kind": ending.kind,
        "final": ending.final,
        "gives_way": ending.gives_way,
        "bulk": BULK,
        "delay": ending.delay,
        "reason": json_safe(ending.reason),  # it may quote anything
        "crawl": ending.crawl_id,
        "retries": list(retries),
        "told": told,
    }
    for last in (False, False, True):
        try:
            with connection.begin_nested():
                status: str | None = connection.execute(_SETTLE, given).scalar()
                break
        except IntegrityError:  # another with its queueing_lock came in at this moment
            if last:
                raise
    if status == "todo" and not ending.delay and ending.kind == "back":
        connection.execute(_CALL, {"queue": QUEUE})  # who is idle need not wait for the next look
    return status


_ALONE = text("SELECT pg_try_advisory_xact_lock(:key)")
_SUSPECTS = text("""
SELECT id FROM workers WHERE stopped_at IS NULL OR EXISTS (SELECT FROM procrastinate.procrastinate_jobs AS job
    WHERE job.worker_id = workers.id AND job.status = 'doing')
""")
_IS_DEAD = text("SELECT pg_try_advisory_xact_lock(:key, CAST(:id AS int))")
_SUSPECT = text("UPDATE workers SET lost_at = now() WHERE id = ANY(:free) AND lost_at IS NULL")
_LOST = text("SELECT id FROM workers WHERE id = ANY(:free) AND lost_at <= now() - make_interval(secs => :grace)")
_BURY = text("UPDATE workers SET stopped_at = now(), note = :gone WHERE id = ANY(:dead) AND stopped_at IS NULL")
_ORPHANS = text("""
SELECT id, worker_id, (SELECT count(*) FROM job_failures WHERE job_id = job.id AND kind = 'lost') AS lost
FROM procrastinate.procrastinate_jobs AS job
WHERE status = 'doing' AND queue_name = :queue AND (worker_id IS NULL OR worker_id = ANY(:dead)) ORDER BY id
""")


def requeue_lost(connection: Connection, grace: float = LOST_GRACE) -> list[int]:
    """Put back the jobs whose workers are dead, and close the rows of those; returns the ids of the jobs.

    Not the first time that a lock is found free: after a restart, a crash or a failover of the server, workers that
    live have lost theirs, take them anew at their next beat, and say that they live.
    """
    if not connection.execute(_ALONE, {"key": LOST_LOCK}).scalar_one():
        return []
    suspects = connection.execute(_SUSPECTS).scalars().all()
    given = [{"key": WORKER_LOCK, "id": worker_id} for worker_id in suspects]
    free = [one["id"] for one in given if connection.execute(_IS_DEAD, one).scalar_one()]
    connection.execute(_SUSPECT, {"free": free})
    dead = list(connection.execute(_LOST, {"free": free, "grace": grace}).scalars())
    connection.execute(_BURY, {"dead": dead, "gone": GONE})
    found = []
    for row in connection.execute(_ORPHANS, {"queue": QUEUE, "dead": dead}).all():
        final = row.lost + 1 >= MOST_LOST
        reason = "its worker is gone" + (f", for the {MOST_LOST}th time" if final else "")
        ending = Ending(kind="failed" if final else "back", reason=reason, final=final)
        _settled(connection, row.id, row.worker_id, ending, "lost")
        found.append(row.id)
    return found


# -- looking at it ----------------------------------------------------------------------------------------------------

_RUNNING = text(f"""
SELECT job.id, task_name AS task, args ->> 'source' AS source, args AS arguments, attempts, worker_id, host, pid,
       coalesce((SELECT max(at) FROM procrastinate.procrastinate_events WHERE job_id = job.id AND type = 'started'),
                now()) AS since,
       coalesce(worker_id IN ({LIVING}), false) AS alive
FROM procrastinate.procrastinate_jobs AS job LEFT JOIN workers ON workers.id = worker_id
WHERE status = 'doing' AND queue_name = :queue ORDER BY since, job.id
""")  # noqa: S608 (a query of our own)
_WAITING = text("""
SELECT id, task_name AS task, args ->> 'source' AS source, args AS arguments, attempts, priority, since,
       greatest(since, scheduled_at) AS due,
       (SELECT reason FROM job_failures WHERE job_id = job.id ORDER BY id DESC LIMIT 1) AS reason
FROM procrastinate.procrastinate_jobs AS job CROSS JOIN LATERAL (
    SELECT coalesce(min(at), now()) AS since FROM procrastinate.procrastinate_events
    WHERE job_id = job.id AND type = 'deferred') AS event
WHERE status = 'todo' AND queue_name = :queue
ORDER BY scheduled_at > now() NULLS FIRST, priority DESC, id LIMIT :most
""")
_FAILURES = text("""
SELECT job_id, task_name AS task, args ->> 'source' AS source, at, kind, reason, CAST(status AS text) AS status
FROM job_failures LEFT JOIN procrastinate.procrastinate_jobs AS job ON job.id = job_id
ORDER BY job_failures.id DESC LIMIT :most
""")
_COUNTS = text("""
SELECT count(*) FILTER (WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())) AS due,
       count(*) FILTER (WHERE status = 'todo' AND scheduled_at > now()) AS later,
       count(*) FILTER (WHERE status = 'doing') AS running
FROM procrastinate.procrastinate_jobs WHERE status IN ('todo', 'doing') AND queue_name = :queue
""")


def running(connection: Connection) -> list[Running]:
    """The jobs that workers have, the longest first."""
    rows = connection.execute(_RUNNING, {"queue": QUEUE}).mappings()
    return [Running(**row) for row in rows]


def waiting(connection: Connection, most: int = 1_000) -> list[Waiting]:
    """The jobs in the queue, in the order in which they are taken."""
    return [Waiting(**row) for row in connection.execute(_WAITING, {"queue": QUEUE, "most": most}).mappings()]


def failures(connection: Connection, most: int = 100) -> list[Failure]:
    """The last attempts that came to nothing, the newest first."""
    return [Failure(**row) for row in connection.execute(_FAILURES, {"most": most}).mappings()]


def counts(connection: Connection) -> dict[str, int]:
    """How many jobs are `due`, wait for `later`, and are `running`."""
    return dict(connection.execute(_COUNTS, {"queue": QUEUE}).mappings().one())


# -- what is over -----------------------------------------------------------------------------------------------------

# From the oldest, by the index of the times at which jobs came in: of those that are to stay nothing is read, but for
# the few that took days.
_PRUNE = text("""
WITH old AS MATERIALIZED (
    SELECT job.id FROM procrastinate.procrastinate_events AS came
    JOIN procrastinate.procrastinate_jobs AS job ON job.id = came.job_id
    WHERE came.type = 'deferred' AND came.at < now() - make_interval(days => :days)
        AND job.status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND job.queue_name = :queue
        AND (SELECT max(at) FROM procrastinate.procrastinate_events WHERE job_id = job.id)
            < now() - make_interval(days => :days)
    ORDER BY came.at LIMIT :most
), told AS (DELETE FROM job_failures USING old WHERE job_id = old.id)
DELETE FROM procrastinate.procrastinate_jobs USING old WHERE procrastinate_jobs.id = old.id
""")


def prune(connection: Connection, days: int = KEPT_DAYS, most: int = 10_000) -> int:
    """Delete jobs that were over so long ago, at most so many, then the rows of workers; returns how many jobs."""
    pruned = connection.execute(_PRUNE, {"queue": QUEUE, "days": days, "most": most}).rowcount
    if pruned < most:
        workers.forget(connection, days)
    return pruned


def cancel(connection: Connection, job_ids: Iterable[int]) -> int:
    """Take jobs out of the queue; those that run are told to end. Returns how many."""
    given = {"ids": list(job_ids)}
    return len(connection.execute(_CANCEL, given).scalars().all())


# procrastinate's trigger tells the worker of an abort.
_CANCEL = text("""
SELECT id FROM unnest(CAST(:ids AS bigint[])) AS id
WHERE procrastinate.procrastinate_cancel_job_v1(id, true, false) IS NOT NULL
""")
