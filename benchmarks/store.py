"""What it costs to store an article with everything on, how large it is, and how fast the surface answers.

    python -m benchmarks.store [--rows 10000 1000000] [--database-url URL]

Each size has a database of its own on the embedded server (or on a server that is given), filled with articles of about
400 words in six languages, each with its page in the frontier, a raw page and its duplicate bands (filling.py). Then
PROBE new articles, each with a page of 150 KB of which two thirds are its source's frame, go through `writer.commit` as
a crawl's do, in batches of 100 and of 16: article, ledger, search, template, duplicates, raw page, frontier, aliases.
Adding and leasing them is benchmarks/frontier.py's, and signatures are made by the extraction workers: neither is timed
here. CPU is that of this process and of all of the server's.

The filled raw pages are stubs, since their number and not their size is what could slow a writer; bytes an article are
those by which the tables grew with the probe. Searches and the SQL of docs/sql.md run ROUNDS times on a warm cache.

November 2026, two cores, nothing else on them. Ten thousand articles: 401 articles/s in batches of 100 (CPU: own 1.26,
server 1.23 ms), 354 in batches of 16. A million, filled under 0007 and migrated: 267, 303 and 286 articles/s in three
rounds (own 1.25, server 2.6 to 2.9). 65 KB an article, 51 of them its page. Searches at a million: 20 to 52 ms, 172
for a phrase, 118 for one word without another; questions 0.2 to 66 ms, news.source_health 221, news.dropped_blocks of
a week of 37,000 articles 402.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from sqlalchemy import Connection, text

from benchmarks import processes
from benchmarks.filling import fill, source_of, vacuum
from benchmarks.frontier import own_database, server
from benchmarks.search import SOURCES, Maker, timed
from crawler.discovery.shapes import shape_of
from crawler.items import Article, Candidate, Page
from crawler.likeness import bands_of
from crawler.store import crawls, frontier, intake, writer
from crawler.store.engine import Database
from crawler.store.pages import Archived, sha256

SIZES = (10_000, 1_000_000)
PROBE, ROUNDS, BATCHES = 2_000, 3, (100, 16)
FRAME, WHOLE = 100_000, 150_000  # bytes of a page that are its source's frame, and of all of it
QUESTIONS = Path(__file__).parent.parent / "docs" / "sql.md"


@dataclass(frozen=True)
class Rate:
    """How one batch size did. CPU in milliseconds an article; the server's is None when it runs elsewhere."""

    batch: int
    per_second: float
    own_cpu: float
    server_cpu: float | None


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description="What it costs to store an article, by the number that is stored")
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--database-url", help="a server to make databases on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console, fastest = Console(), list[float]()
    with server(given.database_url) as url:
        for rows in given.rows:
            with own_database(url) as database:
                with console.status(f"filling {rows:,} articles"):
                    fill(database, rows)
                fastest.append(report(console, database, rows))
    console.print(f"fastest against slowest size: {max(fastest) / min(fastest):.2f}")


def report(console: Console, database: Database, rows: int) -> float:
    """Print what one size gives; returns the articles a second of whole batches."""
    console.print(f"[bold]{rows:,} articles[/bold]")
    with database.engine.connect() as connection:
        before = sizes(connection)
    prober = Prober(database, rows)
    rates = [prober.best(batch) for batch in BATCHES]
    for rate in rates:
        cpu = f", server {rate.server_cpu:.2f} ms" if rate.server_cpu is not None else ""
        console.print(
            f"batches of {rate.batch:>3}: {rate.per_second:6.0f} articles/s; CPU: own {rate.own_cpu:.2f} ms{cpu}"
        )
    with database.engine.connect() as connection:
        grown = {name: (size - before[name]) / prober.stored for name, size in sizes(connection).items()}
        told = ", ".join(f"{name} {size / 1024:.1f}" for name, size in grown.items() if size > 0)
        console.print(f"an article takes {sum(grown.values()) / 1024:.1f} KB: {told}")
    vacuum(database)
    with database.engine.connect() as connection:
        for query in prober.maker.queries():
            found, times = timed(connection, query)
            console.print(f"  {query.title:<40} {found:>4} rows {shown(times)}")
        for title, statement in surface():
            found, times = asked(connection, statement)
            console.print(f"  {title:<40} {found:>4} rows {shown(times)}")
    return rates[0].per_second


def shown(times: Sequence[float]) -> str:
    """Median and worst."""
    return f"{statistics.median(times):8.1f} ms {max(times):8.1f}"


