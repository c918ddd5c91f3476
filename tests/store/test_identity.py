"""One article is one row: what redirects and canonical links merge, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from crawler.items import Candidate
from crawler.store import frontier, identity, intake
from crawler.store.engine import Database
from crawler.store.frontier import Due, Visit
from crawler.store.identity import Alias
from tests.store.rows import SITE, begun

SHORT, LONG = f"{SITE}/s/1", f"{SITE}/2026/bridge"


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        begun(connection)
        yield connection


def add(connection: Connection, *urls: str) -> int:
    found = [Candidate(url=url, source="herald", found_in="feed") for url in urls]
    return intake.add(connection, "herald", found).new


def take(connection: Connection, number: int = 10) -> list[Due]:
    return frontier.take(connection, 1, {"herald": number}, number)


def fetched(connection: Connection, due: Due) -> None:
    frontier.finish(connection, [Visit(url_id=due.url_id, source="herald", outcome="article")])


def rows(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT url FROM urls ORDER BY url")).scalars())


def aliases(connection: Connection) -> dict[str, str]:
    join = "SELECT url_aliases.url AS alias, urls.url FROM url_aliases JOIN urls ON urls.id = url_id"
    found = connection.execute(text(join))
    return {row.alias: row.url for row in found}


def test_the_target_of_a_redirect_that_waits_gives_way(connection: Connection) -> None:
    add(connection, SHORT)
    [due] = take(connection)
    add(connection, LONG, f"{LONG}?print=1")
    assert identity.redirected(connection, due, LONG) == "follow"
    assert rows(connection) == [SHORT]
    assert aliases(connection) == {LONG: SHORT, f"{LONG}?print=1": SHORT}
    assert add(connection, LONG) == 0


def test_a_redirect_to_what_is_held_is_merged_into_it(connection: Connection) -> None:
    add(connection, LONG)
    fetched(connection, take(connection)[0])
    add(connection, SHORT)
    [due] = take(connection)
    assert identity.redirected(connection, due, LONG) == "merged"
    assert rows(connection) == [LONG]
    assert aliases(connection) == {SHORT: LONG}
    assert add(connection, SHORT) == 0


def test_a_redirect_to_what_is_being_fetched_is_merged_into_it(connection: Connection) -> None:
    add(connection, LONG, SHORT)
    by_url = {due.candidate.url: due for due in take(connection)}
    assert identity.redirected(connection, by_url[SHORT], LONG) == "merged"
    assert rows(connection) == [LONG]


def test_a_page_that_was_fetched_and_redirects_now_keeps_its_row(connection: Connection) -> None:
    add(connection, LONG, SHORT)
    for due in take(connection):
        fetched(connection, due)
    connection.execute(text("UPDATE urls SET not_before = now()"))
    [again] = [due for due in take(connection) if due.candidate.url == SHORT]
    assert identity.redirected(connection, again, LONG) == "duplicate"
    assert rows(connection) == [LONG, SHORT]


def test_another_dress_of_the_same_page_is_no_other_page(connection: Connection) -> None:
    add(connection, LONG)
    [due] = take(connection)
    assert identity.redirected(connection, due, LONG.replace("https://", "http://www.") + "/") == "follow"
    assert rows(connection) == [LONG]


def test_a_canonical_address_that_waits_is_merged_and_one_that_was_fetched_is_not(connection: Connection) -> None:
    add(connection, SHORT, f"{SITE}/other")
    due = {one.candidate.url: one for one in take(connection)}
    fetched(connection, due[f"{SITE}/other"])
    add(connection, LONG)
    page = due[SHORT].url_id
    merged = [Alias(url_id=page, url=url, how="canonical") for url in (LONG, f"{SITE}/other")]
    identity.merge(connection, merged)
    assert rows(connection) == [f"{SITE}/other", SHORT]
    assert aliases(connection) == {LONG: SHORT}
