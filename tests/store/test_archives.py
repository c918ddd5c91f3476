"""Files with a mark of what is done of them, and pages that were fetched long ago."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from crawler.items import Article, Candidate
from crawler.store import archives, frontier, intake
from crawler.store.archives import Claim, Mark
from crawler.store.engine import Database
from crawler.store.frontier import Visit
from crawler.store.pages import Archived, sha256
from crawler.store.writer import Entry, Stored, commit
from crawler.warc import Identity
from tests.store.rows import AT, HTML, SITE, a_page, an_article, ask, begun, candidates, column

FILE = Identity(path=Path("/archives/a.warc.gz"), size=1_000, fingerprint="abc")
HOUR = timedelta(hours=1)
URL = f"{SITE}/1"


@pytest.fixture
def one(database: Database) -> Iterator[tuple[Connection, int]]:
    """A run that lives: its connection, which holds its lock, and its id."""
    with database.engine.connect() as connection:
        with connection.begin():
            crawl_id = begun(connection)
        yield connection, crawl_id
        connection.invalidate()


@pytest.fixture
def other(database: Database) -> Iterator[tuple[Connection, int]]:
    with database.engine.connect() as connection:
        with connection.begin():
            crawl_id = begun(connection)
        yield connection, crawl_id
        connection.invalidate()


Run = tuple[Connection, int]


def claimed(run: Run, *, again: bool = False, selection: str = "{}", file: Identity = FILE) -> Claim:
    with run[0].begin():
        return archives.claim(*run, file, selection, again=again)


def marked(run: Run, claim: Claim, records: int, *, finished: bool = False) -> bool:
    mark = Mark(
        id=claim.id,
        records=records,
        stored=1,
        skipped={"revisit": records - 1},
        done_offset=10 * records,
        error="damaged",
        finished=finished,
    )
    with run[0].begin():
        return archives.mark(*run, mark)


def test_a_file_goes_on_where_the_last_run_left_it(database: Database, one: Run, other: Run) -> None:
    first = claimed(one)
    assert (first.state, first.records) == ("ours", 0)
    assert marked(one, first, 7)
    assert claimed(other).state == "taken"
    one[0].exec_driver_sql("SELECT pg_advisory_unlock_all()")  # as when its process dies
    one[0].commit()
    second = claimed(other)
    assert (second.state, second.id) == ("ours", first.id)
    assert (second.records, second.stored, second.skipped, second.done_offset) == (7, 1, {"revisit": 6}, 70)
    assert second.error == "damaged"
    assert not marked(one, first, 9)  # it is another's now
    assert ask(database, "SELECT records FROM archives") == 7


def test_a_mark_does_not_go_back(database: Database, one: Run) -> None:
    claim = claimed(one)
    assert marked(one, claim, 7)
    assert not marked(one, claim, 6)
    assert ask(database, "SELECT records FROM archives") == 7


def test_a_finished_file_is_left_alone_wherever_it_lies_now(database: Database, one: Run, other: Run) -> None:
    claim = claimed(one)
    assert marked(one, claim, 7, finished=True)
    moved = replace(FILE, path=Path("/else/b.warc.gz"))
    assert claimed(other, file=moved) == Claim(state="done", records=7, stored=1, skipped={"revisit": 6})
    assert ask(database, "SELECT path FROM archives") == "/else/b.warc.gz"
    assert claimed(other, selection='{"seeded": true}').state == "ours"
    assert claimed(other, file=replace(FILE, fingerprint="def")).state == "ours"


def test_again_means_what_was_finished_before_this_run(database: Database, one: Run) -> None:
    assert marked(one, claimed(one), 7, finished=True)
    assert claimed(one, again=True).state == "done"  # by this very run, or by one beside it
    with database.engine.connect() as connection:
        with connection.begin():
            late = connection, begun(connection)
        claim = claimed(late, again=True)
        assert (claim.state, claim.records, claim.skipped) == ("ours", 0, {})
        assert ask(database, "SELECT finished_at IS NULL AND error IS NULL FROM archives")
        connection.invalidate()


# -- pages out of archives ---------------------------------------------------------------------------------------------


def capture(number: int, at: datetime, *, html: bytes = HTML, article: bool = True, **changes: Any) -> Entry:
    found = Candidate(url=f"{SITE}/{number}", source="herald", found_in="archive", found_at="a.warc.gz")
    page = replace(a_page(number, url_id=0, html=html, at=at), candidate=found)
    return Entry(
        visit=Visit(
            url_id=0,
            source="herald",
            outcome="article" if article else "listing",
            etag='"old"',
            html_sha256=sha256(html),
            fetched_at=at,
        ),
        archived=Archived(page=page, outcome="article" if article else "listing"),
        article=an_article(number, **changes) if article else None,
        found=found,
    )


def committed(run: Run, *entries: Entry) -> list[Stored]:
    with run[0].begin():
        return commit(*run, entries)


def url(database: Database, address: str = URL) -> Any:
    with database.engine.connect() as connection:
        return connection.execute(text("SELECT * FROM urls WHERE url = :url"), {"url": address}).mappings().one()


def test_a_page_makes_its_url_with_the_time_of_its_capture(database: Database, one: Run) -> None:
    (stored,) = committed(one, capture(1, AT))
    assert stored.outcome == "new"
    row = url(database)
    assert (row["state"], row["found_in"], row["fetched_at"], row["etag"]) == ("fetched", "archive", AT, '"old"')
    assert (row["article_id"], row["lease_crawl"], row["hints"]) == (stored.article_id, None, {"found_at": "a.warc.gz"})
    assert column(database, "SELECT fetched_at FROM pages") == [AT]
    assert column(database, "SELECT url_id FROM pages") == [row["id"]]


def test_the_same_again_changes_nothing(database: Database, one: Run) -> None:
    committed(one, capture(1, AT), capture(1, AT), capture(2, AT, article=False))
    before = dict(url(database)), column(database, "SELECT xmin::text FROM articles")
    outcomes = [stored.outcome for stored in committed(one, capture(1, AT), capture(2, AT, article=False))]
    assert outcomes == ["unchanged", None]
    assert (dict(url(database)), column(database, "SELECT xmin::text FROM articles")) == before
    assert ask(database, "SELECT count(*) FROM pages") == 2
    assert ask(database, "SELECT count(*) FROM revisions") == 0


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_the_newest_capture_is_the_article_in_whatever_order_they_come(
    database: Database, one: Run, order: tuple[int, ...], together: bool
) -> None:
    entries = [capture(1, AT + n * HOUR, html=HTML + b"%d" % n, body=f"Version {n} of it.") for n in order]
    for batch in [entries] if together else [[entry] for entry in entries]:
        committed(one, *batch)
    assert column(database, "SELECT body FROM articles") == ["Version 2 of it."]
    assert column(database, "SELECT seen_at FROM articles") == [AT + 2 * HOUR]
    assert sorted(column(database, "SELECT fetched_at FROM pages")) == [AT, AT + HOUR, AT + 2 * HOUR]
    assert url(database)["fetched_at"] == AT + 2 * HOUR


def test_an_unchanged_later_capture_keeps_what_is_between_from_winning(database: Database, one: Run) -> None:
    committed(one, capture(1, AT, body="It is so."))
    committed(one, capture(1, AT + 2 * HOUR, body="It is so."))
    (stored,) = committed(one, capture(1, AT + HOUR, html=HTML + b"!", body="It was not so."))
    assert stored.outcome == "older"
    assert column(database, "SELECT body FROM articles") == ["It is so."]


def test_a_look_that_found_nothing_new_keeps_older_captures_from_winning(database: Database, one: Run) -> None:
    committed(one, capture(1, AT, body="It is so."))
    with one[0].begin():
        due = frontier.lease_one(*one, candidates([1])[0])
        assert due is not None
        visit = Visit(url_id=due.url_id, source="herald", outcome="not_modified")
        commit(*one, [Entry(visit=visit)])
    (stored,) = committed(one, capture(1, AT + HOUR, html=HTML + b"!", body="It was not so."))
    assert stored.outcome == "older"


def live(run: Run, article: Article) -> None:
    """A crawl fetches the article's page now."""
    connection, crawl_id = run
    with connection.begin():
        intake.add(connection, "herald", candidates([1]))
        (due,) = frontier.take(connection, crawl_id, {"herald": 1}, 1)
        visit = Visit(url_id=due.url_id, source="herald", outcome="article", etag='"new"', html_sha256=b"new")
        archived = Archived(page=a_page(1, url_id=due.url_id), outcome="article")
        commit(connection, crawl_id, [Entry(visit=visit, archived=archived, article=article)])


