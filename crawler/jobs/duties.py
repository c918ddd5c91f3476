"""What the scheduler does beside queueing what is due: a list of small functions, each with a pace of its own.

A duty that fails is told and tried again; a duty that takes long holds up no other, and not the tick.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scrapy.settings import BaseSettings
from sqlalchemy import Connection

from crawler.jobs.seeds import SeedsFolder
from crawler.jobs.watching import Watch
from crawler.store import crawls, queue, rhythms
from crawler.store.engine import Database
from crawler.store.schedules import Defaults

BUSY = 20.0  # seconds that a duty goes on with what there is; then others have the database
PRUNED = 10_000  # jobs of one transaction


@dataclass(frozen=True, slots=True)
class Duty:
    """`work` says what it has done, or None for nothing; what it raises is told and kept in `schedulers.trouble`."""

    name: str
    every_seconds: float
    work: Callable[[Database], str | None]


def duties(settings: BaseSettings) -> list[Duty]:
    """All of them."""
    folder, watch = SeedsFolder(Path(settings["SEEDS_DIR"]), defaults(settings)), Watch()
    tick = settings.getfloat("TICK")
    return [
        Duty("seeds", tick, folder.follow),
        Duty("rhythms", 60.0, learn),
        Duty("lost jobs", tick, lambda database: requeue(database, settings.getfloat("LOST_GRACE"))),
        Duty("finished jobs and crawls", 3_600.0, Pruning()),
        Duty("health", 60.0, lambda database: watch(database, settings)),
    ]


def defaults(settings: BaseSettings) -> Defaults:
    """What holds for seeds that say nothing."""
    return Defaults(settings["SCHEDULE"] or "auto", settings["QUIET_HOURS"] or "")


def learn(database: Database) -> str | None:
    """How often sources publish."""
    _batches(database, rhythms.learn, rhythms.BATCH)
    return None


def requeue(database: Database, grace: float) -> str | None:
    """What dead workers have left."""
    with database.engine.begin() as connection:
        crawls.bury_dead(connection, grace)
        lost = queue.requeue_lost(connection, grace)
    return f"{len(lost)} jobs of dead workers are back" if lost else None


class Pruning:
    """Deletes what is over for long. It looks once at each crawl for whether it found nothing."""

    def __init__(self) -> None:
        self._after = 0  # the last crawl that was looked at

    def __call__(self, database: Database) -> str | None:
        jobs = _batches(database, lambda connection: queue.prune(connection, most=PRUNED), PRUNED)
        runs = _batches(database, lambda connection: crawls.prune(connection, most=PRUNED), PRUNED)
        runs += self._idle(database)
        return f"{jobs:,} finished jobs and {runs:,} crawls pruned" if jobs or runs else None

    def _idle(self, database: Database) -> int:
        total, end = 0, time.monotonic() + BUSY
        while time.monotonic() < end:
            with database.engine.begin() as connection:
                some, last = crawls.prune_idle(connection, self._after, most=PRUNED)
            total += some
            if last is None:
                break
            self._after = last
        return total


def _batches(database: Database, work: Callable[[Connection], int], most: int) -> int:
    """Do it in transactions of their own until one finds less than `most`, or for BUSY seconds."""
    total, end = 0, time.monotonic() + BUSY
    while time.monotonic() < end:
        with database.engine.begin() as connection:
            total += (some := work(connection))
        if some < most:
            break
    return total
