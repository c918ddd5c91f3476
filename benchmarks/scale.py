"""When does the database become the limit? What workers do to it, without their fetching, at 10^3 to 10^5 sources.

    python -m benchmarks.scale [--sources 1000 10000 100000] [--database-url URL]
                               [--interval 30] [--articles 20] [--crawl-cpu 0.4] [--page-cpu 0.06] ...

Each size has a database of its own, filled as weeks of crawls leave it: sources with LISTINGS feeds, sitemaps and
sections each, URLS pages in the frontier, CRAWLS rows of past crawls. Then the real functions run on it: the tick of a
scheduler, the queue with nothing and with everything waiting, CRAWLS_TIMED crawls that find nothing new (open, lists
due, a place at the host for each request, read, take, close), and the storing of articles (benchmarks/store.py's).
CPU is the server's, of all its processes. As in a worker, a crawl opens the two connections that hold its locks, and
shares the others.

From this the last tables are computed, and every input of theirs is printed. What a worker takes for a crawl and a page
is benchmarks/workers.py's to measure: give it with --crawl-cpu, --page-cpu, --crawl-seconds, --crawl-connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks import processes
from benchmarks.filling import vacuum
from benchmarks.frontier import own_database, server
from benchmarks.store import Prober
from crawler.sources import Source
from crawler.store import queue, schedules
from crawler.store.engine import Database, open_database
from crawler.store.gate import HostGate
from crawler.store.listings import NOT_MODIFIED, DueListing, Reading
from crawler.store.queue import crawl_of, enqueue
from crawler.store.session import CrawlStore

SIZES = (1_000, 10_000, 100_000)
LISTINGS, URLS, CRAWLS = 8, 20, 10  # of each source
DUE = 4  # of its listings, at each crawl
CRAWLS_TIMED, TICKS, FETCHES, PROBE = 60, 20, 200, 400
DAY = 86_400

_FILL = (
    """INSERT INTO sources (id, name, homepage, seed, seeded_at, crawled_at, schedule, due_at, due_why)
    SELECT 's' || n, 'S' || n, 'https://www.s' || n || '.example/',
        jsonb_build_object('id', 's' || n, 'name', 'S' || n, 'homepage', 'https://www.s' || n || '.example/'),
        now(), now(), 'auto', now() + random() * interval '30 minutes' + interval '30 minutes', 'auto'
    FROM generate_series(0, :n - 1) AS n""",
    """INSERT INTO rhythms (source, counts, learn_at) SELECT id, array_fill(0, ARRAY[168]), now() + interval '1 day'
    FROM sources""",
    """INSERT INTO listings (source, url, kind, parent, etag, checked_at, changed_at, not_before)
    SELECT 's' || n, 'https://www.s' || n || '.example/list' || l,
        (ARRAY['homepage', 'feed', 'feed', 'sitemap', 'sitemap', 'section', 'section', 'section'])[l], CASE WHEN l > 1
        THEN 'https://www.s' || n || '.example/' END, '"1"', now(), now(),
        CASE WHEN l BETWEEN 2 AND :due + 1 THEN now() ELSE now() + interval '1 day' END
    FROM generate_series(0, :n - 1) AS n, generate_series(1, :listings) AS l""",
    """INSERT INTO urls (key, url, source, state, reason, found_in, fetched_at, published_at, rank, not_before)
    SELECT 's' || n || '.example/2026/11/what-happened-there-' || u, 'https://www.s' || n ||
        '.example/2026/11/what-happened-there-' || u, 's' || n, 'fetched', 'article', 'feed', now(), now(), 1,
        CASE WHEN u = 1 THEN now() + interval '1 day' END
    FROM generate_series(0, :n - 1) AS n, generate_series(1, :urls) AS u""",
    """INSERT INTO crawls (spider, sources, host, pid, version, started_at, finished_at, outcome, reason, stats)
    SELECT 's' || n, ARRAY['s' || n], 'host', 1, '0.1.0', now() - c * interval '30 minutes',
        now() - c * interval '30 minutes' + interval '8 seconds', 'finished', 'finished', CAST(:stats AS jsonb)
    FROM generate_series(:crawls, 1, -1) AS c, generate_series(0, :n - 1) AS n""",
    """INSERT INTO robots (origin, body, status, fetched_at, good_until)
    SELECT 'https://www.s' || n || '.example', 'User-agent: *', 200, now(), now() + interval '1 day'
    FROM generate_series(0, :n - 1) AS n""",
)
STATS = {f"a_name_of_scrapy/as_long_as_they_are/{n}": n * 1_000 for n in range(22)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Milliseconds, by the clock and of the server's CPU, of one of what was done."""

    wall: float
    cpu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """What one number of sources gives."""

    sources: int
    idle_tick: Cost
    queued: Cost  # a source, when many are due at once
    fetched_short: Cost  # a job out of a short queue
    fetched_long: Cost  # a job out of a queue with all sources in it
    crawl: Cost
    article: float  # ms of the server's CPU


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, compute and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    parser.add_argument(
        "--interval", type=float, default=30.0, help="minutes between two crawls of a source, on average"
    )
    parser.add_argument("--articles", type=float, default=20.0, help="new ones of a source in a day, on average")
    parser.add_argument("--pages", type=float, default=1.5, help="pages fetched for each new article, looks included")
    parser.add_argument(
        "--crawl-cpu", type=float, default=0.05, help="seconds of a worker for a crawl that finds nothing"
    )
    parser.add_argument("--page-cpu", type=float, default=0.1, help="seconds of a worker for a page")
    parser.add_argument("--crawl-seconds", type=float, default=8.0, help="that a crawl which finds nothing takes")
    parser.add_argument("--crawl-connections", type=float, default=3.0, help="connections of a crawl while it runs")
    parser.add_argument("--crawl-mb", type=float, default=46.0, help="memory of a crawl while it runs")
    parser.add_argument("--crawl-bytes", type=float, default=2_100, help="of a row in `crawls`")
    parser.add_argument("--max-connections", type=float, default=97, help="of the server, without the reserved ones")
    parser.add_argument("--use", type=float, default=0.6, help="share of a core that may be used on average")
    parser.add_argument("--json", type=Path, help="write what was measured there")
    given = parser.parse_args(arguments)
    sizes = list[Size]()
    console = Console() if sys.stdout.isatty() else Console(width=180)
    with server(given.database_url) as url:
        for number in given.sources:
            with own_database(url) as database:
                with console.status(f"filling {number:,} sources"):
                    fill(database, number)
                with console.status(f"{number:,} sources"):
                    sizes.append(measure(database, number))
            console.print(f"{sizes[-1]}", highlight=False)
    console.print(measured(sizes))
    console.print(computed(sizes, given))
    if given.json:
        given.json.write_text(json.dumps([asdict(one) for one in sizes], indent=1))


