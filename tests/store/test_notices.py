"""Who listens is told when an article is committed, and not before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from crawler.items import Block
from crawler.recurrence import block_key
from crawler.store import cleaning, notices
from crawler.store.engine import Database
from crawler.store.writer import commit
from tests.store.rows import AT, SITE, an_entry, leased

BOX = "Vilu sed karmo lint, vaton helu prim sodare kel nomi."


@pytest.fixture
def listener(database: Database, database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"LISTEN {notices.CHANNEL}".encode())
        yield connection


def heard(listener: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What was committed before a mark that is sent now."""
    listener.execute(f"NOTIFY {notices.CHANNEL}, 'end'".encode())
    found: list[dict[str, Any]] = []
    for notice in listener.notifies(timeout=30):
        if notice.payload == "end":
            return found
        found.append(json.loads(notice.payload))
    raise TimeoutError


def test_new_and_changed_articles_are_told_when_they_are_committed(
    database: Database, listener: psycopg.Connection[Any]
) -> None:
    first, second = leased(database, 2)
    with database.engine.connect() as connection:
        stored = commit(connection, None, [an_entry(first), an_entry(second)])
        assert heard(listener) == []
        connection.commit()
    ids = [one.article_id for one in stored]
    told = [{"id": id_, "source": "herald", "url": f"{SITE}/{n}", "outcome": "new"} for n, id_ in enumerate(ids, 1)]
    assert heard(listener) == told
    with database.engine.begin() as connection:
        commit(connection, None, [an_entry(first, headline="A bridge closes"), an_entry(second)])
    assert heard(listener) == [told[0] | {"outcome": "updated"}]


def test_what_is_rolled_back_is_not_told(database: Database, listener: psycopg.Connection[Any]) -> None:
    [due] = leased(database, 1)
    with database.engine.connect() as connection:
        commit(connection, None, [an_entry(due)])
        connection.rollback()
    assert heard(listener) == []


def test_what_a_template_cleans_is_told(database: Database, listener: psycopg.Connection[Any]) -> None:
    [due] = leased(database, 1)
    story = [f"The bridge of pier number {n} was opened by the mayor of the town on Monday morning." for n in range(9)]
    blocks = tuple(Block(kind="paragraph", text=line, kept=True) for line in [*story, BOX])
    with database.engine.begin() as connection:
        entry = an_entry(due, blocks=blocks, body="\n".join([*story, BOX]))
        [stored] = commit(connection, None, [entry])
        learned = "UPDATE boilerplate_blocks SET state = 'learned', decided_at = now(), clean_from = first_seen_at"
        connection.execute(text(f"{learned} WHERE key = :key"), {"key": block_key(BOX)})
    heard(listener)
    assert cleaning.clean(database.engine, "herald", since=AT) == 1
    assert [(one["id"], one["outcome"]) for one in heard(listener)] == [(stored.article_id, "cleaned")]


def test_an_address_that_is_too_long_is_left_out(database: Database, listener: psycopg.Connection[Any]) -> None:
    [due] = leased(database, 1)
    with database.engine.begin() as connection:
        [stored] = commit(connection, None, [an_entry(due)])
        connection.execute(text("UPDATE articles SET url = url || repeat('ü', 4000)"))
        notices.tell(connection, [(stored.article_id or 0, "updated")])
    assert heard(listener)[-1]["url"] is None
