"""Which URLs are due: the rules, and that no two runs are given the same one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crawler.items import Candidate
from crawler.outcomes import OUTCOMES
from crawler.recheck import Look
from crawler.store import crawls, frontier, intake
from crawler.store.engine import Database
from crawler.store.frontier import Due, Visit
from crawler.store.intake import ARCHIVE, NEWS, Added
from tests.store.rows import AT, OTHER, SITE, ask, begun, candidates, column

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One whose transaction does not end: `now()` stands still."""
    with database.engine.connect() as connection:
        begun(connection)
        yield connection


def add(connection: Connection, *numbers: int, since: datetime | None = None, heed: bool = True, **hints: Any) -> Added:
    return counts(intake.add(connection, "herald", candidates(numbers, **hints), heed=heed, since=since))


def counts(added: Added) -> Added:
    return replace(added, urls=(), uncovered=0)


def given(url: str, **hints: Any) -> Candidate:
    return Candidate(url=url, source="herald", found_in="feed", **hints)


def take(connection: Connection, number: int = 100, crawl_id: int = 1) -> list[Due]:
    return frontier.take(connection, crawl_id, {"herald": number}, number)


def finish(connection: Connection, due: Due, outcome: str = "article", look: Look | None = None) -> None:
    visit = Visit(
        url_id=due.url_id,
        source="herald",
        outcome=outcome,
        attempts=due.attempts,
        looked=due.step,
        look=look,
        etag='"1"',
    )
    frontier.finish(connection, [visit])


def row(connection: Connection) -> dict[str, object]:
    return dict(connection.execute(text("SELECT *, not_before - now() AS pause FROM urls")).mappings().one())


def rested(connection: Connection) -> None:
    """What waits for its time, waits no more."""
    connection.execute(text("UPDATE urls SET not_before = now() WHERE not_before IS NOT NULL"))


def test_new_then_known(connection: Connection) -> None:
    assert add(connection, 1, 2, 2) == Added(new=2)
    assert add(connection, 2, 3) == Added(new=1, known=1)
    assert add(connection) == Added()


def test_what_was_announced_comes_back(connection: Connection) -> None:
    announced = Candidate(
        url=f"{SITE}/1",
        source="herald",
        found_in="sitemap",
        found_at=f"{SITE}/sitemap.xml",
        title="Straße",
        published_at=AT,
        modified_at=AT,
        guid="g",
    )
    intake.add(connection, "herald", [announced])
    [due] = take(connection)
    assert due.candidate == announced
    assert (due.etag, due.last_modified) == (None, None)


def test_a_title_that_no_database_takes_does_not_cost_the_feed(connection: Connection) -> None:
    add(connection, 1, title="nul \x00 and lone \ud800")
    assert [one.candidate.title for one in take(connection)] == ["nul  and lone \ufffd"]


@pytest.mark.parametrize("outcome", ["article", "not_modified"])
def test_what_was_fetched_is_not_due_until_its_look_is(connection: Connection, outcome: str) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0], outcome, Look(2, timedelta(hours=1)))
    assert add(connection, 1) == Added(known=1)
    assert take(connection) == []
    rested(connection)
    [due] = take(connection)
    assert (due.step, due.attempts) == (2, 1)
    assert due.etag == ('"1"' if outcome == "article" else None) or outcome == "not_modified"
    finish(connection, due, "not_modified")
    assert row(connection)["pause"] is None


def test_a_look_by_hand_makes_what_was_fetched_before_due(connection: Connection) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0])
    assert add(connection, 1, since=LATER) == Added(due=1)
    assert [due.step for due in take(connection)] == [-1]


def test_a_newer_date_makes_it_due(connection: Connection) -> None:
    add(connection, *range(1, 12))
    for due in take(connection):
        finish(connection, due)
    assert add(connection, 1, modified_at=AT - timedelta(days=900)).due == 0
    assert add(connection, 1, modified_at=LATER).due == 1
    assert add(connection, *range(2, 12), modified_at=LATER, heed=False).due == 1  # every tenth


