"""What announces articles: which documents are due, how long each rests, and what a seed or an index changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crawler.store import crawls, listings
from crawler.store.engine import Database
from crawler.store.listings import DueListing, Found, Reading, rest_of
from tests.store.rows import SITE, SOURCE, begun

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
FEED, INDEX, CHILD = f"{SITE}/feed", f"{SITE}/sitemap.xml", f"{SITE}/sitemap-1.xml"
ROBOTS = f"{SITE}/robots.txt"
ALL: list[listings.Kind] = ["homepage", "feed", "sitemap", "archive", "section", "further"]


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One whose transaction does not end: `now()` stands still."""
    with database.engine.connect() as connection:
        begun(connection)
        yield connection


def due(connection: Connection, **options: bool) -> list[str]:
    return [one.url for one in listings.due(connection, "herald", ALL, **options)]


def read(connection: Connection, url: str, outcome: str = "read", **fields: Any) -> None:
    (listing,) = (one for one in listings.due(connection, "herald", ALL, every=True) if one.url == url)
    listings.finish(connection, Reading(listing=listing, outcome=outcome, **fields))


def a_listing(kind: listings.Kind, **fields: Any) -> DueListing:
    return DueListing(id=1, source="herald", url=FEED, kind=kind, found_at=NOW - 4 * DAY, **fields)


@pytest.mark.parametrize(
    ("listing", "outcome", "new", "rest"),
    [
        (a_listing("feed", parent=SITE), "not_modified", 0, timedelta(0)),
        (a_listing("sitemap"), "read", 0, timedelta(0)),
        (a_listing("sitemap", parent=ROBOTS), "not_modified", 0, timedelta(0)),
        (a_listing("sitemap", parent=INDEX), "not_modified", 0, DAY),  # a quarter of the time that it has been still
        (a_listing("sitemap", parent=INDEX, changed_at=NOW - 4 * HOUR), "read", 0, HOUR),
        (a_listing("archive", parent=INDEX, changed_at=NOW - 90 * DAY), "not_modified", 0, WEEK),
        (a_listing("section", parent=SITE), "read", 3, timedelta(minutes=10)),
        (a_listing("section", parent=SITE, changed_at=NOW), "read", 0, HOUR),
        (a_listing("section", parent=SITE, changed_at=NOW - 2 * DAY), "not_modified", 0, 2 * DAY),
        (a_listing("further", parent=SITE), "read", 3, None),
        (a_listing("homepage", changed_at=NOW - 90 * DAY), "read", 0, WEEK),
        (a_listing("feed", parent=SITE), "not_found", 0, HOUR),
        (a_listing("feed", parent=SITE), "gone", 0, None),
        (a_listing("feed", parent=SITE, failures=4), "not_a_feed", 0, None),
        (a_listing("feed", failures=40), "gone", 0, DAY),  # the seed stands by it
        (a_listing("feed", parent=listings.USUAL), "not_found", 0, None),
        (a_listing("feed", parent=listings.USUAL), "timeout", 0, timedelta(minutes=10)),
        (a_listing("feed", parent=SITE, failures=40), "timeout", 0, DAY),  # the network's fault is no end
        (a_listing("sitemap", parent=INDEX, changed_at=NOW - 4 * DAY, body_sha256=b"1"), "read", 0, timedelta(0)),
    ],
)
def test_how_long_a_document_rests(listing: DueListing, outcome: str, new: int, rest: timedelta | None) -> None:
    assert rest_of(Reading(listing=listing, outcome=outcome, new=new), NOW) == rest


def test_a_second_crawl_asks_for_feeds_and_roots_only(connection: Connection) -> None:
    listings.seeded(connection, "herald", [Found(url=SITE, kind="homepage")])
    found = [Found(url=FEED, kind="feed", parent=SITE), Found(url=INDEX, kind="sitemap", parent=ROBOTS)]
    listings.announce(connection, "herald", [*found, Found(url=f"{SITE}/world", kind="section", parent=SITE)])
    listings.announce(connection, "herald", [Found(url=CHILD, kind="sitemap", parent=INDEX)])
    assert len(due(connection)) == 5
    connection.execute(text("UPDATE listings SET found_at = now() - interval '1 hour'"))
    for url in due(connection):
        read(connection, url, etag='"1"')
    assert due(connection) == [FEED, INDEX]
    assert len(due(connection, every=True)) == 5
    [feed, _] = listings.due(connection, "herald", ALL)
    assert feed.etag == '"1"'


