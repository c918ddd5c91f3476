"""A database as years of crawls leave it: articles, their pages in the frontier, stubs of raw pages, bands."""

from __future__ import annotations

import multiprocessing
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, create_engine, insert, text

from benchmarks.search import LANGUAGES, SOURCES, SPAN, Maker
from crawler.likeness import BANDS
from crawler.sources import Source
from crawler.store import articles, crawls, models, partitions
from crawler.store.engine import Database, driver_url

STOCK = 5_000  # articles, of whose lines all others are put together
STEP = 1_000  # rows of one statement
FILLERS = 2  # processes
SEARCH = "ix_articles_search"  # made again afterwards, which is a hundred times as fast

_DEFINITION = text(f"SELECT pg_get_indexdef('{SEARCH}'::regclass)")
_BANDS = text("""
INSERT INTO bands SELECT (random() * 18e18 - 9e18)::bigint, article
FROM generate_series(CAST(:first AS bigint), :last) AS article, generate_series(1, :bands)
""")
_REST = (
    """INSERT INTO urls (key, url, source, state, reason, found_in, fetched_at, published_at, article_id, not_before)
    SELECT key, url, source, 'fetched', 'article', 'feed', stored_at, published_at, id,
        CASE WHEN id % 10 = 1 THEN now() + interval '1 day' END FROM articles""",
    """INSERT INTO pages (fetched_at, url_id, url, status, headers, html_zstd, html_bytes, outcome)
    SELECT now(), id, url, 200, '{"content-type": "text/html"}', '\\x00', 1, 'article' FROM urls""",
)


def fill(database: Database, rows: int, sources: int = SOURCES) -> None:
    """So many articles; statistics as autovacuum would have them."""
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [source_of(number) for number in range(sources)])
        partitions.ensure(connection, partitions.month_of(datetime.now(UTC)))
        definition = connection.execute(_DEFINITION).scalar_one()
        connection.execute(text(f"DROP INDEX {SEARCH}"))
    _copied(database.url, rows, sources)
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        for statement in (definition, *_REST):
            connection.execute(text(statement))
        fill_bands(connection, 1, rows)
    vacuum(database)


def fill_bands(connection: Connection, first: int, last: int) -> None:
    """Bands of articles with these ids, as of texts that have nothing in common."""
    connection.execute(text("ALTER TABLE bands DROP CONSTRAINT pk_bands"))
    connection.execute(text("DROP INDEX ix_bands_article_id"))
    connection.execute(_BANDS, {"first": first, "last": last, "bands": BANDS})
    connection.execute(text("ALTER TABLE bands ADD CONSTRAINT pk_bands PRIMARY KEY (key, article_id)"))
    connection.execute(text("CREATE INDEX ix_bands_article_id ON bands (article_id)"))


def vacuum(database: Database) -> None:
    """As autovacuum does some time later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


def source_of(number: int) -> Source:
    """One of SOURCES."""
    given = {"id": f"s{number}", "name": f"S{number}", "homepage": f"https://www.s{number}.example/"}
    return Source.model_validate(given)


def _copied(url: str, rows: int, sources: int) -> None:
    step = -(-rows // FILLERS)
    context = multiprocessing.get_context("spawn")
    parts = [(n, min(n + step, rows)) for n in range(0, rows, step)]
    fillers = [context.Process(target=_copy, args=(url, *part, sources)) for part in parts]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
        if filler.exitcode:
            raise SystemExit("a filler failed")


def _copy(url: str, first: int, last: int, sources: int) -> None:
    """Articles of these numbers."""
    stock = _Stock(first, sources)
    engine = create_engine(driver_url(url))
    for start in range(first, last, STEP):
        with engine.begin() as connection:
            rows = [stock.row(number) for number in range(start, min(start + STEP, last))]
            connection.execute(insert(models.Article), rows)
    engine.dispose()


class _Stock:
    """Rows without end, each of its own mixture of lines."""

    def __init__(self, seed: int, sources: int) -> None:
        self.sources, self.draw = sources, random.Random(seed)  # noqa: S311
        maker, self.lines, self.headlines = Maker(), dict[bool, list[dict[str, Any]]](), dict[bool, list[str]]()
        for chinese in (False, True):
            rows = [articles.row_of(maker.article(9 if chinese else n * 10)) for n in range(STOCK)]
            self.lines[chinese] = [block for row in rows for block in row["blocks"]]
            self.headlines[chinese] = [row["headline"] for row in rows]
            self.model = rows[0]

    def row(self, number: int) -> dict[str, Any]:
        """The columns of the article of that number."""
        chinese = number % 10 == 9
        blocks = self.draw.sample(self.lines[chinese], 8)
        body, at = "\n".join(block["text"] for block in blocks), datetime.now(UTC) - SPAN * self.draw.random()
        url = f"https://www.s{number % self.sources}.example/{number}"
        return {
            **self.model,
            "source": f"s{number % self.sources}",
            "url": url,
            "canonical_url": url,
            "key": url.removeprefix("https://www."),
            "headline": self.draw.choice(self.headlines[chinese]),
            "body": body,
            "blocks": blocks,
            "word_count": len(body.split()),
            "language": "zh" if chinese else LANGUAGES[number % len(LANGUAGES)],
            "published_at": at,
            "stored_at": at + timedelta(minutes=20),
            "updated_at": at + timedelta(minutes=20),
            "seen_at": at + timedelta(minutes=20),
        }