def test_a_capture_does_not_touch_what_a_crawl_has_fetched_since(database: Database, one: Run) -> None:
    live(one, an_article(1))
    before = dict(url(database))
    (stored,) = committed(one, capture(1, AT - HOUR, html=HTML + b"old", body="What it said at first."))
    assert stored.outcome == "older"
    assert dict(url(database)) == before
    assert column(database, "SELECT body FROM articles") == [an_article(1).body]
    assert ask(database, "SELECT count(*) FROM pages") == 2  # it is archived all the same


def test_an_older_capture_of_an_article_at_another_address_is_older_too(database: Database, one: Run) -> None:
    live(one, an_article(1))
    other = capture(2, AT, body="Old.", canonical_url=URL, url=URL)
    (stored,) = committed(one, other)
    assert (stored.outcome, stored.article_id) == ("older", url(database)["article_id"])
    assert url(database, f"{SITE}/2")["article_id"] == stored.article_id


def test_an_article_from_before_the_column_is_as_old_as_its_last_change(database: Database, one: Run) -> None:
    live(one, an_article(1))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE articles SET seen_at = NULL")
    assert committed(one, capture(1, AT, body="Old."))[0].outcome == "older"


def queued(run: Run, **hints: Any) -> None:
    with run[0].begin():
        intake.add(run[0], "herald", candidates([1], **hints))


