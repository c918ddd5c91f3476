"""A run as jobs: one for each slice, then one for each source with changes, which no crawl of it runs beside."""

from __future__ import annotations

from sqlalchemy import Connection

from crawler.store import reextractions, slices
from crawler.store.queue import BULK, Job


def looking(connection: Connection, run_id: int, priority: int = BULK) -> list[Job]:
    return [
        Job(
            task="reextract",
            arguments={"run": run_id, "slice": one},
            queueing_lock=f"reextract:{one}",
            priority=priority,
        )
        for one in slices.unfinished(connection, run_id)
    ]


def applying(connection: Connection, run_id: int, priority: int = BULK) -> list[Job]:
    return [
        Job(
            task="reextract",
            arguments={"run": run_id, "apply": source},
            lock=source,
            queueing_lock=f"reextract:{run_id}:{source}",
            priority=priority,
        )
        for source in reextractions.to_apply(connection, run_id)
    ]
