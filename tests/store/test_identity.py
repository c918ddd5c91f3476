"""One article is one row: what redirects and canonical links merge, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from crawler.items import Candidate
from crawler.recheck import Look
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
    look = Look(0, timedelta(hours=1))
    frontier.finish(connection, [Visit(url_id=due.url_id, source="herald", outcome="article", look=look)])


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
    assert identity.redirected(connection, due, LONG, permanent=True) == "follow"
    assert rows(connection) == [SHORT]
    assert aliases(connection) == {LONG: SHORT, f"{LONG}?print=1": SHORT}
    assert add(connection, LONG) == 0


def test_a_redirect_to_what_is_held_is_merged_into_it(connection: Connection) -> None:
    add(connection, LONG)
    fetched(connection, take(connection)[0])
    add(connection, SHORT)
    [due] = take(connection)
    assert identity.redirected(connection, due, LONG, permanent=True) == "merged"
    assert rows(connection) == [LONG]
    assert aliases(connection) == {SHORT: LONG}
    assert add(connection, SHORT) == 0


def test_a_redirect_to_what_is_being_fetched_is_merged_into_it(connection: Connection) -> None:
    add(connection, LONG, SHORT)
    by_url = {due.candidate.url: due for due in take(connection)}
    assert identity.redirected(connection, by_url[SHORT], LONG, permanent=True) == "merged"
    assert rows(connection) == [LONG]


def test_a_page_that_was_fetched_and_redirects_now_keeps_its_row(connection: Connection) -> None:
    add(connection, LONG, SHORT)
    for due in take(connection):
        fetched(connection, due)
    connection.execute(text("UPDATE urls SET not_before = now()"))
    [again] = [due for due in take(connection) if due.candidate.url == SHORT]
    assert identity.redirected(connection, again, LONG, permanent=True) == "duplicate"
    assert rows(connection) == [LONG, SHORT]


def test_another_dress_of_the_same_page_is_no_other_page(connection: Connection) -> None:
    add(connection, LONG)
    [due] = take(connection)
    assert (
        identity.redirected(connection, due, LONG.replace("https://", "http://www.") + "/", permanent=True) == "follow"
    )
    assert rows(connection) == [LONG]


def test_a_temporary_redirect_merges_nothing(connection: Connection) -> None:
    add(connection, LONG, SHORT)
    by_url = {due.candidate.url: due for due in take(connection)}
    assert identity.redirected(connection, by_url[SHORT], LONG, permanent=False) == "moved"
    assert identity.redirected(connection, by_url[SHORT], f"{SITE}/unknown", permanent=False) == "new"
    assert identity.redirected(connection, by_url[SHORT], f"{SHORT}/", permanent=False) == "follow"
    assert rows(connection) == [LONG, SHORT]
    assert aliases(connection) == {}


@pytest.mark.parametrize("outcome", ["listing_url", "gone"])
def test_what_nobody_will_fetch_takes_no_page_up(connection: Connection, outcome: str) -> None:
    add(connection, LONG)
    frontier.finish(connection, [Visit(url_id=take(connection)[0].url_id, source="herald", outcome=outcome)])
    connection.execute(text("UPDATE urls SET not_before = NULL"))
    add(connection, SHORT)
    [due] = take(connection)
    assert identity.redirected(connection, due, LONG, permanent=True) == "follow"
    assert rows(connection) == [LONG, SHORT]


def test_a_canonical_link_merges_what_was_announced_under_the_same_headline_only(connection: Connection) -> None:
    add(connection, SHORT)
    [due] = take(connection)
    for url, title in ((LONG, "A bridge opens | Herald"), (f"{SITE}/other", "Another story"), (f"{SITE}/bare", None)):
        intake.add(connection, "herald", [Candidate(url=url, source="herald", found_in="feed", title=title)])
    for url in (LONG, f"{SITE}/other", f"{SITE}/bare"):
        merged = Alias(url_id=due.url_id, url=url, how="canonical", headline="A bridge opens")
        identity.merge(connection, [merged])
    assert rows(connection) == [f"{SITE}/bare", f"{SITE}/other", SHORT]
    assert aliases(connection) == {LONG: SHORT}


def test_other_addresses_of_what_is_gone_revive_it_once_a_day_and_are_not_noted_without_end(
    connection: Connection,
) -> None:
    addresses = [f"{LONG}?sid={number:020d}" for number in range(40)]
    add(connection, addresses[0])
    frontier.finish(connection, [Visit(url_id=take(connection)[0].url_id, source="herald", outcome="gone")])
    add(connection, *addresses[1:3])
    assert take(connection) == []
    connection.execute(text("UPDATE urls SET fetched_at = now() - interval '2 days'"))
    for address in addresses[3:]:
        add(connection, address)
    assert len(take(connection)) == 1
    assert len(aliases(connection)) == intake.MOST_ALIASES


def test_an_alias_is_not_noted_as_another_page(connection: Connection) -> None:
    add(connection, LONG)
    [due] = take(connection)
    identity.merge(connection, [Alias(url_id=due.url_id, url=SHORT, how="redirect")])
    found = Candidate(url=SHORT, source="herald", found_in="sitemap")
    assert intake.exclude(connection, "herald", [found], "listing_url") == 0
