"""What workers get through, and what it takes: 1, 2, 4 of them on one queue, bound by CPU and bound by politeness.

    python -m benchmarks.workers [--workers 1 2 4] [--only cpu,polite]
    python -m benchmarks.workers --newsweb DIR --data DIR ...     real pages, served by that local web

cpu      SOURCES sources with PAGES pages each and no delay at all: how fast a machine can be.
polite   POLITE sources with a few pages each, a second between two requests to a host, and LATENCY of the web: what a
         worker carries that mostly waits.

Each run has a fresh embedded PostgreSQL. First all sources are crawled, then, in a second round, all of them again,
which finds nothing new. The queue is filled at once; the clock runs until the last job is done. CPU is that of the
workers with all their processes, PostgreSQL's apart; memory is proportional (a page that processes share counts once).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.fleet import Fleet, Usage, environment, peak, until
from benchmarks.served import Served, add_options, served
from crawler.sources import load_sources
from crawler.store import crawls
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, migrate
from crawler.store.queue import crawl_of, enqueue
from tests.site.street import write_seeds

UNHURRIED = {
    "AUTOTHROTTLE_ENABLED": 0,
    "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
    "CRAWL_DELAY_MAX": 0,
    "DOWNLOAD_DELAY": 0,
}
KINDS = ("cpu", "polite")
LONGEST = 3_600  # seconds of a round

_JOBS = text("SELECT count(*) FROM procrastinate.procrastinate_jobs WHERE status = 'succeeded'")
_PAGES = text("SELECT count(*) FROM urls WHERE fetched_at IS NOT NULL")
_TOOK = text(
    "SELECT coalesce(avg(extract(epoch FROM finished_at - started_at)), 0)::float8 FROM crawls WHERE id > :after"
)
_LAST = text("SELECT coalesce(max(id), 0) FROM crawls")


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One filling of the queue. CPU in seconds; `took`: seconds of a crawl, on average."""

    kind: str
    workers: int
    again: bool
    seconds: float
    crawls: int
    pages: int
    cpu: float
    server_cpu: float
    memory: float
    processes: int
    connections: int
    took: float


