"""An increment has every row once, whatever the order in which transactions begin and end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from crawler.errors import ConfigurationError
from crawler.store import articles, crawls, cursors
from crawler.store.cursors import Cursor
from crawler.store.engine import Database
from crawler.store.exporting import Selection
from crawler.store.exporting import articles as exported
from tests.store.rows import SOURCE, an_article, ask

IDS = Selection(columns=("id",))


@pytest.fixture
def sourced(database: Database) -> Iterator[Database]:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE])
    yield database


def save(connection: Connection, number: int, body: str = "The bridge opened on Monday.") -> int:
    return articles.save(connection, [an_article(number, body=body)])[0].id


def increment(database: Database, before: Cursor | None) -> tuple[list[int], Cursor]:
    engine = database.engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        now = cursors.current(connection, IDS.asked)
        return [row["id"] for row in exported(connection, IDS, before)], now


def test_a_transaction_that_began_earlier_and_commits_later_is_in_the_next_increment(sourced: Database) -> None:
    with sourced.engine.connect() as early:
        late = save(early, 1)
        with sourced.engine.begin() as connection:
            between = save(connection, 2)
        assert late < between
        first, cursor = increment(sourced, None)
        assert first == [between]
        early.commit()
    second, cursor = increment(sourced, cursor)
    assert second == [late]
    assert increment(sourced, cursor)[0] == []


def test_a_change_that_is_committed_late_is_not_skipped_either(sourced: Database) -> None:
    with sourced.engine.begin() as connection:
        one, two = save(connection, 1), save(connection, 2)
    first, cursor = increment(sourced, None)
    assert first == [one, two]
    with sourced.engine.connect() as early:
        save(early, 1, "The bridge opened on Tuesday.")
        with sourced.engine.begin() as connection:
            save(connection, 2, "The bridge opened on Wednesday.")
        second, cursor = increment(sourced, cursor)
        assert second == [two]
        early.commit()
    third, cursor = increment(sourced, cursor)
    assert third == [one]


def test_what_somebody_changes_by_hand_counts_and_what_is_rolled_back_does_not(sourced: Database) -> None:
    with sourced.engine.begin() as connection:
        one = save(connection, 1)
    _, cursor = increment(sourced, None)
    with sourced.engine.connect() as connection:
        connection.execute(text("UPDATE articles SET section = 'Sport'"))
        connection.rollback()
    assert increment(sourced, cursor)[0] == []
    with sourced.engine.begin() as connection:
        connection.execute(text("UPDATE articles SET section = 'Sport'"))
    assert increment(sourced, cursor)[0] == [one]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["begin", "commit", "export"]), max_size=14), data=st.data())
def test_each_row_is_in_exactly_one_increment(sourced: Database, steps: list[str], data: st.DataObject) -> None:
    with sourced.engine.begin() as connection:
        connection.execute(text("DELETE FROM articles"))
    _, cursor = increment(sourced, None)
    given_out: list[int] = []
    written: list[int] = []
    with ExitStack() as stack:
        open_: list[Connection] = []
        for number, step in enumerate(steps):
            if step == "begin" and len(open_) < 5:
                open_.append(stack.enter_context(sourced.engine.connect()))
                written.append(save(open_[-1], number))
            elif step == "commit" and open_:
                open_.pop(data.draw(st.integers(0, len(open_) - 1))).commit()
            elif step == "export":
                found, cursor = increment(sourced, cursor)
                given_out += found
        for connection in open_:
            connection.commit()
    given_out += increment(sourced, cursor)[0]
    assert sorted(given_out) == sorted(written)


def test_a_cursor_fits_only_its_own_selection_and_database(sourced: Database, tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    _, now = increment(sourced, None)
    assert cursors.read(path, now) is None
    cursors.write(path, now)
    assert cursors.read(path, now) == now
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"asked": {"source": ["courier"]}}))
    with pytest.raises(ConfigurationError, match=r"another selection: --source courier$"):
        cursors.read(path, now)
    path.write_text(json.dumps(stored | {"place": "1-00000001-1"}))
    with pytest.raises(ConfigurationError, match="another database, or it was restored since"):
        cursors.read(path, now)
    path.write_text("[]")
    with pytest.raises(ConfigurationError, match="is no cursor"):
        cursors.read(path, now)


def test_rows_of_another_cluster_are_in_no_increment_and_are_adopted(sourced: Database) -> None:
    with sourced.engine.begin() as connection:
        one = save(connection, 1)
        connection.execute(text("ALTER TABLE articles DISABLE TRIGGER articles_changed"))
        connection.execute(text("UPDATE articles SET changed_xid = 1000000000000"))
        connection.execute(text("ALTER TABLE articles ENABLE TRIGGER articles_changed"))
    first, cursor = increment(sourced, None)
    assert first == [one]
    assert increment(sourced, cursor)[0] == []
    with sourced.engine.begin() as connection:
        assert cursors.adopt(connection) == 1
    assert ask(sourced, "SELECT changed_xid < 1000000000 FROM articles")
    with sourced.engine.begin() as connection:
        assert cursors.adopt(connection) == 0
