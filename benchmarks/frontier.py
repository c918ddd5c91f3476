"""What a page costs in the frontier, however many it holds: add, take, finish, and a feed whose entries are all known.

    python -m benchmarks.frontier [--rows 1000 10000 100000 1000000] [--database-url URL]

Each size is built up by the real functions in a database of its own on the embedded server (or on DATABASE_URL's),
then PROBE pages go through the whole life of a page in the sizes of batches that a crawl uses. Times are the server's
and ours together, in microseconds a page, the best of several rounds; the last line is the dearest size against the
cheapest.

2026-11, two cores: 131 µs a page at a thousand rows, 123 at ten thousand, 124 at a hundred thousand, 147 at a million
(add 46, take 40, finish 61; announced again 35): 1.20.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import Connection, create_engine, text

from crawler.items import Candidate
from crawler.sources import Source
from crawler.store import crawls, frontier, intake
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, driver_url, migrate
from crawler.store.frontier import Due, Visit

SIZES = (1_000, 10_000, 100_000, 1_000_000)
PROBE, ROUNDS = 2_000, 5  # pages of a round
ADD, TAKE, FINISH = 500, 64, 20  # pages of one statement, as a crawl has them
SOURCES = 20
STEPS = ("add", "take", "finish", "known")


@dataclass(frozen=True)
class Times:
    """Microseconds a page."""

    rows: int
    of: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.of[step] for step in ("add", "take", "finish"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a page costs in the frontier, by the number of rows in it")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console = Console()
    with server(given.database_url) as url:
        measured = []
        for rows in given.rows:
            with own_database(url) as database, console.status(f"{rows:,} rows"):
                measured.append(measure(database, rows))
            console.print(f"{rows:>9,} rows: {measured[-1].total:6.0f} µs a page")
    console.print(table(measured))
    low, high = min(one.total for one in measured), max(one.total for one in measured)
    console.print(f"dearest against cheapest size: {high / low:.2f}")


def measure(database: Database, rows: int) -> Times:
    """Fill the frontier up to `rows`, then time PROBE pages, ROUNDS times."""
    sources = [_source(number) for number in range(SOURCES)]
    with database.engine.begin() as connection:
        crawl_id = crawls.begin(connection, "benchmark", sources, {})
    _fill(database, crawl_id, rows)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) urls"))
    best = dict.fromkeys(STEPS, float("inf"))
    for turn in range(ROUNDS):
        for step, seconds in _round(database, crawl_id, rows + turn * PROBE).items():
            best[step] = min(best[step], seconds / PROBE * 1e6)
    return Times(rows, best)


def _fill(database: Database, crawl_id: int, rows: int) -> None:
    """As years of crawls leave it: nearly all fetched, a tenth of them waiting for a look, a tenth still queued."""
    step = 5_000
    for start in range(0, rows, step):
        with database.engine.begin() as connection:
            numbers = range(start, min(start + step, rows))
            for source in range(SOURCES):
                intake.add(connection, f"s{source}", [_candidate(n) for n in numbers if n % SOURCES == source])
    with database.engine.begin() as connection:
        connection.execute(
            text("""
            UPDATE urls SET state = 'fetched', reason = 'article', fetched_at = now(), rank = 1,
                not_before = CASE WHEN id % 10 = 1 THEN now() + interval '1 day' END
            WHERE id % 10 > 0
            """)
        )
        connection.execute(text("UPDATE urls SET rank = 2 WHERE state = 'queued'"))


def _round(database: Database, crawl_id: int, first: int) -> dict[str, float]:
    numbers = range(first, first + PROBE)
    times: dict[str, float] = {}
    times["add"] = _timed(lambda: _add(database, numbers))
    due: list[Due] = []
    times["take"] = _timed(lambda: due.extend(_take(database, crawl_id, PROBE)))
    times["finish"] = _timed(lambda: _finish(database, due))
    times["known"] = _timed(lambda: _add(database, numbers))
    return times


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _add(database: Database, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, ADD):
        batch = range(start, min(start + ADD, numbers.stop))
        source = start // ADD % SOURCES
        with database.engine.begin() as connection:
            intake.add(connection, f"s{source}", [_candidate(n, found_in="feed") for n in batch])


def _take(database: Database, crawl_id: int, number: int) -> Iterator[Due]:
    wanted = {f"s{n}": 8 for n in range(SOURCES)}
    while number > 0:
        with database.engine.begin() as connection:
            found = frontier.take(connection, crawl_id, wanted, min(TAKE, number))
        number -= len(found)
        yield from found


def _finish(database: Database, due: Sequence[Due]) -> None:
    for start in range(0, len(due), FINISH):
        visits = [
            Visit(url_id=one.url_id, source=one.candidate.source, outcome="article", etag='"1"')
            for one in due[start : start + FINISH]
        ]
        with database.engine.begin() as connection:
            frontier.finish(connection, visits)


def _source(number: int) -> Source:
    return Source(id=f"s{number}", name=f"S{number}", homepage=f"https://www.s{number}.example/")


def _candidate(number: int, found_in: str = "sitemap") -> Candidate:
    slug = f"/world/2026/{number % 12 + 1:02}/{number % 28 + 1:02}/what-the-council-of-town-{number}-decided-{number:x}"
    source = f"s{number % SOURCES}"
    return Candidate(url=f"https://www.{source}.example{slug}", source=source, found_in=found_in)  # type: ignore[arg-type]


def table(measured: Sequence[Times]) -> Table:
    """A row for each size."""
    made = Table(box=None, header_style="dim", title="µs a page", title_justify="left")
    for title in ("rows", *STEPS[:3], "all three", "known again"):
        made.add_column(title, justify="right")
    for one in measured:
        of = one.of
        cells = [of["add"], of["take"], of["finish"], one.total, of["known"]]
        made.add_row(f"{one.rows:,}", *(f"{cell:.0f}" for cell in cells))
    return made


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """An embedded server for the benchmark alone, unless another is given."""
    if url:
        yield url
        return
    room = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # the server takes a moment to end
    with room, EmbeddedServer(Path(room.name) / "data") as found:
        yield found


@contextmanager
def own_database(url: str) -> Iterator[Database]:
    """A new database, dropped afterwards."""
    name = "frontier_benchmark"
    admin = create_engine(driver_url(url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        _execute(connection, f"DROP DATABASE IF EXISTS {name}")
        _execute(connection, f"CREATE DATABASE {name}")
        try:
            own = driver_url(url).set(database=name).render_as_string(hide_password=False)
            with Database(own) as database:
                migrate(database.engine)
                yield database
        finally:
            _execute(connection, f"DROP DATABASE {name}")
    admin.dispose()


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


if __name__ == "__main__":
    main()
