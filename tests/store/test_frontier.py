"""Which URLs are due: the rules, and that no two runs are given the same one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crawler.items import Candidate
from crawler.store import frontier
from crawler.store.engine import Database
from crawler.store.frontier import BACK_OFF, MAX_ATTEMPTS, Added, Due, Visit
from tests.store.rows import AT, OTHER, SITE, ask, begun, candidates, column

HOUR = 3600.0
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """One whose transaction does not end: `now()` stands still."""
    with database.engine.connect() as connection:
        begun(connection)
        yield connection


def add(connection: Connection, *numbers: int, recheck_after: float = HOUR, **hints: Any) -> Added:
    return frontier.add(connection, "herald", candidates(numbers, **hints), recheck_after)


def take(connection: Connection, number: int = 100, crawl_id: int = 1) -> list[Due]:
    return frontier.take(connection, crawl_id, {"herald": number}, number)


def finish(connection: Connection, due: Due, state: str = "fetched", *, retry: bool = False) -> None:
    frontier.finish(connection, [Visit(url_id=due.url_id, state=state, retry=retry, reason="r", etag='"1"')])


def row(connection: Connection) -> dict[str, object]:
    return dict(connection.execute(text("SELECT *, not_before - now() AS pause FROM urls")).mappings().one())


def rest(connection: Connection, seconds: float) -> None:
    connection.execute(
        text("UPDATE urls SET fetched_at = fetched_at - make_interval(secs => :s), not_before = now()"), {"s": seconds}
    )


def test_new_then_known(connection: Connection) -> None:
    assert add(connection, 1, 2, 2) == Added(new=2, due=0, known=0)
    assert add(connection, 2, 3) == Added(new=1, due=0, known=1)
    assert add(connection) == Added(new=0, due=0, known=0)


def test_what_was_announced_comes_back(connection: Connection) -> None:
    given = Candidate(
        url=f"{SITE}/1",
        source="herald",
        found_in="sitemap",
        found_at=f"{SITE}/sitemap.xml",
        title="Straße",
        published_at=AT,
        modified_at=AT,
        guid="g",
    )
    frontier.add(connection, "herald", [given], HOUR)
    [due] = take(connection)
    assert due.candidate == given
    assert (due.etag, due.last_modified) == (None, None)


def test_a_title_that_no_database_takes_does_not_cost_the_feed(connection: Connection) -> None:
    add(connection, 1, title="nul \x00 and lone \ud800")
    assert [one.candidate.title for one in take(connection)] == ["nul  and lone \ufffd"]


@pytest.mark.parametrize("state", ["fetched", "unchanged"])
def test_fetched_ones_rest(connection: Connection, state: str) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0], state)
    rest(connection, HOUR - 1)
    assert add(connection, 1) == Added(new=0, due=0, known=1)
    rest(connection, 1)
    assert add(connection, 1) == Added(new=0, due=1, known=0)
    assert take(connection)[0].etag == '"1"'


def test_a_newer_date_makes_it_due(connection: Connection) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0])
    assert add(connection, 1, modified_at=AT - timedelta(days=900)).due == 0
    assert add(connection, 1, modified_at=LATER).due == 1


@pytest.mark.parametrize("state", ["gone", "excluded", "forbidden"])
def test_what_is_gone_is_never_queued_again(connection: Connection, state: str) -> None:
    add(connection, 1)
    finish(connection, take(connection)[0], state)
    rest(connection, 1000 * HOUR)
    assert add(connection, 1, modified_at=LATER, recheck_after=0) == Added(new=0, due=0, known=1)
    assert take(connection) == []


def test_retries_wait_longer_and_longer_and_end(connection: Connection) -> None:
    add(connection, 1)
    for attempt in range(MAX_ATTEMPTS):
        [due] = take(connection)
        finish(connection, due, "failed", retry=True)
        assert row(connection)["pause"] == BACK_OFF * 2**attempt
        assert take(connection) == []
        connection.execute(text("UPDATE urls SET not_before = now()"))
    assert row(connection)["state"] == "failed"
    assert take(connection) == []


def test_what_failed_is_tried_again_only_for_a_newer_date(connection: Connection) -> None:
    add(connection, 1)
    for _ in range(MAX_ATTEMPTS):
        finish(connection, take(connection)[0], "failed", retry=True)
        connection.execute(text("UPDATE urls SET not_before = now()"))
    assert add(connection, 1, recheck_after=0).due == 0
    assert add(connection, 1, modified_at=AT - timedelta(days=900)).due == 0
    assert add(connection, 1, modified_at=LATER).due == 1
    assert row(connection)["attempts"] == 0


def test_take_keeps_to_its_limits(connection: Connection) -> None:
    add(connection, *range(10))
    frontier.add(connection, "courier", candidates(range(10), OTHER), HOUR)
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
        assert add(second, 2, 1, modified_at=LATER) == Added(new=0, due=0, known=2)  # the first has them
    assert column(database, "SELECT DISTINCT state FROM urls") == ["queued"]


def test_lease_one_whatever_its_state(connection: Connection) -> None:
    given = Candidate(url=f"{SITE}/1", source="herald", found_in="ad_hoc")
    due = frontier.lease_one(connection, 1, given)
    assert due and due.candidate == given
    assert frontier.lease_one(connection, 2, given) is None  # the first run is fetching it
    finish(connection, due, "gone")
    again = frontier.lease_one(connection, 2, given)
    assert again and again.url_id == due.url_id
    assert row(connection)["lease_crawl"] == 2


def test_the_index_of_due_urls_is_used(database: Database) -> None:
    with database.engine.begin() as connection:
        begun(connection)
        add(connection, *range(2000))
        connection.execute(text("UPDATE urls SET state = 'fetched' WHERE id > 20"))
        plan = connection.execute(
            text("EXPLAIN " + str(frontier._TAKE)), {"crawl_id": 1, "sources": ["herald"], "limits": [5], "most": 5}
        ).scalars()
        assert any("ix_urls_due" in line for line in plan)
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'leased'") == 0