class Prober:
    """Stores new articles as a crawl does."""

    def __init__(self, database: Database, rows: int, probe: int = PROBE) -> None:
        self.database, self.maker, self.stored, self.probe = database, Maker(), 0, probe
        self.next = rows * 2  # numbers that no filled article has
        self.maker.random.seed(time.time_ns())  # nor its words: they would be copies
        with database.engine.begin() as connection:
            self.crawl_id = crawls.begin(connection, "benchmark", [source_of(n) for n in range(SOURCES)], {})
        self.frames = [frame(number) for number in range(SOURCES)]

    def best(self, batch: int) -> Rate:
        """Of ROUNDS rounds the fastest."""
        return max((self.round(batch) for _ in range(ROUNDS)), key=lambda rate: rate.per_second)

    def round(self, batch: int) -> Rate:
        """`probe` articles."""
        entries = self.entries()
        with self.database.engine.connect() as connection:
            postmaster = processes.postmaster_of(connection)
        began, own, servers = time.perf_counter(), time.process_time(), processes.cpu(postmaster)
        for start in range(0, len(entries), batch):
            with self.database.engine.begin() as connection:
                stored = writer.commit(connection, self.crawl_id, entries[start : start + batch])
            assert all(one.outcome == "new" for one in stored)
        took, own = time.perf_counter() - began, time.process_time() - own
        after = processes.cpu(postmaster)
        self.stored += len(entries)
        return Rate(
            batch=batch,
            per_second=len(entries) / took,
            own_cpu=own / len(entries) * 1e3,
            server_cpu=(after - servers) / len(entries) * 1e3 if after is not None and servers is not None else None,
        )

    def entries(self) -> list[writer.Entry]:
        """New articles, leased by this run."""
        made = [self.maker.article(number) for number in range(self.next, self.next + self.probe)]
        self.next += self.probe
        with self.database.engine.begin() as connection:
            for source in {article.source for article in made}:
                found = [Candidate(url=one.url, source=source, found_in="feed") for one in made if one.source == source]
                intake.add(connection, source, found)
            wanted = {f"s{number}": self.probe for number in range(SOURCES)}
            due = {one.candidate.url: one for one in frontier.take(connection, self.crawl_id, wanted, 2 * self.probe)}
        return [self.entry(article, due[article.url].url_id) for article in made]

    def entry(self, article: Article, url_id: int) -> writer.Entry:
        """As StorePipeline makes it."""
        html = page(self.frames[int(article.source[1:])], article)
        now = datetime.now(UTC)
        fetched = Page(
            url=article.url, requested_url=article.url, source=article.source, status=200, html=html, fetched_at=now,
            headers={"content-type": "text/html; charset=utf-8", "etag": '"1"'}, url_id=url_id,
        )  # fmt: skip
        visit = frontier.Visit(
            url_id=url_id, source=article.source, outcome="article", published_at=article.published_at, etag='"1"',
            html_sha256=sha256(html),
        )  # fmt: skip
        archived = Archived(page=fetched, outcome="article")
        bands = bands_of(article.body)
        return writer.Entry(visit=visit, archived=archived, article=article, shape=shape_of(article.url), bands=bands)


def frame(number: int) -> bytes:
    """What all pages of a source have around their article."""
    draw = random.Random(number)  # noqa: S311
    links = (
        f'<li class="nav-{draw.randrange(99)}"><a href="/{draw.random()}">{draw.random()}</a></li>\n'
        for _ in itertools.count()
    )
    return frame_of(links, FRAME)


def frame_of(lines: Iterator[str], size: int) -> bytes:
    """So many bytes of these lines."""
    found, length = list[str](), 0
    while length < size:
        found.append(next(lines))
        length += len(found[-1])
    return "".join(found).encode()


def page(around: bytes, article: Article) -> bytes:
    """The article in its source's frame, and what else is only this page's."""
    draw = random.Random(article.url)  # noqa: S311
    own = "".join(f"<p>{line}</p>\n" for line in article.body.split("\n")).encode()
    teasers = (
        f'<li><a href="/{draw.randrange(9999)}">{draw.random()}</a> {draw.random()}</li>\n' for _ in itertools.count()
    )
    return around + own + frame_of(teasers, max(0, WHOLE - len(around) - len(own)))


# -- what is asked ----------------------------------------------------------------------------------------------------


def surface() -> Iterator[tuple[str, str]]:
    """The questions of docs/sql.md, by the views they name; of a source and an article that are there."""
    for block in re.findall(r"```sql\n(.*?)```", QUESTIONS.read_text(), re.DOTALL):
        statement = block.replace("example_herald", "s7").rstrip().rstrip(";")
        yield ", ".join(dict.fromkeys(re.findall(r"news\.\w+", statement))), statement


def asked(connection: Connection, statement: str) -> tuple[int, list[float]]:
    """How many rows, and how long each round took in milliseconds, the first left out."""
    times, found = list[float](), 0
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        found = len(connection.exec_driver_sql(statement.replace("%", "%%")).all())
        times.append((time.perf_counter() - started) * 1e3)
    return found, times[1:]


def sizes(connection: Connection) -> dict[str, int]:
    """Bytes of each table with its indexes; partitions count as their table."""
    return {name: int(size) for name, size in connection.execute(text(_SIZES))}


_SIZES = """
SELECT coalesce(inhparent::regclass, c.oid::regclass)::text, sum(pg_total_relation_size(c.oid))
FROM pg_class c LEFT JOIN pg_inherits ON inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 2 DESC
"""


if __name__ == "__main__":
    main()
