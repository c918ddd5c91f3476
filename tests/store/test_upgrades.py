"""Every schema that people have data in comes up to today's, with the data.

`dumps/` has one dump a release, and one for each schema on which main stood at the end of a day. The next is made in a
checkout of that release, by its own crawler, and is found here by its name:

    cd CHECKOUT && .venv/bin/python OURS/tests/store/dumps/make.py OURS/tests/store/dumps/NAME.sql.gz
"""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text

from crawler.errors import StoreError
from crawler.store import checks, reextractions
from crawler.store.crawls import CRAWL_LOCK
from crawler.store.dictionaries import unpacked
from crawler.store.embedded import binary
from crawler.store.engine import Database, known_schemas, migrate
from crawler.store.session import CrawlStore
from tests.runs import Bench, until
from tests.site import Newspaper
from tests.store.dumps.make import PORT
from tests.store.rows import SOURCE

DUMPS = sorted(Path(__file__).with_name("dumps").glob("*.sql.gz"))
FIRST = DUMPS[0]
KEPT = {  # what was written down stays, under its id
    "articles": "SELECT id, source, url, headline, body, authors, published_at, blocks FROM articles ORDER BY id",
    "revisions": "SELECT id, article_id, revision, headline, body FROM revisions ORDER BY id",
    "pages": "SELECT id, url, fetched_at, html_bytes, outcome FROM pages ORDER BY id",
    "crawls": "SELECT id, outcome, finished_at FROM crawls ORDER BY id",
    "sources": "SELECT id, name FROM sources ORDER BY id",
}
Rows = dict[str, list[dict[str, Any]]]


def restored(url: str, dump: Path, port: int = PORT) -> Rows:
    """Bring a dump into an empty database, its newspaper at another port; returns what it holds."""
    sql = gzip.decompress(dump.read_bytes()).replace(f"127.0.0.1:{PORT}".encode(), f"127.0.0.1:{port}".encode())
    command = [str(binary("psql")), "-XqAt", "--set=ON_ERROR_STOP=1", url]
    done = subprocess.run(command, input=sql, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return content(url)


def content(url: str) -> Rows:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return {table: connection.execute(query.encode()).fetchall() for table, query in KEPT.items()}


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.name.removesuffix(".sql.gz"))
def test_a_schema_with_data_comes_up_to_todays(bare_url: str, dump: Path) -> None:
    before = restored(bare_url, dump)
    assert len(before["articles"]) > 20 and before["revisions"] and before["pages"]
    with Database(bare_url) as database:
        start, head = migrate(database.engine)
        assert start in known_schemas()
        assert migrate(database.engine) == (head, head)
        assert content(bare_url) == before
        found = [checks.run(database.engine, check) for check in checks.CHECKS]
        assert [checks.line(one) for one in found if one.count] == []
        with database.engine.connect() as connection:
            for article in before["articles"]:
                found_words = connection.execute(
                    text("SELECT headline FROM news.search(:q)"), {"q": article["headline"]}
                )
                assert article["headline"] in found_words.scalars().all()
            stored = text("SELECT html_zstd, html_bytes, dictionary_id FROM pages")
            for packed, size, dictionary in connection.execute(stored).all():
                assert len(unpacked(connection, packed, size, dictionary)) == size


def test_a_crawl_goes_on_where_the_first_release_stopped(bare_url: str, tmp_path: Path) -> None:
    with Newspaper(many=3) as paper:
        before = restored(bare_url, FIRST, int(paper.url.rpartition(":")[2]))
        bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=bare_url)
        paper.write_seeds(bench.seeds)
        outcome = bench.crawl("news")
        assert outcome.status == 0 and "Traceback" not in outcome.err, outcome.err
    after = content(bare_url)
    assert len(after["articles"]) == len(before["articles"]) + 3
    assert [one["url"] for one in after["articles"]][: len(before["articles"])] == [
        one["url"] for one in before["articles"]
    ]
    assert bench.value("SELECT count(*) FROM urls WHERE state IN ('queued', 'leased')") == 0
    inspected, checked = bench.each(["inspect", str(before["articles"][0]["id"])], ["db", "check"])
    assert inspected.status == 0 and before["articles"][0]["headline"] in inspected.out
    assert checked.status == 0, checked.out


def test_what_fails_in_the_middle_leaves_everything_as_it_was(bare_url: str) -> None:
    before = restored(bare_url, FIRST)
    with Database(bare_url) as database:
        execute(bare_url, "CREATE TABLE hosts (mine text)")  # in the way of a later migration, after some have run
        tables = structure(bare_url)
        with pytest.raises(StoreError, match=r'could not be brought up to date.*"hosts" already exists'):
            migrate(database.engine)
        assert structure(bare_url) == tables
        assert content(bare_url) == before
        execute(bare_url, "DROP TABLE hosts")
        assert migrate(database.engine)[0] == "0001"


def test_processes_that_start_together_migrate_what_is_there_once(bare_url: str, tmp_path: Path) -> None:
    before = restored(bare_url, FIRST)
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=bare_url)
    outcomes = bench.each(*[["db", "migrate"]] * 3)
    assert [(one.status, one.err) for one in outcomes] == [(0, "")] * 3
    assert sum("migrated from 0001 to" in one.out for one in outcomes) == 1
    assert content(bare_url) == before


LOCKS = {
    "crawl 2": f"SELECT pg_advisory_lock({CRAWL_LOCK}, 2)",
    "scrapy reextract": f"SELECT pg_advisory_lock({reextractions.LOCK})",
}


@pytest.mark.parametrize("name", LOCKS)
def test_tables_are_not_changed_under_a_run(bare_url: str, name: str) -> None:
    before = restored(bare_url, FIRST)
    with Database(bare_url) as database, psycopg.connect(bare_url) as run:
        run.execute(LOCKS[name].encode())
        with pytest.raises(StoreError, match=rf"from 0001 to .* runs of an earlier program use them: {name}; wait"):
            migrate(database.engine)
        assert content(bare_url) == before
        run.close()
        until(lambda: not running(database))
        assert migrate(database.engine)[0] == "0001"


def running(database: Database) -> bool:
    with database.engine.connect() as connection:
        return bool(checks.alive(connection)) or reextractions.is_running(connection)


def test_a_crawl_begins_with_the_tables_it_knows_or_not_at_all(database: Database, database_url: str) -> None:
    store = CrawlStore(database, 10)
    execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="schema 9999, which is newer than this program"):
        store.open("news", [SOURCE], {})


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def structure(url: str) -> list[tuple[Any, ...]]:
    """Every column of every table, every constraint and index."""
    with psycopg.connect(url) as connection:
        return connection.execute("""
            SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT 'alembic_version', version_num, '' FROM alembic_version
            ORDER BY 1, 2, 3
        """).fetchall()
