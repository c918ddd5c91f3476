"""Months of the raw archive come and go beside readers and writers, who wait for neither."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from crawler.errors import ConfigurationError, StoreError
from crawler.store import pages, partitions, reading, writer
from crawler.store.engine import Database
from crawler.store.pages import Archived
from crawler.store.partitions import Partition, kept_from, later, prune, read_month
from tests.store.rows import a_page, an_entry, ask, column, leased

MONTHS = [datetime(2026, month, 5, tzinfo=UTC) for month in (1, 2, 3, 4)]
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
NAMES = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^pages_\\d' ORDER BY 1"


def store(database: Database, *instants: datetime) -> None:
    """A page of each; a writer that has to wait fails."""
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        archived = [Archived(page=a_page(at=at), outcome="article") for at in instants]
        pages.store(connection, archived, None)


@pytest.fixture
def filled(database: Database) -> Database:
    store(database, *MONTHS)
    return database


@contextmanager
def read(database: Database, query: str) -> Iterator[psycopg.Connection]:
    """A transaction that has read, and goes on."""
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=False) as connection:
        connection.execute(query.encode())
        yield connection


def dropped(database: Database, before: datetime | None = APRIL) -> list[tuple[str, str]]:
    return [(one.partition.name, one.outcome) for one in prune(database.engine, before)]


def listed(database: Database) -> list[Partition]:
    with database.engine.connect() as connection:
        return partitions.partitions(connection)


# -- months ----------------------------------------------------------------------------------------------------------


def test_which_months_are_kept() -> None:
    now = datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert kept_from(0, now) is None
    assert kept_from(1, now) == datetime(2026, 1, 1, tzinfo=UTC)
    assert kept_from(2, now) == datetime(2025, 12, 1, tzinfo=UTC)
    assert kept_from(14, now) == datetime(2024, 12, 1, tzinfo=UTC)
    assert later(datetime(2026, 11, 1, tzinfo=UTC), 2) == datetime(2027, 1, 1, tzinfo=UTC)
    assert read_month("2026-03") == datetime(2026, 3, 1, tzinfo=UTC)
    for wrong in ("2026", "2026-13", "2026-3", "0000-01", "march"):
        with pytest.raises(ConfigurationError, match="is no month; write 2026-03"):
            read_month(wrong)


# -- without waiting -------------------------------------------------------------------------------------------------


def test_a_new_month_waits_for_no_reader(filled: Database) -> None:
    with read(filled, "SELECT count(*) FROM pages"):
        store(filled, datetime(2026, 5, 1, tzinfo=UTC))
    assert ask(filled, "SELECT count(*) FROM pages") == 5


def test_old_months_go_and_their_room_too(filled: Database) -> None:
    assert dropped(filled) == [(f"pages_2026_0{month}", "dropped") for month in (1, 2, 3)]
    assert column(filled, NAMES) == ["pages_2026_04"]
    assert column(filled, "SELECT fetched_at FROM pages") == MONTHS[3:]
    assert dropped(filled) == []
    store(filled, *MONTHS)  # as if out of an archive
    assert ask(filled, "SELECT count(*) FROM pages") == 5


def test_readers_go_on_and_writers_too(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads the month that goes, one a month that stays: both go on, and nobody waits for either."""
    monkeypatch.setattr(partitions, "PATIENCE", "300ms")
    old, new = (f"SELECT count(*) FROM pages WHERE fetched_at < '{APRIL}'", "SELECT count(*) FROM pages_2026_04")
    with read(filled, f"BEGIN ISOLATION LEVEL REPEATABLE READ; {old}") as first, read(filled, new) as second:
        assert dropped(filled) == [("pages_2026_01", "busy")]
        for reader in (first, second):
            reader.execute("SET LOCAL lock_timeout = '2s'")
        assert first.execute(old.encode()).fetchone() == (3,)  # its snapshot is whole
        assert second.execute(new.encode()).fetchone() == (1,)
        store(filled, datetime(2026, 4, 6, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))
        with filled.engine.connect() as connection:  # whoever begins now does not see the month any more
            assert len(list(reading.pages_in(connection, reading.Wanted()))) == 0  # of no URL that is known
            assert connection.execute(text("SELECT count(*) FROM pages")).scalar_one() == 5
        assert dropped(filled) == [("pages_2026_01", "busy")]  # it is still read
    assert dropped(filled) == [(f"pages_2026_0{month}", "dropped") for month in (1, 2, 3)]


def test_what_was_broken_off_is_finished_whatever_is_kept_now(
    filled: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "300ms")
    with read(filled, "SELECT count(*) FROM pages"):
        assert dropped(filled) == [("pages_2026_01", "busy")]
    store(filled, MONTHS[0], MONTHS[1])
    assert "pages of 2026-01 are not stored" in caplog.text
    assert column(filled, "SELECT fetched_at FROM pages ORDER BY 1") == [MONTHS[1], MONTHS[1], *MONTHS[2:]]
    assert dropped(filled, None) == [("pages_2026_01", "dropped")]
    # Killed between the two steps:
    with filled.engine.begin() as connection:
        connection.execute(text(f"COMMENT ON TABLE pages_2026_02 IS '{partitions.MARK}'"))
        connection.execute(text("ALTER TABLE pages DETACH PARTITION pages_2026_02"))
    assert dropped(filled, None) == [("pages_2026_02", "dropped")]
    assert column(filled, NAMES) == ["pages_2026_03", "pages_2026_04"]