def test_a_url_that_waits_for_its_first_fetch_need_not_be_fetched(database: Database, one: Run) -> None:
    queued(one, modified_at=AT - HOUR)
    committed(one, capture(1, AT, article=False))
    assert url(database)["state"] == "queued"  # it gave no article
    committed(one, capture(1, AT + HOUR))
    assert (url(database)["state"], url(database)["fetched_at"]) == ("fetched", AT + HOUR)


def test_unless_it_was_changed_after_the_capture_or_is_being_fetched(database: Database, one: Run) -> None:
    queued(one, modified_at=AT + HOUR)
    (stored,) = committed(one, capture(1, AT))
    assert (url(database)["state"], url(database)["article_id"]) == ("queued", stored.article_id)
    with one[0].begin():
        frontier.take(*one, {"herald": 1}, 1)
    committed(one, capture(1, AT + 2 * HOUR))
    assert (url(database)["state"], url(database)["lease_crawl"]) == ("leased", one[1])


def test_a_killed_run_leaves_nothing_to_fetch(database: Database, one: Run) -> None:
    committed(one, capture(1, AT), capture(2, AT, article=False))
    assert column(database, "SELECT DISTINCT state FROM urls") == ["fetched"]
    assert column(database, "SELECT count(*) FROM urls WHERE not_before IS NOT NULL") == [0]
    assert column(database, "SELECT count(*) FROM urls WHERE lease_crawl IS NOT NULL") == [0]


def test_a_batch_costs_one_statement_to_place_and_one_to_settle(database: Database, one: Run) -> None:
    said: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda c, cur, statement, *rest: said.append(statement))
    committed(one, *(capture(n, AT) for n in range(50)))
    assert sum("INSERT INTO urls" in statement for statement in said) == 1
    assert sum("UPDATE urls" in statement for statement in said) == 1
