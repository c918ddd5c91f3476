"""What has become of jobs that somebody waits for, said as it happens: `scrapy enqueue --wait`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from crawler.store import awaited, slices
from crawler.store.awaited import Ticket
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.web.queue import alive

POLL = 1.0  # seconds


def follow(
    database: Database, patience: Patience, ids: Sequence[int], run: int | None, show: Callable[[str], None]
) -> list[Ticket]:
    """Until all are over; `show` is told how far they are. `run`: of a re-extraction, whose jobs make others.

    A job whose work another does is followed there. Returns them as they ended.
    """
    while True:
        found, hosts, extent = patience.transaction(
            database.engine,
            lambda connection, ids=ids: (  # type: ignore[misc]
                awaited.tickets(connection, awaited.of_run(connection, run) if run else ids),
                awaited.hosts(connection),
                slices.extent(connection, run) if run else None,
            ),
        )
        if moved := {one.id: one.instead for one in found if one.instead is not None and run is None}:
            ids = [moved.get(one, one) for one in ids]
            continue
        mine = [one for one in found if one.id >= min(ids, default=0)]
        if all(one.is_over for one in mine):
            return mine
        show(_words(Counter(one.status for one in mine), len(hosts), extent))
        time.sleep(POLL)


def _words(counted: Counter[str], workers: int, extent: slices.Extent | None) -> str:
    words = {"doing": "running", "todo": "waiting", "succeeded": "done", "failed": "failed", "cancelled": "cancelled"}
    said = ", ".join(f"{counted[status]:,} {word}" for status, word in words.items() if counted[status])
    if extent is not None and extent.pages:
        said += f"; {extent.looked_at:,} of {extent.pages:,} pages"
    return f"{said}; {alive(workers)}"