def test_a_date_that_has_led_to_a_look_leads_to_no_other(connection: Connection) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0])
    assert add(connection, 1, modified_at=LATER).due == 1
    finish(connection, take(connection)[0], "not_modified")
    assert add(connection, 1, modified_at=LATER).due == 0


@pytest.mark.parametrize(
    "outcome", sorted(OUTCOMES.keys() - {"crawl_closing", "source_disabled"})
)  # its lease is given back
def test_an_outcome_is_tried_again_as_often_as_its_table_says(connection: Connection, outcome: str) -> None:
    ending = OUTCOMES[outcome]
    add(connection, 1)
    for attempt, pause in enumerate(ending.again, start=1):
        [due] = take(connection)
        assert due.attempts == attempt
        finish(connection, due, outcome)
        assert (row(connection)["state"], row(connection)["pause"]) == (ending.state, pause)
        assert take(connection) == []
        rested(connection)
    [due] = take(connection)
    finish(connection, due, outcome)
    assert row(connection)["pause"] == (ending.again[-1] if ending.endless else None)
    assert (row(connection)["state"], row(connection)["reason"]) == (ending.state, outcome)


def test_what_failed_for_good_is_tried_again_for_a_newer_date(connection: Connection) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0], "timeout")
    connection.execute(text("UPDATE urls SET not_before = NULL"))
    assert add(connection, 1, modified_at=AT - timedelta(days=900)).due == 0
    assert add(connection, 1, modified_at=LATER).due == 1
    assert row(connection)["attempts"] == 0


# -- identity --------------------------------------------------------------------------------------------------------


def test_one_page_by_many_addresses_is_one_row(connection: Connection) -> None:
    addresses = [f"{SITE}/a/", "http://www.herald.example/a", f"{SITE}/a?print=1", f"{SITE}/amp/a"]
    assert counts(intake.add(connection, "herald", [given(url) for url in addresses])) == Added(new=1)
    assert intake.add(connection, "herald", [given(addresses[1])]).known == 1
    assert row(connection)["url"] == addresses[0]
    aliases = connection.execute(text("SELECT url FROM url_aliases ORDER BY url")).scalars().all()
    assert list(aliases) == sorted(addresses[1:])


def test_a_page_takes_the_place_of_its_amp_version_while_that_waits(connection: Connection) -> None:
    intake.add(connection, "herald", [given(f"{SITE}/amp/a")])
    assert intake.add(connection, "herald", [given(f"{SITE}/a")]).new == 0
    assert [due.candidate.url for due in take(connection)] == [f"{SITE}/a"]
    assert connection.execute(text("SELECT url FROM url_aliases")).scalars().all() == [f"{SITE}/amp/a"]


def test_an_address_that_was_not_tried_gets_its_chance_once(connection: Connection) -> None:
    intake.add(connection, "herald", [given(f"{SITE}/print/a")])
    finish(connection, take(connection)[0], "robots_forbidden")
    assert intake.add(connection, "herald", [given(f"{SITE}/a")]).due == 1
    [due] = take(connection)
    assert due.candidate.url == f"{SITE}/a"
    finish(connection, due, "gone")
    assert intake.add(connection, "herald", [given(f"{SITE}/a")]).due == 0
    assert intake.add(connection, "herald", [given(f"{SITE}/print/a")]).due == 0


def test_what_a_sitemap_names_and_is_no_article_is_noted_and_a_feed_knows_better(connection: Connection) -> None:
    about = replace(given(f"{SITE}/about"), found_in="sitemap")
    assert intake.exclude(connection, "herald", [about], "listing_url") == 1
    assert intake.exclude(connection, "herald", [about], "listing_url") == 0
    assert (row(connection)["state"], row(connection)["reason"]) == ("excluded", "listing_url")
    assert intake.add(connection, "herald", [about]).due == 0
    assert intake.add(connection, "herald", [given(f"{SITE}/about")]).due == 1


# -- leases ----------------------------------------------------------------------------------------------------------


