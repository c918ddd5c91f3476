"""Full-text search over many articles, and what its column costs a stored one.

    python -m benchmarks.search [--rows 100000] [--database-url URL]

Articles of about 400 words are made up: words drawn by Zipf's law out of 30,000, nine of ten articles in five
European languages, the tenth in Chinese, published over three years by 50 sources. Then each query runs ROUNDS times
on a warm cache; times are those of psycopg, in milliseconds. The insert is timed by `articles.save` in batches of 100,
with the column and without it, into the full table.

November 2026, two cores that others used, 100,000 articles: every query below 50 ms; medians from 8 ms (a rare word)
by 11 ms (the commonest word) and 15 ms (Chinese) to 27 ms (one word without another), the worst single round 33 ms. An
insert took 1.69 ms an article, 0.86 without the GIN index, 0.42 without the column: search costs 1.27 ms, two thirds of
it the index. Of 12.8 KB an article has, 5.6 are the column (an article in Chinese 10.9, in a European language 5) and
2.0 its index.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rich.console import Console
from sqlalchemy import Connection, text

from benchmarks.frontier import own_database, server
from crawler.items import Article, Block
from crawler.sources import Source
from crawler.store import articles, crawls
from crawler.store.engine import Database

VOCABULARY, WORDS, SOURCES, BATCH, ROUNDS = 30_000, 400, 50, 100, 7
LANGUAGES = ("en", "de", "fr", "es", "ru")
FROM = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=3 * 365)
PROBE = 2_000  # articles of one timing of the insert
HAN = [chr(0x4E00 + n) for n in range(2_500)]
SYLLABLES = ("ba", "ke", "ri", "mo", "tu", "la", "ve", "so", "ni", "da", "pol", "ger", "fin", "ost", "ham", "ter")


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked for, and as what it is shown."""

    title: str
    call: str