def test_an_index_that_dates_a_sitemap_later_makes_it_due(connection: Connection) -> None:
    child = Found(url=CHILD, kind="sitemap", parent=INDEX)
    listings.announce(connection, "herald", [child])
    connection.execute(text("UPDATE listings SET found_at = now() - interval '1 hour'"))
    read(connection, CHILD)
    listings.announce(connection, "herald", [child])
    assert due(connection) == []
    later = datetime.now(UTC) + HOUR
    listings.announce(connection, "herald", [Found(url=CHILD, kind="sitemap", parent=INDEX, modified_at=later)])
    assert due(connection) == [CHILD]


def test_what_the_seed_does_not_name_any_more_is_forgotten_and_what_was_found_stays(connection: Connection) -> None:
    listings.seeded(connection, "herald", [Found(url=FEED, kind="feed"), Found(url=INDEX, kind="sitemap")])
    listings.announce(connection, "herald", [Found(url=CHILD, kind="sitemap", parent=INDEX)])
    listings.seeded(connection, "herald", [Found(url=INDEX, kind="sitemap")])
    assert due(connection) == [INDEX, CHILD]


def test_the_seed_takes_up_what_had_been_found_or_retired(connection: Connection) -> None:
    listings.announce(connection, "herald", [Found(url=FEED, kind="feed", parent=SITE)])
    read(connection, FEED, "gone")
    assert due(connection, every=True) == []
    listings.seeded(connection, "herald", [Found(url=FEED, kind="feed")])
    [feed] = listings.due(connection, "herald", ALL)
    assert feed.parent is None


def test_a_further_page_is_due_whenever_it_is_named(connection: Connection) -> None:
    page = Found(url=f"{SITE}/world/page/2", kind="further", parent=f"{SITE}/world")
    for _ in range(2):
        listings.announce(connection, "herald", [page])
        assert due(connection) == [page.url]
        read(connection, page.url, new=3)
        assert due(connection, every=True) == []


def test_what_was_given_up_gets_another_chance(connection: Connection) -> None:
    guess, feed = Found(url=INDEX, kind="feed", parent=listings.USUAL), Found(url=FEED, kind="feed", parent=SITE)
    listings.announce(connection, "herald", [guess, feed])
    read(connection, INDEX, "not_found")
    read(connection, FEED, "gone")
    listings.announce(connection, "herald", [guess, feed])
    assert due(connection, every=True) == []
    listings.announce(connection, "herald", [Found(url=INDEX, kind="sitemap", parent=ROBOTS)])
    assert due(connection) == [INDEX]
    connection.execute(text("UPDATE listings SET checked_at = now() - interval '8 days'"))
    listings.announce(connection, "herald", [feed])
    assert FEED in due(connection)


def test_what_was_not_asked_has_not_failed(connection: Connection) -> None:
    listings.announce(connection, "herald", [Found(url=FEED, kind="feed", parent=SITE)])
    for _ in range(9):
        read(connection, FEED, "robots_unreachable")
    assert connection.execute(text("SELECT failures FROM listings")).scalar_one() == 0


def test_a_changed_seed_has_its_lists_read_anew(connection: Connection) -> None:
    listings.seeded(connection, "herald", [Found(url=FEED, kind="feed")])
    read(connection, FEED, etag='"1"')
    crawls.save_sources(connection, [SOURCE])
    assert listings.due(connection, "herald", ALL)[0].etag == '"1"'
    crawls.save_sources(connection, [SOURCE.model_copy(update={"max_age_days": 3})])
    assert listings.due(connection, "herald", ALL)[0].etag is None
