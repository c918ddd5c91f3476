"""Jobs that somebody waits for: put off, followed, and tried by worker after worker until one can do them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from crawler.store.queue import Job
from crawler.store.workers import LIVING

OVER = ("succeeded", "failed", "cancelled", "aborted")

# Without its locks: a job that waits for its time would keep those behind it waiting, and others out of the queue. One
# at a time is seen to by the work itself: the crawl's fence, the lease of a file, the lock of a slice.
_PUT_OFF = text("""
UPDATE procrastinate.procrastinate_jobs SET scheduled_at = :at, lock = NULL, queueing_lock = NULL
WHERE id = ANY(:ids) AND status = 'todo'
""")
_HURRY = text("""
UPDATE procrastinate.procrastinate_jobs SET priority = greatest(priority, :priority), scheduled_at = NULL
WHERE queueing_lock = :lock AND status = 'todo' RETURNING id
""")
_TICKETS = text("""
SELECT id, task_name AS task, args AS arguments, CAST(status AS text) AS status, attempts,
       last.reason, CASE status WHEN 'cancelled' THEN last.instead END AS instead,
       (SELECT error FROM archives WHERE path = args ->> 'warc' ORDER BY archives.id DESC LIMIT 1) AS damage,
       status = 'succeeded' AND last.reason IS NOT NULL AND last.at >= (
           SELECT max(at) FROM procrastinate.procrastinate_events WHERE job_id = job.id AND type = 'started') AS in_vain
FROM procrastinate.procrastinate_jobs AS job LEFT JOIN LATERAL (
    SELECT reason, at, job_failures.instead FROM job_failures WHERE job_id = job.id
    ORDER BY job_failures.id DESC LIMIT 1
) AS last ON true WHERE id = ANY(:ids) ORDER BY id
""")
_OF_RUN = text("""
SELECT id FROM procrastinate.procrastinate_jobs
WHERE task_name = 'reextract' AND CAST(args ->> 'run' AS bigint) = :run AND (:over OR status IN ('todo', 'doing'))
ORDER BY id
""")
_HOSTS = text(f"SELECT host FROM workers WHERE stopped_at IS NULL AND id IN ({LIVING}) ORDER BY host, id")  # noqa: S608
_REFUSED = text("""
UPDATE procrastinate.procrastinate_jobs
SET args = jsonb_set(args, '{refused}',
    coalesce(args -> 'refused', '{}') || jsonb_build_object(CAST(:host AS text), CAST(:why AS text)))
WHERE id = :id RETURNING args -> 'refused' AS refused
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ticket:
    """A job, and how it stands.

    `reason`: why its last attempt came to nothing; `instead`: which one does it now. `damage`: what is wrong with the
    archive that it reads. `in_vain`: it was done, and came to nothing, as `reason` says.
    """

    id: int
    task: str
    arguments: dict[str, Any]
    status: str
    attempts: int
    reason: str | None
    instead: int | None
    damage: str | None
    in_vain: bool | None

    @property
    def is_over(self) -> bool:
        return self.status in OVER


def put_off(connection: Connection, ids: Sequence[int], at: datetime) -> None:
    """Not before `at`."""
    connection.execute(_PUT_OFF, {"ids": list(ids), "at": at})


def tickets(connection: Connection, ids: Sequence[int]) -> list[Ticket]:
    """Those of these jobs that there are: what was over long ago is forgotten."""
    return [Ticket(**row) for row in connection.execute(_TICKETS, {"ids": list(ids)}).mappings()]


def hurry(connection: Connection, jobs: Iterable[Job]) -> list[int]:
    """Those that wait already with these queueing locks, by a schedule or after a failure, go first now.

    Returns their ids.
    """
    given = sorted((job.queueing_lock, job.priority) for job in jobs if job.queueing_lock)
    rows = ({"lock": lock, "priority": priority} for lock, priority in given)
    return [one for row in rows for one in connection.execute(_HURRY, row).scalars()]


def of_run(connection: Connection, run_id: int, *, over: bool = True) -> list[int]:
    """The jobs of a re-extraction; with or without those that are over."""
    return list(connection.execute(_OF_RUN, {"run": run_id, "over": over}).scalars())


def hosts(connection: Connection) -> list[str]:
    """The hosts of the workers that live, of each."""
    return list(connection.execute(_HOSTS).scalars())


def refuse(connection: Connection, job_id: int, host: str, why: str) -> dict[str, str] | None:
    """Note that a job cannot be done on this host. Returns all that said so, by host, if no other is left to try."""
    refused: dict[str, str] | None = connection.execute(_REFUSED, {"id": job_id, "host": host, "why": why}).scalar()
    return refused if refused and refused.keys() >= set(hosts(connection)) else None