class Maker:
    """Articles without end, the same every time."""

    def __init__(self) -> None:
        self.random = random.Random(5)  # noqa: S311
        self.words = [self._word(number) for number in range(VOCABULARY)]
        self.weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(VOCABULARY)))
        self.signs = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(HAN))))

    def _word(self, number: int) -> str:
        return "".join(self.random.choices(SYLLABLES, k=2 + number % 3)) + "aeiou"[number % 5]

    def article(self, number: int) -> Article:
        """The article of that number."""
        chinese = number % 10 == 9
        lines = [self._line(chinese, WORDS // 8) for _ in range(8)]
        source = f"s{number % SOURCES}"
        url = f"https://www.{source}.example/{number}"
        return Article(
            source=source, url=url, canonical_url=url, headline=self._line(chinese, 8), body="\n".join(lines),
            authors=("A. Writer",), published_at=FROM + SPAN * self.random.random(), published_raw=None,
            published_zone_assumed=False, modified_at=None, modified_raw=None,
            language="zh" if chinese else LANGUAGES[number % len(LANGUAGES)], section=None, tags=(), description=None,
            images=(), is_accessible_for_free=None, evidence={},
            blocks=tuple(Block(kind="paragraph", text=line, kept=True) for line in lines),
        )  # fmt: skip

    def _line(self, chinese: bool, words: int) -> str:
        if chinese:
            return "".join(self.random.choices(HAN, cum_weights=self.signs, k=words * 2)) + "。"
        return " ".join(self.random.choices(self.words, cum_weights=self.weights, k=words)) + "."

    def queries(self) -> list[Query]:
        """From a word that is in nearly every article to one that is in few."""
        word = self.words
        asked = {
            "the commonest word": word[0],
            "a common word": word[60],
            "two common words": f"{word[20]} {word[90]}",
            "a phrase": f'"{word[1]} {word[2]}"',
            "one or the other": f"{word[300]} or {word[400]}",
            "one without the other": f"{word[300]} -{word[60]}",
            "a rare word": word[20_000],
            "three words": f"{word[500]} {word[600]} {word[700]}",
            "Chinese": "".join(HAN[5:7]),
            "a word that is in none": "qqqq",
        }
        plain = [Query(title=title, call=f"'{query}'") for title, query in asked.items()]
        narrow = [
            Query(title="a common word, in English", call=f"'{word[60]}', 'en'"),
            Query(title="a common word, in a week", call=f"'{word[60]}', since => '2025-03-01', until => '2025-03-08'"),
            Query(title="a common word, of a source", call=f"'{word[60]}', source => 's7'"),
        ]
        return plain + narrow


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description="Full-text search, and what its column costs")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--database-url", help="a server to make a database on; default: an embedded one, for now")
    given = parser.parse_args(arguments)
    console, maker = Console(), Maker()
    with server(given.database_url) as url, own_database(url) as database:
        with database.engine.begin() as connection:
            crawls.save_sources(connection, [_source(number) for number in range(SOURCES)])
        with console.status("filling"):
            fill(database, maker, given.rows)
        with database.engine.connect() as connection:
            console.print(sizes(connection))
            for query in maker.queries():
                found, times = timed(connection, query)
                console.print(
                    f"{query.title:<28} {found:>3} rows  {statistics.median(times):6.1f} ms  {max(times):6.1f}"
                )
        for name, cost in costs(database, maker, given.rows):
            console.print(f"an insert {name:<18} {cost:5.0f} µs an article")


def costs(database: Database, maker: Maker, first: int) -> Iterator[tuple[str, float]]:
    """What an insert takes with the column, with a column and no index, and with neither; the best of three."""
    made = [maker.article(number) for number in range(first, first + PROBE)]
    drop = {
        "with search": None,
        "without its index": "DROP INDEX ix_articles_search",
        "without it": "ALTER TABLE articles DROP COLUMN search CASCADE",
    }
    for name, statement in drop.items():
        with database.engine.connect() as connection:
            if statement:
                connection.execute(text(statement))
            best = min(_insert(connection, made) for _ in range(3))
            connection.rollback()
            yield name, best / PROBE * 1e6


def _insert(connection: Connection, made: Sequence[Article]) -> float:
    started = time.perf_counter()
    with connection.begin_nested() as inner:
        for start in range(0, len(made), BATCH):
            articles.save(connection, made[start : start + BATCH])
        inner.rollback()
    return time.perf_counter() - started


def fill(database: Database, maker: Maker, rows: int) -> None:
    """As a crawl does, in batches; statistics as autovacuum would have them."""
    for start in range(0, rows, BATCH):
        with database.engine.begin() as connection:
            articles.save(connection, [maker.article(n) for n in range(start, min(start + BATCH, rows))])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) articles"))


def sizes(connection: Connection) -> str:
    """How much of the table is search."""
    statement = """SELECT count(*), pg_total_relation_size('articles') / count(*),
                   sum(pg_column_size(search)) / count(*), pg_relation_size('ix_articles_search') / count(*)
                   FROM articles"""
    rows, whole, vector, index = connection.execute(text(statement)).one()
    return f"{rows:,} articles of {whole:,} bytes, {vector:,} of them the column and {index:,} its index"


def timed(connection: Connection, query: Query) -> tuple[int, list[float]]:
    """How many rows, and how long each round took in milliseconds; the first, which warms the cache, is left out."""
    statement, times, found = text(f"SELECT * FROM news.search({query.call.replace(':', chr(92) + ':')})"), [], 0  # noqa: S608
    for _ in range(ROUNDS + 1):
        started = time.perf_counter()
        found = len(connection.execute(statement).all())
        times.append((time.perf_counter() - started) * 1e3)
    return found, times[1:]


def _source(number: int) -> Source:
    return Source.model_validate(
        {"id": f"s{number}", "name": f"S{number}", "homepage": f"https://www.s{number}.example/"}
    )


if __name__ == "__main__":
    main()
