"""Stand-in until the worker's part is merged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, text

PERSON, SCHEDULED, BULK = 10, 0, -10


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    task: Literal["crawl", "reextract", "archive"]
    arguments: Mapping[str, Any]
    lock: str | None = None
    queueing_lock: str | None = None
    priority: int = 0


_ENQUEUE = text("""
INSERT INTO procrastinate.procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
VALUES ('news', :task, :priority, :lock, :queueing_lock, CAST(:args AS jsonb))
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING RETURNING id
""")


def enqueue(connection: Connection, jobs: Sequence[Job]) -> list[int | None]:
    return [
        connection.execute(
            _ENQUEUE,
            {
                "task": job.task,
                "priority": job.priority,
                "lock": job.lock,
                "queueing_lock": job.queueing_lock,
                "args": json.dumps(dict(job.arguments)),
            },
        ).scalar()
        for job in jobs
    ]