class Sampler:
    """Looks at a fleet twice a second while the context is open."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.usages = fleet, list[Usage]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self.usages.append(self.fleet.usage())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.usages.append(self.fleet.usage())

    def _run(self) -> None:
        while not self._over.wait(0.5):
            self.usages.append(self.fleet.usage())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--only", default=",".join(KINDS), help="cpu, polite or both")
    parser.add_argument("--sources", type=int, default=20, help="of `cpu`")
    parser.add_argument("--pages", type=int, default=60, help="of each of them")
    parser.add_argument("--polite", type=int, default=60, help="sources of `polite`")
    parser.add_argument("--polite-pages", type=int, default=8, help="of each of them")
    parser.add_argument("--latency", type=float, default=0.2, metavar="SECONDS", help="of the web in `polite`")
    parser.add_argument("--processes", type=int, default=1, help="of each worker that crawl")
    parser.add_argument("--crawls", type=int, default=4, help="jobs of each worker at once, in `cpu`")
    parser.add_argument("--polite-crawls", type=int, default=12, help="jobs of each worker at once, in `polite`")
    parser.add_argument("--extraction", type=int, default=1, help="extraction processes of each crawling process")
    parser.add_argument("-s", dest="set", action="append", default=[], metavar="NAME=VALUE", help="a setting of all")
    add_options(parser)
    options = parser.parse_args(arguments)
    kinds = options.only.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no kind is called {', '.join(sorted(unknown))}")
    rounds = list[Round]()
    console = Console() if sys.stdout.isatty() else Console(width=160)
    for kind in kinds:
        for number in options.workers:
            for one in measure(options, kind, number):
                rounds.append(one)
                console.print(told(one), highlight=False)
    console.print(table(rounds))


def measure(options: argparse.Namespace, kind: str, workers: int) -> Iterator[Round]:
    """Two rounds on a database of their own."""
    polite = kind == "polite"
    hosts, pages = (options.polite, options.polite_pages) if polite else (options.sources, options.pages)
    settings: dict[str, object] = {
        "EXTRACTION_WORKERS": options.extraction,
        "LOG_LEVEL": "WARNING",
        "WORKER_CRAWLS": options.polite_crawls if polite else options.crawls,
        "WORKER_PROCESSES": options.processes,
        **({} if polite else UNHURRIED),
        **dict(one.partition("=")[::2] for one in options.set),
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as room:
        folder = Path(room)
        latency = options.latency if polite else 0.0
        with (
            served(options, folder, hosts=hosts, articles=pages, latency=latency) as web,
            opened(folder, web) as database,
            Fleet(
                database=database,
                folder=folder,
                environment=environment(database.url, folder / "seeds", folder / "data", web.url),
                settings=settings,
            ) as fleet,
        ):
            for number in range(workers):
                fleet.start(f"worker-{number}", "worker")
            if not until(lambda: fleet.value("SELECT count(*) FROM workers WHERE stopped_at IS NULL") == workers, 60):
                raise SystemExit((folder / "worker-0.log").read_text())
            time.sleep(1)
            for again in (False, True):
                yield one_round(fleet, kind, workers, again, [seed.stem for seed in (folder / "seeds").iterdir()])
            for name in list(fleet.running):
                fleet.stop(name)


@contextmanager
def opened(folder: Path, web: Served) -> Iterator[Database]:
    """A database that knows the sources, as a scheduler leaves it."""
    write_seeds(folder / "seeds", web.hosts)
    with EmbeddedServer(folder / "data") as url, Database(url) as database:
        migrate(database.engine)
        sources, broken = load_sources(folder / "seeds")
        assert not broken
        with database.engine.begin() as connection:
            crawls.save_sources(connection, sources.values())
            connection.execute(text("UPDATE sources SET seeded_at = now()"))
        yield database


def one_round(fleet: Fleet, kind: str, workers: int, again: bool, sources: Sequence[str]) -> Round:
    """Fill the queue and wait until it is empty."""
    with fleet.database.engine.connect() as connection:
        done, last = connection.execute(_JOBS).scalar_one(), connection.execute(_LAST).scalar_one()
        pages = connection.execute(_PAGES).scalar_one()
    began = time.monotonic()
    with Sampler(fleet) as sampler:
        with fleet.database.engine.begin() as connection:
            enqueue(connection, [crawl_of(source) for source in sources])
        if not until(lambda: not fleet.open_jobs(), LONGEST, 0.05):
            raise SystemExit("the queue does not become empty")
        seconds = time.monotonic() - began
    with fleet.database.engine.connect() as connection:
        first, final = sampler.usages[0], sampler.usages[-1]
        return Round(
            kind=kind,
            workers=workers,
            again=again,
            seconds=seconds,
            crawls=connection.execute(_JOBS).scalar_one() - done,
            pages=connection.execute(_PAGES).scalar_one() - pages,
            cpu=final.cpu - first.cpu,
            server_cpu=final.server_cpu - first.server_cpu,
            memory=peak(sampler.usages, "memory"),
            processes=int(peak(sampler.usages, "processes")),
            connections=int(peak(sampler.usages, "connections")),
            took=connection.execute(_TOOK, {"after": last}).scalar_one(),
        )


def told(one: Round) -> str:
    """A line."""
    what = "again" if one.again else "first"
    return f"{one.kind}, {one.workers} workers, {what}: {one.crawls} crawls, {one.pages} pages in {one.seconds:.1f} s"


def table(rounds: Sequence[Round]) -> Table:
    """A row for each round."""
    made = Table(box=None, header_style="dim")
    for head in ("kind", "workers", "round", "crawls/min", "pages/s", "s a crawl", "CPU ms a page", "CPU ms a crawl",
                 "PostgreSQL ms a page", "a crawl", "cores", "MB", "processes", "connections"):  # fmt: skip
        made.add_column(head, justify="left" if head == "kind" else "right")
    for one in rounds:
        pages = one.pages
        made.add_row(
            one.kind,
            str(one.workers),
            "nothing new" if one.again else "first",
            f"{one.crawls / one.seconds * 60:.0f}",
            f"{pages / one.seconds:.1f}" if pages else "",
            f"{one.took:.1f}",
            f"{one.cpu / pages * 1e3:.0f}" if pages else "",
            f"{one.cpu / one.crawls * 1e3:.0f}",
            f"{one.server_cpu / pages * 1e3:.1f}" if pages else "",
            f"{one.server_cpu / one.crawls * 1e3:.0f}",
            f"{(one.cpu + one.server_cpu) / one.seconds:.2f}",
            f"{one.memory:,.0f}",
            str(one.processes),
            str(one.connections),
        )
    return made


if __name__ == "__main__":
    main()