def test_news_goes_before_the_archive(connection: Connection) -> None:
    now = datetime.now(UTC)
    add(connection, 1, published_at=now - timedelta(days=300))
    add(connection, 2, published_at=now)
    ranks = connection.execute(text("SELECT rank FROM urls ORDER BY id")).scalars().all()
    assert list(ranks) == [ARCHIVE, NEWS]
    assert [due.candidate.url for due in take(connection, 1)] == [f"{SITE}/2"]


def test_what_a_killed_run_had_leased_is_what_it_was(connection: Connection) -> None:
    add(connection, 1, 2)
    [first, _] = take(connection)
    finish(connection, first, "article", Look(0, timedelta(0)))
    assert len(take(connection)) == 1
    crawls.give_back(connection, [1])
    rows = connection.execute(text("SELECT state, attempts, state_before, lease_crawl FROM urls ORDER BY state")).all()
    assert [tuple(one) for one in rows] == [("fetched", 0, None, None), ("queued", 0, None, None)]
    assert len(take(connection)) == 2


def test_take_keeps_to_its_limits(connection: Connection) -> None:
    add(connection, *range(10))
    intake.add(connection, "courier", candidates(range(10), OTHER))
    due = frontier.take(connection, 1, {"herald": 2, "courier": 3, "nobody": 4}, 100)
    assert Counter(one.candidate.source for one in due) == {"herald": 2, "courier": 3}
    assert len(frontier.take(connection, 1, {"herald": 8, "courier": 8}, 4)) == 4
    assert frontier.take(connection, 1, {}, 4) == []


def test_two_runs_are_never_given_the_same_url(database: Database) -> None:
    with database.engine.begin() as connection:
        begun(connection)
        add(connection, *range(300))
    taken: list[int] = []
    start = threading.Barrier(2)

    def run(crawl_id: int) -> None:
        start.wait()
        while True:
            with database.engine.begin() as connection:
                due = take(connection, 7, crawl_id)
            if not due:
                return
            taken.extend(one.url_id for one in due)

    threads = [threading.Thread(target=run, args=[crawl_id]) for crawl_id in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 300


def test_what_another_run_is_leasing_is_not_waited_for(database: Database) -> None:
    with database.engine.begin() as connection:
        begun(connection)
        add(connection, 1, 2)
    with database.engine.begin() as first, database.engine.begin() as second:
        [mine] = take(first, 1)
        [other] = take(second, 2)
        assert mine.url_id != other.url_id


def test_two_runs_that_add_the_same_do_not_deadlock(database: Database) -> None:
    with database.engine.begin() as connection:
        begun(connection)
        add(connection, 1, 2)
        for due in take(connection):
            finish(connection, due)
    with database.engine.begin() as first, database.engine.begin() as second:
        assert add(first, 1, 2, modified_at=LATER).due == 2
        assert add(second, 2, 1, modified_at=LATER) == Added(known=2)  # the first has them
    assert column(database, "SELECT DISTINCT step FROM urls WHERE not_before IS NOT NULL") == [-1]


def test_lease_one_whatever_its_state(connection: Connection) -> None:
    asked = Candidate(url=f"{SITE}/1", source="herald", found_in="ad_hoc")
    due = frontier.lease_one(connection, 1, asked)
    assert due and due.candidate == asked
    assert frontier.lease_one(connection, 2, asked) is None  # the first run is fetching it
    finish(connection, due, "gone")
    again = frontier.lease_one(connection, 2, asked)
    assert again and again.url_id == due.url_id
    assert row(connection)["lease_crawl"] == 2


def test_the_index_of_due_urls_is_used(database: Database) -> None:
    with database.engine.begin() as connection:
        begun(connection)
        add(connection, *range(2000))
        connection.execute(text("UPDATE urls SET state = 'fetched', not_before = NULL WHERE id > 20"))
        plan = connection.execute(
            text("EXPLAIN " + str(frontier._TAKE)),
            {"crawl_id": 1, "sources": ["herald"], "limits": [5], "most": 5, "ranks": list(intake.RANKS)},
        ).scalars()
        assert any("ix_urls_due" in line for line in plan)
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'leased'") == 0
