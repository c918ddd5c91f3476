"""`scrapy export`: every format is read back as what is stored; increments; and what it answers to wrong questions."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from pyarrow import parquet

from crawler.items import Article, Block, Image, Post
from crawler.store import articles, crawls
from crawler.store.engine import Database
from crawler.store.exporting import COLUMNS, LEDGER, USUAL
from tests.runs import PROJECT, SCRAPY, Bench, cloned
from tests.store.rows import AT, OTHER, SOURCE, an_article

BODY = 'Schlagzeile: "Brücke", 東京;\nzweite Zeile, mit\ttab\nthird \u2028 line'
READERS = {
    "jsonl": lambda path: pd.read_json(path, lines=True),
    "csv": lambda path: pd.read_csv(path, parse_dates=["published_at", "stored_at", "updated_at"]),
    "parquet": pd.read_parquet,
}


def an_unusual_article() -> Article:
    return an_article(
        2,
        source="courier",
        headline=None,
        body=BODY,
        authors=(),
        tags=("a, b", 'say "c"', "d"),
        published_at=AT + timedelta(days=1),
        modified_at=AT + timedelta(days=2, microseconds=5),
        is_accessible_for_free=False,
        images=(Image(url="https://courier.example/1.jpg"), Image(url="https://courier.example/2.jpg", alt="Ä")),
        posts=(Post(headline="10:15", published_at=AT), Post(url="https://courier.example/#2")),
        blocks=(Block(kind="paragraph", text=BODY, kept=True, score=0.5), Block(kind="heading", text="x", kept=False)),
        confidence=0.75,
    )


def fill(url: str, *given: Article) -> None:
    with Database(url) as database, database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])
        articles.save(connection, given)


@pytest.fixture(scope="module")
def bench(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two articles, which the tests of this module do not change."""
    room = tmp_path_factory.mktemp("export")
    with cloned(server_url, template) as url:
        fill(url, an_article(1), an_unusual_article())
        yield Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url)


@pytest.fixture
def own(tmp_path: Path, database_url: str) -> Bench:
    """With a database that the test may change."""
    fill(database_url, an_article(1), an_unusual_article())
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)


def jsonl(bench: Bench, *options: str) -> list[dict[str, Any]]:
    outcome = bench.scrapy("export", "--format", "jsonl", *options, "-")
    assert outcome.status == 0, outcome.err
    return [json.loads(line) for line in outcome.out.split("\n") if line]