def test_a_month_that_somebody_has_detached_is_theirs(filled: Database) -> None:
    with filled.engine.begin() as connection:
        connection.execute(text("ALTER TABLE pages DETACH PARTITION pages_2026_01"))
    assert dropped(filled) == [("pages_2026_02", "dropped"), ("pages_2026_03", "dropped")]
    assert ask(filled, "SELECT count(*) FROM pages_2026_01") == 1


def test_two_at_once(filled: Database) -> None:
    first = prune(filled.engine, APRIL)
    assert next(first).partition.name == "pages_2026_01"
    with pytest.raises(StoreError, match="another process drops old pages just now"):
        dropped(filled)
    assert [one.partition.name for one in first] == ["pages_2026_02", "pages_2026_03"]


def test_a_view_on_a_month_keeps_this_month_only(filled: Database) -> None:
    with filled.engine.begin() as connection:
        connection.execute(text("CREATE VIEW mine AS SELECT * FROM pages_2026_01"))
    first, *others = prune(filled.engine, APRIL)
    assert first.words.startswith("2026-01 cannot be dropped: view mine depends on table pages_2026_01; ")
    assert [(one.partition.name, one.outcome) for one in others] == [
        ("pages_2026_02", "dropped"),
        ("pages_2026_03", "dropped"),
    ]
    assert ask(filled, "SELECT count(*) FROM mine") == 1
    assert dropped(filled, None) == [("pages_2026_01", "blocked")]
    with filled.engine.begin() as connection:
        connection.execute(text("DROP VIEW mine"))
    assert dropped(filled, None) == [("pages_2026_01", "dropped")]


def test_a_month_that_was_busy_may_still_be_kept_by_hand(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", "300ms")
    with read(filled, "LOCK TABLE ONLY pages IN SHARE UPDATE EXCLUSIVE MODE"):
        assert dropped(filled) == [("pages_2026_01", "busy")]
    with filled.engine.begin() as connection:
        connection.execute(text("ALTER TABLE pages DETACH PARTITION pages_2026_01"))
        # And one that a pruning had marked when it was killed:
        connection.execute(text(f"COMMENT ON TABLE pages_2026_02 IS '{partitions.MARK}'"))
    assert dropped(filled, None) == []
    with filled.engine.begin() as connection:
        connection.execute(text("ALTER TABLE pages DETACH PARTITION pages_2026_02"))
    assert dropped(filled) == [("pages_2026_03", "dropped")]
    assert column(filled, NAMES) == ["pages_2026_01", "pages_2026_02", "pages_2026_04"]


def test_a_month_that_somebody_is_detaching_is_theirs(filled: Database) -> None:
    """Their statement waits for a reader, or was broken off."""
    with read(filled, "SELECT count(*) FROM pages"), filled.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("SET lock_timeout = '300ms'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            connection.execute(text("ALTER TABLE pages DETACH PARTITION pages_2026_01 CONCURRENTLY"))
        connection.invalidate()
    with pytest.raises(StoreError, match='"pages_2026_01" already pending detach'):
        dropped(filled)
    assert ask(filled, "SELECT count(*) FROM pages_2026_01") == 1
    assert not any(one.is_marked for one in listed(filled))


# -- what is fetched again -------------------------------------------------------------------------------------------


def test_bytes_whose_month_is_gone_are_stored_again(database: Database) -> None:
    [due] = leased(database, 1)
    entry = an_entry(due)
    for _ in range(2):
        with database.engine.begin() as connection:
            writer.commit(connection, 1, [entry])
    assert ask(database, "SELECT count(*) FROM pages") == 1
    assert dropped(database, datetime(2026, 12, 1, tzinfo=UTC)) == [("pages_2026_11", "dropped")]
    for _ in range(2):
        with database.engine.begin() as connection:
            writer.commit(connection, 1, [entry])
    assert ask(database, "SELECT count(*) FROM pages") == 1


def test_what_is_older_than_what_is_kept_is_not_stored_at_all(database: Database) -> None:
    """Captures of long ago, out of an archive: the article is stored, its page is not."""
    instants = [datetime(2019, 5, 6, tzinfo=UTC), datetime.now(UTC)]
    for due, at in zip(leased(database, 2), instants, strict=True):
        entry = an_entry(due)
        assert entry.archived
        archived = replace(entry.archived, page=replace(entry.archived.page, fetched_at=at))
        with database.engine.begin() as connection:
            [stored] = writer.commit(connection, 1, [replace(entry, archived=archived)], keep_months=1)
        assert stored.outcome == "new"
    assert column(database, "SELECT fetched_at FROM pages") == instants[1:]
