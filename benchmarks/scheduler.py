"""What a tick of the scheduler costs: when nothing is due, when a hundredth of the sources is, and after a downtime.

    python -m benchmarks.scheduler [--sources 100 10000 100000] [--rounds 5] [--database-url URL]

Each size has a database of its own on the embedded server (or on DATABASE_URL's), its sources with `schedule: auto` and
a learned rhythm. A tick is what the leader does every TICK seconds: hold its lock, queue what is due, say when that is
due next, note that it has ticked. Milliseconds, the median of the rounds; after the downtime everything is due at once.

2026-11, two cores that others used too:

    sources   idle tick   1 % due: tick    a source   all due: in all
        100      8.5 ms           40 ms                         0.1 s
     10,000      3.8 ms     88 in 51 ms     0.58 ms            11.5 s
    100,000     14.4 ms   994 in 597 ms     0.60 ms           140   s   (batches of a thousand, a commit each)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.frontier import own_database, server
from crawler.jobs.scheduler import Scheduler
from crawler.store.engine import Database
from crawler.store.schedules import Defaults

SIZES = (100, 10_000, 100_000)
ROUNDS = 5

_FILL = """
INSERT INTO sources (id, name, homepage, seed, schedule, seeded_at, due_at, crawled_at)
SELECT 's' || n, 'Source ' || n, 'https://s' || n || '.example/',
    jsonb_build_object('id', 's' || n, 'name', 'Source ' || n, 'homepage', 'https://s' || n || '.example/'),
    'auto', now(), now() + interval '1 hour' + n * interval '1 millisecond', now()
FROM generate_series(1, {number}) AS n;
INSERT INTO rhythms (source, counts, since, learn_at)
SELECT id, (SELECT array_agg((hashtext(id) % 3 + 3) * (h % 24) / 12) FROM generate_series(0, 167) AS h),
    now() - interval '28 days', now() + interval '6 hours' FROM sources;
"""
_DUE = "UPDATE sources SET due_at = now() - interval '1 second' * random() WHERE hashtext(id) % {every} = 0"
_DONE = "DELETE FROM procrastinate.procrastinate_jobs; UPDATE sources SET due_at = now() + interval '1 hour'"


@dataclass(frozen=True)
class Times:
    """Milliseconds."""

    sources: int
    idle: float
    some: float  # a hundredth is due
    queued: int  # by that tick
    all: float  # everything is due


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a tick of the scheduler costs, by the number of sources")
    parser.add_argument("--sources", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console = Console()
    table = Table("sources", "idle tick, ms", "1 % due, ms", "queued", "ms each", "all due, s", "ms each")
    with server(given.database_url) as url:
        for number in given.sources:
            with own_database(url) as database, console.status(f"{number:,} sources"):
                one = measure(database, number, given.rounds)
            each = f"{one.some / one.queued:.2f}" if one.queued else "–"
            table.add_row(
                f"{number:,}", f"{one.idle:.1f}", f"{one.some:.0f}", f"{one.queued:,}", each,
                f"{one.all / 1000:.1f}", f"{one.all / number:.2f}",
            )  # fmt: skip
    console.print(table)


def measure(database: Database, number: int, rounds: int) -> Times:
    do(database, _FILL.format(number=number))
    vacuum(database)
    scheduler = Scheduler(database, 5.0, Defaults(), [])
    assert scheduler.act() is not None, "it leads"
    idle = median(timed(scheduler)[0] for _ in range(rounds * 4))
    some, queued = [], 0
    for _ in range(rounds):
        do(database, _DUE.format(every=100))
        took, queued = timed(scheduler)
        some.append(took)
        do(database, _DONE)
        vacuum(database)
    do(database, _DUE.format(every=1))
    everything = 0.0
    while (found := timed(scheduler))[1]:
        everything += found[0]
    scheduler.leadership.give_up(1.0)
    return Times(number, idle, median(some), queued, everything)


def timed(scheduler: Scheduler) -> tuple[float, int]:
    """Milliseconds of a tick, and how many crawls it queued."""
    started = time.perf_counter()
    queued = scheduler.act()
    return (time.perf_counter() - started) * 1000, queued or 0


def do(database: Database, statement: str) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement.replace("%", "%%"))


def vacuum(database: Database) -> None:
    """As autovacuum does after a while."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) sources, rhythms, procrastinate.procrastinate_jobs"))


if __name__ == "__main__":
    main()