@pytest.mark.parametrize("name", READERS)
def test_pandas_reads_every_format(bench: Bench, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"out.{name}"
    outcome = bench.scrapy("export", str(path))
    assert (outcome.status, outcome.out) == (0, "")
    size = path.stat().st_size
    (line,) = outcome.lines
    assert line.startswith(f"2 articles, {size:,} bytes in ") and line.endswith(f": {path}")
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    frame = READERS[name](path)
    assert list(frame.columns) == list(USUAL)
    assert list(frame["body"]) == ["The bridge opened on Monday.", BODY]
    assert list(frame["word_count"]) == [5, len(BODY.split())]
    assert list(frame["published_at"]) == [AT, AT + timedelta(days=1)]
    assert frame["headline"].isna().tolist() == [False, True]
    tags = [json.loads(cell) if name == "csv" else list(cell) for cell in frame["tags"]]
    assert tags == [["bridges"], ["a, b", 'say "c"', "d"]]


def test_parquet_has_instants_with_a_zone_and_nested_values(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    assert bench.scrapy("export", "--columns", "all", str(path)).status == 0
    table = parquet.read_table(path)
    assert table.schema.names == list(COLUMNS)
    assert str(table.schema.field("published_at").type) == "timestamp[us, tz=UTC]"
    (_, row) = table.to_pylist()
    assert row["modified_at"] == AT + timedelta(days=2, microseconds=5)
    assert row["is_accessible_for_free"] is False and row["confidence"] == 0.75
    assert [image["alt"] for image in row["images"]] == [None, "Ä"]
    assert [post["published_at"] for post in row["posts"]] == [AT, None]
    assert [(block["kept"], block["score"]) for block in row["blocks"]] == [(True, 0.5), (False, None)]
    assert dict(row["evidence"]) == {"headline": "json-ld"}


def test_json_lines_say_what_is_stored(bench: Bench) -> None:
    first, second = jsonl(bench, "--columns", "all")
    assert list(first) == list(COLUMNS)
    assert first["published_at"] == "2026-11-23T10:30:00Z"
    assert datetime.fromisoformat(first["stored_at"]).tzinfo == UTC
    assert first["authors"] == ["A. Writer", "B. Écrivain"]
    assert second["modified_at"] == "2026-11-25T10:30:00.000005Z"
    assert second["blocks"] == bench.value("SELECT blocks FROM articles WHERE source = 'courier'")
    assert second["posts"][0]["headline"] == "10:15"


def test_csv_has_json_in_its_cells(bench: Bench) -> None:
    outcome = bench.scrapy("export", "--format", "csv", "--columns", "body,tags,is_accessible_for_free,headline", "-")
    header, first, second = csv.reader(io.StringIO(outcome.out, newline=""))
    assert header == ["body", "tags", "is_accessible_for_free", "headline"]
    assert first == ["The bridge opened on Monday.", '["bridges"]', "", "A bridge opens"]
    assert second == [BODY, '["a, b", "say \\"c\\"", "d"]', "false", ""]


def test_only_what_is_asked_for(bench: Bench) -> None:
    def found(*options: str) -> list[str]:
        return [row["source"] for row in jsonl(bench, "--columns", "source", *options)]

    assert found() == ["herald", "courier"]
    assert found("--source", "courier") == ["courier"]
    assert found("--source", "courier, herald") == ["herald", "courier"]
    assert found("--since", "2026-11-24") == ["courier"]
    assert found("--until", "2026-11-23") == ["herald"]
    assert found("--since", "2026-11-25") == []
    assert not set(LEDGER) & set(jsonl(bench)[0])


@pytest.mark.parametrize("name", READERS)
def test_an_export_of_nothing_is_a_whole_file(bench: Bench, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"none.{name}"
    outcome = bench.scrapy("export", "--until", "2001-01-01", str(path))
    assert outcome.status == 0 and outcome.err.startswith("0 articles, ")
    assert len(READERS[name](path)) == 0


def test_increments(own: Bench, tmp_path: Path) -> None:
    def increment(*options: str) -> list[str]:
        return [row["url"] for row in jsonl(own, "--cursor", str(tmp_path / "cursor"), "--columns", "url", *options)]

    first, second = "https://herald.example/1", "https://herald.example/2"
    assert increment() == [first, second]
    assert increment() == []
    with psycopg.connect(own.database_url) as early:  # begins before the next export, and is committed after it
        early.execute("UPDATE articles SET section = 'Late' WHERE source = 'herald'")
        fill(own.database_url, an_article(3))
        assert increment() == ["https://herald.example/3"]
    assert increment() == [first]
    assert increment() == []
    refused = own.scrapy("export", "--cursor", str(tmp_path / "cursor"), "--source", "herald", str(tmp_path / "a.csv"))
    assert refused.status == 1 and "the cursor of another selection: all articles" in refused.err


def test_an_export_that_fails_leaves_file_and_cursor_as_they_were(own: Bench, tmp_path: Path) -> None:
    path, cursor = tmp_path / "out.parquet", tmp_path / "cursor"
    path.write_text("earlier")
    with psycopg.connect(own.database_url) as connection:
        connection.execute("""UPDATE articles SET images = '[{"url": 7}]' WHERE source = 'courier'""")
    outcome = own.scrapy("export", "--cursor", str(cursor), str(path))
    assert outcome.status == 1
    assert len(outcome.lines) == 1 and "a stored value is not of its column's type" in outcome.err
    assert path.read_text() == "earlier"
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]


def test_a_reader_that_goes_away_is_one_line(own: Bench, tmp_path: Path) -> None:
    fill(own.database_url, an_article(3, body="word " * 1_000_000))
    cursor = tmp_path / "cursor"
    command = [*SCRAPY, "export", "--format", "jsonl", "--cursor", str(cursor), "-"]
    with subprocess.Popen(
        command, cwd=PROJECT, env=own.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        complaint = process.stderr.read()
    assert process.returncode == 1
    assert complaint.splitlines() == ["scrapy export: the articles could not be written: [Errno 32] Broken pipe"]
    assert not cursor.exists()


def test_a_pipe_with_a_name_stays_one(bench: Bench, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with ThreadPoolExecutor(1) as thread:
        reader = thread.submit(fifo.read_text)
        assert bench.scrapy("export", "--format", "csv", "--columns", "source", str(fifo)).status == 0
        assert reader.result(30).split() == ["source", "herald", "courier"]
    assert fifo.is_fifo()


WRONG = {
    ("out.txt",): "say --format parquet|jsonl|csv",
    ("--columns", "body,boby", "out.csv"): "no column 'boby'; there are id, source",
    ("--source", "gazette", "out.csv"): "nothing of a source 'gazette' is stored",
    ("--since", "someday", "out.csv"): "is no date",
    ("/nowhere/at/all/out.csv",): "could not be written",
    ("--cursor", "/nowhere/at/all/cursor", "out.csv"): "is no folder",
}


def test_what_cannot_be_done_is_one_line(bench: Bench) -> None:
    outcomes = bench.each(*(["export", *arguments] for arguments in WRONG))
    for outcome, words in zip(outcomes, WRONG.values(), strict=True):
        assert outcome.status == 1
        assert outcome.err.startswith("scrapy export: ") and len(outcome.lines) == 1
        assert words in outcome.err


def test_without_pyarrow_parquet_is_refused_and_the_rest_works(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')")
    poor = Bench(
        seeds=bench.seeds,
        data_dir=bench.data_dir,
        database_url=bench.database_url,
        more={"PYTHONPATH": str(tmp_path)},
    )
    outcome = poor.scrapy("export", str(tmp_path / "out.parquet"))
    assert outcome.status == 1
    assert outcome.lines == [
        "scrapy export: --format parquet needs pyarrow: pip install 'news-crawler[parquet]' (or pip install pyarrow)"
    ]
    assert poor.scrapy("export", str(tmp_path / "out.csv")).status == 0


MEASURE = """
import resource, sys
from scrapy.cmdline import execute
try:
    execute(["scrapy", "export", *sys.argv[1:]])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""
COPY = """
INSERT INTO articles (source, url, canonical_url, key, headline, body, authors, published_zone_assumed, tags, images,
                      blocks, evidence, word_count)
SELECT 'herald', 'u' || n, 'u' || n, 'k' || n, 'h', repeat(md5(n::text) || ' ', 600), '{}', false, '{}', '[]',
       '[]', '{}', 600 FROM generate_series(1, %s) AS n
"""


@pytest.mark.parametrize("name", READERS)
def test_memory_does_not_grow_with_the_table(own: Bench, name: str) -> None:
    """20 MB and 120 MB of bodies."""

    def peak(number: int) -> int:
        with psycopg.connect(own.database_url) as connection:
            connection.execute("TRUNCATE articles CASCADE")
            connection.execute(COPY, [number])
        command = [sys.executable, "-c", MEASURE, "--format", name, "-"]
        done = subprocess.run(
            command, cwd=PROJECT, env=own.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        said, kilobytes = done.stderr.strip().splitlines()
        assert said.startswith(f"{number:,} articles")
        return int(kilobytes)

    assert peak(6_000) < peak(1_000) + 60_000
