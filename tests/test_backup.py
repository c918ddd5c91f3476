"""`scrapy db backup`, `restore` and `check`: out of one database and into another, or not at all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic import command
from sqlalchemy import make_url, text

from crawler.errors import ConfigurationError
from crawler.packing import pack
from crawler.store import dump, writer
from crawler.store.engine import Database, migration_config
from crawler.store.schedulers import Leadership
from tests.conftest import administer
from tests.runs import Bench, until
from tests.site import Newspaper
from tests.store.rows import an_entry, begun, leased

HELD = {
    "articles": "SELECT key, headline, body, blocks, published_at, revision FROM articles ORDER BY key",
    "revisions": "SELECT article_id, revision, body FROM revisions ORDER BY id",
    "dictionaries": "SELECT id, source, content_zstd FROM page_dictionaries ORDER BY id",
    "pages": "SELECT id, url_id, html_zstd, dictionary_id, tableoid::regclass::text AS month FROM pages ORDER BY id",
    "urls": "SELECT id, key, state, reason, not_before FROM urls ORDER BY id",
}
_DICTIONARY = text("""
INSERT INTO page_dictionaries (source, content_zstd, content_bytes, samples, bytes_before, bytes_after)
VALUES ('herald', :content, :bytes, 6, 100, 50)
""")
Content = dict[str, list[dict[str, object]]]


def bench_of(tmp_path: Path, url: str = "") -> Bench:
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=url)


def content(bench: Bench) -> Content:
    return {name: bench.rows(query) for name, query in HELD.items()}


def fill(database: Database) -> None:
    """Two articles, one of them with an earlier version, and pages that are compressed with a dictionary."""
    due = leased(database, 2)
    content = b"<html><body>Template of every page</body></html>"
    with database.engine.begin() as connection:
        connection.execute(_DICTIONARY, {"content": pack(content), "bytes": len(content)})
        writer.commit(connection, 1, [an_entry(one) for one in due])
        writer.commit(connection, 1, [an_entry(due[0], headline="A bridge closes", html=b"<p>")])


@pytest.fixture
def full(tmp_path: Path, database: Database, database_url: str) -> Bench:
    fill(database)
    return bench_of(tmp_path, database_url)


@pytest.fixture
def backup(full: Bench, tmp_path: Path) -> Path:
    path = tmp_path / "news.backup"
    outcome = full.scrapy("db", "backup", str(path))
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == f"{path.stat().st_size:,} bytes: {path}\n"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o077 == 0
    return path


@pytest.fixture
def other(bare_url: str, tmp_path: Path) -> Bench:
    """A database without tables."""
    return bench_of(tmp_path, bare_url)


def test_there_and_back(full: Bench, backup: Path, other: Bench) -> None:
    before = content(full)
    outcome = other.scrapy("db", "restore", str(backup))
    assert (outcome.status, outcome.err, outcome.out) == (0, "", f"restored from {backup}\n")
    assert content(other) == before
    assert {page["dictionary_id"] for page in before["pages"]} == {1}
    checked = other.scrapy("db", "check")
    assert checked.status == 0 and all(line.startswith("ok ") for line in checked.out.splitlines())
    with Database(other.database_url) as database:  # identities go on where they were
        [due] = leased(database, 3)
        with database.engine.begin() as connection:
            writer.commit(connection, 1, [an_entry(due)])
    assert len(content(other)["articles"]) == 3


def test_a_database_that_holds_articles_is_replaced_only_when_it_is_said(full: Bench, backup: Path) -> None:
    before = content(full)
    with psycopg.connect(full.database_url) as connection:
        connection.execute("UPDATE articles SET headline = 'Changed since'")
        connection.execute("CREATE VIEW mine AS SELECT headline FROM articles")
    refused = full.scrapy("db", "restore", str(backup))
    assert refused.status == 1
    assert refused.lines == [
        "scrapy db restore: the database is not empty: it holds 2 articles; with --replace the backup replaces them"
    ]
    assert full.value("SELECT DISTINCT headline FROM articles") == "Changed since"
    assert full.scrapy("db", "restore", "--replace", str(backup)).status == 0
    assert content(full) == before


def test_an_empty_database_with_todays_tables_takes_a_backup(full: Bench, backup: Path, other: Bench) -> None:
    assert other.scrapy("db", "migrate").status == 0
    assert other.scrapy("db", "restore", str(backup)).status == 0
    assert content(other) == content(full)


def test_the_embedded_server(full: Bench, backup: Path, tmp_path: Path) -> None:
    embedded = bench_of(tmp_path)
    try:
        assert embedded.scrapy("db", "restore", str(backup)).status == 0
        again = tmp_path / "again.backup"
        assert embedded.scrapy("db", "backup", str(again)).status == 0
        assert embedded.scrapy("db", "psql", "-AtX", "-c", "SELECT count(*) FROM revisions").out == "1\n"
        # The rows come from a cluster that has seen more transactions than this one; they bear ids of this one now.
        ahead = "SELECT count(*) FROM articles WHERE changed_xid >= pg_current_xact_id()::text::bigint"
        assert embedded.scrapy("db", "psql", "-AtX", "-c", ahead).out == "0\n"
    finally:
        embedded.scrapy("db", "stop")
    assert full.scrapy("db", "restore", "--replace", str(again)).status == 0


def test_a_damaged_backup_changes_nothing(full: Bench, backup: Path) -> None:
    before = content(full)
    whole = backup.read_bytes()
    for damaged in (whole[: len(whole) * 2 // 3], b"no backup at all", b""):
        backup.write_bytes(damaged)
        outcome = full.scrapy("db", "restore", "--replace", str(backup))
        assert outcome.status == 1 and len(outcome.lines) == 1
        assert outcome.err.startswith("scrapy db restore: ")
        assert content(full) == before


def test_a_backup_of_something_else_or_of_a_newer_schema_changes_nothing(
    full: Bench, other: Bench, tmp_path: Path
) -> None:
    before = content(full)
    newer, foreign = tmp_path / "newer.backup", tmp_path / "foreign.backup"
    with psycopg.connect(other.database_url) as connection:
        connection.execute("CREATE TABLE something (id int)")
    with Database(other.database_url) as database:
        dump.backup(database, foreign)
    assert other.scrapy("db", "migrate").status == 0
    with psycopg.connect(other.database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with Database(other.database_url) as database:
        dump.backup(database, newer)
    for path, words in ((foreign, "this is no backup of a news database"), (newer, "newer than this program")):
        outcome = full.scrapy("db", "restore", "--replace", str(path))
        assert outcome.status == 1 and len(outcome.lines) == 1 and words in outcome.err
        assert content(full) == before


def test_a_backup_of_an_earlier_schema_is_brought_up_to_date(full: Bench, other: Bench, tmp_path: Path) -> None:
    path = tmp_path / "earlier.backup"
    with Database(other.database_url) as database:
        with database.engine.begin() as connection:
            config = migration_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "0003")
        dump.backup(database, path)
    assert full.scrapy("db", "restore", "--replace", str(path)).status == 0
    assert full.value("SELECT count(*) FROM articles") == 0
    assert "already" in full.scrapy("db", "migrate").out


def test_kill_9_in_the_middle_changes_nothing(full: Bench, database: Database, tmp_path: Path) -> None:
    with database.engine.begin() as connection:  # more than a pipe holds
        connection.execute(
            text("UPDATE pages SET html_zstd = :bytes"), {"bytes": random.Random(5).randbytes(2_000_000)}
        )
    path = tmp_path / "large.backup"
    dump.backup(database, path)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE articles SET headline = 'Changed since'"))
    before = content(full)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'psql'"
    with psycopg.connect(full.database_url) as held:
        held.execute("SELECT FROM articles LIMIT 1")
        restoring = full.start("db", "restore", "--replace", str(path))
        until(lambda: full.value(f"{waiting} AND wait_event_type = 'Lock'"))
        restoring.kill()
        restoring.communicate()
    until(lambda: not full.value(waiting))
    assert content(full) == before


def test_a_running_crawl_is_not_replaced(full: Bench, backup: Path, database: Database) -> None:
    with database.engine.connect() as living:
        with living.begin():
            begun(living)
        outcome = full.scrapy("db", "restore", "--replace", str(backup))
        living.invalidate()
    told = ["scrapy db restore: a crawl, a worker or a scheduler runs on this database: stop it first"]
    assert (outcome.status, outcome.lines) == (1, told)
    leader = Leadership(database)
    assert leader.take()
    outcome = full.scrapy("db", "restore", "--replace", str(backup))
    leader.give_up(1)
    assert (outcome.status, outcome.lines) == (1, told)


def test_a_server_newer_than_pg_dump_is_one_line() -> None:
    dump.refuse_newer(13)
    dump.refuse_newer(18)
    with pytest.raises(ConfigurationError, match=r"^the server is PostgreSQL 19 and the bundled pg_dump is 18"):
        dump.refuse_newer(19)


def test_what_cannot_be_done_is_one_line(full: Bench, tmp_path: Path) -> None:
    missing, nowhere = tmp_path / "missing", tmp_path / "nowhere" / "out"
    told = {
        ("restore", str(missing)): (1, f"there is no backup {missing}"),
        ("backup", str(nowhere)): (1, f"cannot write {nowhere}: No such file or directory"),
        ("backup", str(tmp_path)): (1, f"{tmp_path} is no file"),
        ("backup",): (2, "name one file: scrapy db backup FILE"),
        ("restore", "--replace"): (2, "name one file: scrapy db restore FILE"),
    }
    outcomes = full.each(*(["db", *arguments] for arguments in told))
    for outcome, (status, words) in zip(outcomes, told.values(), strict=True):
        assert outcome.status == status and words in outcome.err + outcome.out
        assert "Traceback" not in outcome.err


def test_a_user_who_may_not_read_is_told_what_pg_dump_says(full: Bench, tmp_path: Path) -> None:
    administer(full.database_url, "CREATE ROLE visitor LOGIN PASSWORD 'secret word'")
    url = make_url(full.database_url).set(username="visitor", password="secret word")
    try:
        with psycopg.connect(full.database_url) as connection:
            connection.execute("GRANT SELECT ON alembic_version TO visitor")
        visitor = bench_of(tmp_path, url.render_as_string(hide_password=False))
        outcome = visitor.scrapy("db", "backup", str(tmp_path / "out"))
        assert outcome.status == 1 and len(outcome.lines) == 1
        assert "pg_dump: error: " in outcome.err and "permission denied" in outcome.err
        assert "secret" not in outcome.err
        assert not list(tmp_path.iterdir())
    finally:
        with psycopg.connect(full.database_url) as connection:
            connection.execute("REVOKE ALL ON alembic_version FROM visitor")
        administer(full.database_url, "DROP ROLE visitor")


@pytest.fixture
def crawled(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    with Newspaper() as paper:
        bench = bench_of(tmp_path, database_url)
        paper.write_seeds(bench.seeds)
        assert bench.crawl("news").status == 0
        yield bench


def test_check_is_green_after_a_crawl_and_red_when_something_is_broken(crawled: Bench) -> None:
    outcome = crawled.scrapy("db", "check")
    assert outcome.status == 0, outcome.out
    with psycopg.connect(crawled.database_url) as connection:
        connection.execute("UPDATE articles SET word_count = 0 WHERE id = (SELECT min(id) FROM articles)")
    outcome = crawled.scrapy("db", "check")
    assert outcome.status == 1
    (broken,) = (line for line in outcome.out.splitlines() if not line.startswith("ok "))
    assert broken.startswith("BROKEN       1  word_counts: ") and "article " in broken
