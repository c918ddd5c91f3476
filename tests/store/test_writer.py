"""Group commit: in few transactions, each row by itself when one is refused, nothing lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import event, text

from crawler.items import Image
from crawler.packing import unpack
from crawler.store import pages
from crawler.store.engine import Database
from crawler.store.frontier import Visit
from crawler.store.patience import Patience
from crawler.store.writer import Entry, Stored, Writer
from tests.store.rows import SITE, a_page, an_entry, ask, column, leased


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    writer = Writer(database.engine, None, Patience(10), lambda: None)
    yield writer
    writer.close()


def store(writer: Writer, entries: list[Entry]) -> list[Stored]:
    return [future.result(30) for future in [writer.submit(entry) for entry in entries]]


@pytest.fixture
def held(database: Database, writer: Writer) -> Iterator[Callable[[], None]]:
    """The writer is kept busy, so that what is submitted meanwhile is one batch; call it to let go."""
    connection = database.engine.connect()
    connection.execute(text("LOCK TABLE articles IN SHARE MODE"))
    [first] = leased(database, 1)
    writer.submit(an_entry(first))
    yield connection.close
    connection.close()


def test_an_entry_is_everything_or_nothing(database: Database) -> None:
    [due] = leased(database, 1)
    writer = Writer(database.engine, 1, Patience(10), lambda: None)
    [stored] = store(writer, [an_entry(due)])
    writer.close()
    assert stored.outcome == "new"
    with database.engine.connect() as connection:
        url = connection.execute(text("SELECT * FROM urls")).mappings().one()
    assert (url["state"], url["article_id"], url["lease_crawl"], url["etag"]) == (
        "fetched",
        stored.article_id,
        None,
        '"1"',
    )
    assert ask(database, "SELECT count(*) FROM pages WHERE crawl_id = 1 AND outcome = 'article'") == 1


def test_the_same_bytes_are_archived_once_and_others_again(database: Database, writer: Writer) -> None:
    [due] = leased(database, 1)
    for html in (b"one", b"one", b"two", b"two"):
        store(writer, [an_entry(due, html=html)])
    with database.engine.connect() as connection:
        packed = connection.execute(text("SELECT html_zstd, html_bytes FROM pages ORDER BY id"))
        assert [unpack(*one) for one in packed] == [b"one", b"two"]
    assert ask(database, "SELECT count(*) FROM articles") == 1


def test_a_page_without_a_hash_is_archived(database: Database, writer: Writer) -> None:
    [due] = leased(database, 1)
    archived = pages.Archived(page=a_page(url_id=due.url_id), outcome="no_body")
    store(writer, [Entry(visit=Visit(url_id=due.url_id, source="herald", outcome="no_body"), archived=archived)])
    assert ask(database, "SELECT outcome FROM pages") == "no_body"


def test_what_waits_is_one_transaction(database: Database, writer: Writer, held: Callable[[], None]) -> None:
    entries = [an_entry(due) for due in leased(database, 251)]
    commits: list[object] = []
    event.listen(database.engine, "commit", commits.append)
    futures = [writer.submit(entry) for entry in entries]
    held()
    assert [future.result(30).outcome for future in futures] == ["new"] * 250
    assert len(commits) <= 4  # the one that was held, then 100, 100, 50


LONG = "".join(map(chr, range(256, 3256)))  # and nothing to compress in it


def nested(depth: int) -> object:
    found: object = 1
    for _ in range(depth):
        found = {"deeper": found}
    return found


POISON = {
    "nul": {"body": "a\x00b"},
    "lone surrogate": {"headline": "\ud800"},
    "surrogate in JSON": {"evidence": {"headline": "\ud800"}},
    "no such source": {"source": "nobody"},
    "a key too long for its index": {"canonical_url": f"{SITE}/{LONG}"},
    "no text at all": {"body": None},
    "not JSON": {"evidence": {"headline": object()}},
    "no number of JSON": {"evidence": {"headline": float("nan")}},
    "a number of too many digits": {"evidence": {"headline": 10**5000}},
    "too deep": {"evidence": nested(100_000)},
    "nul in a list": {"tags": ("bridges", "\x00")},
    "surrogate in a list": {"authors": ("\udcff",)},
    "nul in a picture": {"images": (Image(url="https://herald.example/a\x00.jpg"),)},
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_one_of_a_hundred_is_refused(
    database: Database,
    writer: Writer,
    held: Callable[[], None],
    poison: dict[str, object],
    caplog: pytest.LogCaptureFixture,
) -> None:
    entries = [an_entry(due) for due in leased(database, 101)]
    article = entries[41].article
    assert article
    entries[41] = replace(entries[41], article=replace(article, **poison))  # type: ignore[arg-type]
    futures = [writer.submit(entry) for entry in entries]
    held()
    stored = [future.result(30) for future in futures]
    assert [index for index, one in enumerate(stored) if one.error] == [41]
    assert ask(database, "SELECT count(*) FROM articles") == 100  # with the one that was held
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT url, detail FROM pages WHERE outcome = 'store_refused'")).one()
    assert row == (article.url, stored[41].error)
    refused = column(database, "SELECT state FROM urls WHERE reason = 'store_refused' AND etag IS NULL")
    assert refused == ["failed"]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


VISITS: dict[str, dict[str, object]] = {
    "nul": {"etag": "\x00"},
    "lone surrogate": {"last_modified": "\ud800"},
}
PAGES: dict[str, dict[str, object]] = {
    "number out of range": {"status": 2**40},
    "no such instant": {"fetched_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
    "lone surrogate": {"url": "https://herald.example/\ud800"},
    "an alias too long for its index": {"url": f"{SITE}/{LONG}", "is_permanent": True},
}


@pytest.mark.parametrize("part", ["visit", "page"])
def test_what_is_wrong_with_a_visit_or_a_page_harms_no_other(
    database: Database, writer: Writer, held: Callable[[], None], part: str, caplog: pytest.LogCaptureFixture
) -> None:
    poison = list((VISITS if part == "visit" else PAGES).values())
    entries = [an_entry(due) for due in leased(database, 21)]
    for number, changes in enumerate(poison):
        entry = entries[4 * number]
        if part == "visit":
            entry = replace(entry, visit=replace(entry.visit, **changes))  # type: ignore[arg-type]
        elif entry.archived:
            page = replace(entry.archived.page, **changes)  # type: ignore[arg-type]
            entry = replace(entry, archived=replace(entry.archived, page=page))
        entries[4 * number] = entry
    futures = [writer.submit(entry) for entry in entries]
    held()
    refused = [index for index, future in enumerate(futures) if future.result(30).error]
    assert refused == [4 * number for number in range(len(poison))]
    assert ask(database, "SELECT count(*) FROM articles") == 21 - len(poison)
    assert ask(database, "SELECT count(*) FROM urls WHERE reason = 'store_refused'") == len(poison)
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'leased'") == 0
    assert all(len(record.message.encode().splitlines()) == 1 for record in caplog.records)


def test_a_page_whose_headers_are_refused_is_kept(database: Database, writer: Writer) -> None:
    [due] = leased(database, 1)
    page = replace(a_page(url_id=due.url_id), headers={"server": "nul\x00"})
    entry = replace(an_entry(due), archived=pages.Archived(page=page, outcome="article"))
    assert store(writer, [entry])[0].error
    assert ask(database, "SELECT headers->>'server' FROM pages") == "nul"


def test_even_a_page_that_cannot_be_kept_is_settled(database: Database, writer: Writer) -> None:
    one, other = leased(database, 2)
    page = replace(a_page(url_id=one.url_id), html=None)  # type: ignore[arg-type]
    entry = replace(an_entry(one), archived=pages.Archived(page=page, outcome="article"))
    first, second = store(writer, [entry, an_entry(other)])
    assert first.error and second.outcome == "new"
    assert column(database, "SELECT state FROM urls ORDER BY id") == ["failed", "fetched"]


def test_a_future_that_nobody_waits_for_is_written_all_the_same(database: Database, writer: Writer) -> None:
    one, other = leased(database, 2)
    future: Future[Stored] = writer.submit(an_entry(one))
    future.cancel()
    assert store(writer, [an_entry(other)])[0].outcome == "new"
    assert ask(database, "SELECT count(*) FROM articles") == 2


def test_close_writes_what_waits(database: Database) -> None:
    writer = Writer(database.engine, None, Patience(10), lambda: None)
    futures = [writer.submit(an_entry(due)) for due in leased(database, 120)]
    writer.close()
    assert all(future.done() for future in futures)
    assert ask(database, "SELECT count(*) FROM articles") == 120


def test_two_writers_with_the_same_articles(database: Database) -> None:
    """Two runs that fetched the same pages through other URLs, in opposite order."""
    due = leased(database, 200)
    entries = [an_entry(one) for one in due[:100]]
    others = [
        replace(an_entry(one), article=entry.article) for one, entry in zip(due[100:], reversed(entries), strict=True)
    ]
    start = threading.Barrier(2)
    outcomes: list[str | None] = []

    def run(given: list[Entry]) -> None:
        writer = Writer(database.engine, None, Patience(10), lambda: None)
        start.wait()
        outcomes.extend(stored.outcome for stored in store(writer, given))
        writer.close()

    threads = [threading.Thread(target=run, args=[given]) for given in (entries, others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["new"] * 100 + ["unchanged"] * 100