def fill(database: Database, number: int) -> None:
    """So many sources."""
    given = {
        "n": number, "stats": json.dumps(STATS), "due": DUE, "listings": LISTINGS, "urls": URLS, "crawls": CRAWLS
    }  # fmt: skip
    for statement in _FILL:
        prepared = text(statement)
        with database.engine.begin() as connection:
            connection.execute(prepared, {name: given[name] for name in prepared.compile().params})
    vacuum(database)


def measure(database: Database, number: int) -> Size:
    """All of it on one database."""
    timer = Timer(database)
    defaults = schedules.Defaults()

    def tick() -> None:
        with database.engine.begin() as connection:
            schedules.queue_due(connection, defaults)
            queue.requeue_lost(connection, grace=0)

    idle = timer.of(tick, TICKS)
    # -- the queue, short and long
    with database.engine.begin() as connection:
        worker = int(connection.execute(_WORKER).scalar_one())
        enqueue(connection, [crawl_of(f"s{n}") for n in range(FETCHES)])
    short = timer.of(lambda: fetch(database, worker), FETCHES)
    clear(database)
    most = min(number, 5_000)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE sources SET due_at = now() WHERE id = ANY(:ids)"),
                           {"ids": [f"s{n}" for n in range(most)]})  # fmt: skip

    def due() -> None:
        with database.engine.begin() as connection:
            schedules.queue_due(connection, defaults)

    queued = timer.of(due, math.ceil(most / schedules.BATCH))
    share = schedules.BATCH if most >= schedules.BATCH else most
    queued = Cost(wall=queued.wall / share, cpu=queued.cpu / share)
    for start in range(0, number, 5_000):
        with database.engine.begin() as connection:
            enqueue(connection, [crawl_of(f"s{n}") for n in range(start, min(start + 5_000, number))])
    vacuum(database)
    long = timer.of(lambda: fetch(database, worker), FETCHES)
    clear(database)
    vacuum(database)
    numbers = iter(range(0, number, max(1, number // (CRAWLS_TIMED + 1))))
    with open_database(database.url, Path(), connections=16) as shared:
        crawl = timer.of(lambda: one_crawl(shared, f"s{next(numbers)}"), CRAWLS_TIMED)
    rate = Prober(database, number * 100, PROBE).round(16)
    return Size(
        sources=number,
        idle_tick=idle,
        queued=queued,
        fetched_short=short,
        fetched_long=long,
        crawl=crawl,
        article=rate.server_cpu or 0.0,
    )


_FETCH = text("""
SELECT id FROM procrastinate.procrastinate_fetch_job_v2(CAST(:queues AS varchar[]), :worker)
""")
_WORKER = text("""
INSERT INTO procrastinate.procrastinate_workers DEFAULT VALUES RETURNING id
""")


def fetch(database: Database, worker: int) -> None:
    """Take one job and end it, as a worker does."""
    with database.engine.begin() as connection:
        job = connection.execute(_FETCH, {"queues": [queue.QUEUE], "worker": worker}).scalar_one()
    with database.engine.begin() as connection:
        queue.settle(connection, job, worker, queue.Ending(kind="done"))


def clear(database: Database) -> None:
    """An empty queue."""
    with database.engine.begin() as connection:
        connection.execute(text("TRUNCATE procrastinate.procrastinate_jobs CASCADE"))


def one_crawl(database: Database, name: str) -> None:
    """A crawl that finds nothing new, in what it asks of the database; `database` is what its process shares."""
    source = Source.model_validate({"id": name, "name": name, "homepage": f"https://www.{name}.example/"})
    store = CrawlStore(database, 10)
    store.open(name, [source], {})
    asyncio.run(_crawl(store, source))
    store.close("finished", "finished", STATS)


async def _crawl(store: CrawlStore, source: Source) -> None:
    gate, host = HostGate(store, 600), f"www.{source.id}.example"
    await store.seeded(source.id, [])
    await store.known_robots(f"https://{host}")
    await store.rates(source.id)
    await asyncio.gather(
        *(_asked(store, gate, host, one) for one in await store.due_listings(source.id, ["feed", "sitemap"]))
    )
    await store.shapes(source.id)
    await store.due_listings(source.id, ["section", "further"])
    for _ in range(2):
        await store.take({source.id: 8}, 200)


async def _asked(store: CrawlStore, gate: HostGate, host: str, listing: DueListing) -> None:
    turn = await gate.enter(host, slots=2, delay=0.001)
    gate.leave(turn)
    await store.was_read(Reading(listing=listing, outcome=NOT_MODIFIED))


class Timer:
    """Times work on one server."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self.postmaster = processes.postmaster_of(connection)

    def of(self, work: Callable[[], object], times: int) -> Cost:
        """The median by the clock, the mean of the CPU."""
        clock, before = list[float](), processes.cpu(self.postmaster) or 0.0
        for _ in range(times):
            started = time.perf_counter()
            work()
            clock.append(time.perf_counter() - started)
        cpu = (processes.cpu(self.postmaster) or 0.0) - before
        return Cost(wall=statistics.median(clock) * 1e3, cpu=cpu / times * 1e3)


# -- what follows -----------------------------------------------------------------------------------------------------


def measured(sizes: Sequence[Size]) -> Table:
    """Server CPU, and the clock in parentheses."""
    table = Table(box=None, header_style="dim", title="ms of the server's CPU (by the clock)", title_justify="left")
    for title in ("sources", "tick, nothing due", "a source queued", "job taken: short queue", "all in the queue",
                  "crawl, nothing new", "article stored"):  # fmt: skip
        table.add_column(title, justify="right")
    for one in sizes:
        costs = (one.idle_tick, one.queued, one.fetched_short, one.fetched_long, one.crawl)
        cells = [f"{cost.cpu:.1f} ({cost.wall:.1f})" for cost in costs]
        table.add_row(f"{one.sources:,}", *cells, f"{one.article:.1f}")
    return table


def computed(sizes: Sequence[Size], given: argparse.Namespace) -> Table:
    """Cores, machines, connections at each size, and what one core of the database carries."""
    title = (
        f"a crawl of a source every {given.interval:g} min, {given.articles:g} new articles a day and source, "
        f"{given.pages:g} pages an article; a worker: "
        f"{given.crawl_cpu:g} s of CPU a crawl, {given.page_cpu:g} s a page; "
        f"a crawl: {given.crawl_seconds:g} s, {given.crawl_connections:g} connections, {given.crawl_mb:g} MB; "
        f"cores used to {given.use:.0%}"
    )
    table = Table(box=None, header_style="dim", title=title, title_justify="left")
    for head in ("sources", "crawls/s", "articles/s", "database cores", "sources a database core", "connections",
                 "worker cores", "worker memory GB", "machines of 4 cores", "crawl rows GB/month"):  # fmt: skip
        table.add_column(head, justify="right")
    for one in sizes:
        crawls = one.sources / (given.interval * 60)
        articles = one.sources * given.articles / DAY
        pages = articles * given.pages
        load = (
            crawls * (one.crawl.cpu + one.fetched_short.cpu + one.queued.cpu)
            + articles * one.article
            + one.idle_tick.cpu / 5
        ) / 1e3
        at_once = crawls * given.crawl_seconds + pages * 2
        cores = (crawls * given.crawl_cpu + pages * given.page_cpu) / given.use
        table.add_row(
            f"{one.sources:,}",
            f"{crawls:.1f}",
            f"{articles:.2f}",
            f"{load / given.use:.2f}",
            f"{one.sources / load * given.use:,.0f}",
            f"{at_once * given.crawl_connections:,.0f}",
            f"{one.sources * given.max_connections / (at_once * given.crawl_connections):,.0f}",
            f"{cores:.2f}",
            f"{at_once * given.crawl_mb / 1024:.1f}",
            f"{math.ceil(cores / 4)}",
            f"{crawls * DAY * 30 * given.crawl_bytes / 1e9:.1f}",
        )
    return table


if __name__ == "__main__":
    main()
