"""A run as jobs: one for each slice, then one for each source with changes, which no crawl of it runs beside."""

from __future__ import annotations

from sqlalchemy import Connection

from crawler.store import queue, reextractions, slices
from crawler.store.queue import BULK, Job


def looking(connection: Connection, run_id: int) -> list[Job]:
    """Of slices that no worker has already."""
    taken = {one.arguments.get("slice") for one in queue.running(connection) if one.arguments.get("run") == run_id}
    return [
        Job(
            task="reextract",
            arguments={"run": run_id, "slice": one},
            queueing_lock=f"reextract:{one}",
            priority=BULK,
        )
        for one in slices.unfinished(connection, run_id)
        if one not in taken
    ]


def applying(connection: Connection, run_id: int) -> list[Job]:
    return [
        Job(
            task="reextract",
            arguments={"run": run_id, "apply": source},
            lock=source,
            queueing_lock=f"reextract:{run_id}:{source}",
            priority=BULK,
        )
        for source in reextractions.to_apply(connection, run_id)
    ]
