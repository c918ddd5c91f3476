"""A database that goes away and comes back costs no page; one that stays away ends the run with one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError

from crawler.errors import DatabaseUnreachable
from crawler.store import patience
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.store.session import CrawlStore
from tests.conftest import administer
from tests.store.rows import SOURCE, an_entry, ask, candidates
from tests.store.test_crawls import bury, terminate

NUMBER = 300


@pytest.fixture
def store(database: Database) -> Iterator[CrawlStore]:
    store = CrawlStore(database, 30)
    store.open("news", [SOURCE], {})
    yield store
    store.close("finished", "finished", {})


@contextmanager
def away(url: str) -> Iterator[None]:
    """Every connection is ended, and no new one is accepted."""
    name = url.rpartition("/")[2]
    with administered(
        url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false", f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"
    ):
        administer(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        yield


@contextmanager
def administered(url: str, before: str, after: str) -> Iterator[None]:
    administer(url, before)
    try:
        yield
    finally:
        administer(url, after)


async def all_stored(store: CrawlStore, meanwhile: Callable[[], None]) -> list[str | None]:
    await store.add("herald", candidates(range(NUMBER)))
    due = await store.take({"herald": NUMBER}, NUMBER)
    tasks = [asyncio.create_task(store.store(an_entry(one))) for one in due]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.to_thread(meanwhile)
    return [(await task).outcome for task in tasks]


def test_connections_that_end_lose_nothing(store: CrawlStore, database: Database, database_url: str) -> None:
    outcomes = asyncio.run(all_stored(store, lambda: terminate(database_url)))
    assert len(outcomes) == NUMBER
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'fetched'") == NUMBER
    assert ask(database, "SELECT count(*) FROM articles") == NUMBER


def test_a_second_without_a_database_loses_nothing(
    store: CrawlStore, database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        await store.add("herald", candidates(range(10)))
        due = await store.take({"herald": 10}, 10)
        with away(database_url):
            adding = asyncio.create_task(store.add("herald", candidates(range(20))))
            storing = [asyncio.create_task(store.store(an_entry(one))) for one in due]
            while (store.patience.waited or 0) <= patience.FIRST_PAUSE:  # it has asked twice
                await asyncio.sleep(0.01)
        assert (await adding).new == 10
        assert [(await one).outcome for one in storing] == ["new"] * 10
        assert len(await store.take({"herald": 20}, 20)) == 10

    asyncio.run(run())
    assert store.patience.waited is None
    said = [one.message for one in caplog.records if one.name == patience.__name__]  # once, for all threads
    assert [line.partition(" (")[0].partition(" after")[0] for line in said] == [
        "waiting for the database",
        "the database is back",
    ]
    assert bury(database) == []  # the lock was taken again
    assert ask(database, "SELECT outcome FROM crawls") == "running"


def test_a_database_that_stays_away(database: Database, database_url: str) -> None:
    store = CrawlStore(database, 0.1)
    store.open("news", [SOURCE], {})

    async def run() -> None:
        await store.add("herald", candidates(range(3)))
        due = await store.take({"herald": 3}, 3)
        with away(database_url):
            stored = await asyncio.gather(*(store.store(an_entry(one)) for one in due), return_exceptions=True)
            with pytest.raises(DatabaseUnreachable):
                await store.take({"herald": 3}, 3)
            store.close("failed", "database_unreachable", {})
        assert [type(one) for one in stored] == [DatabaseUnreachable] * 3

    asyncio.run(run())
    assert store.failure and str(store.failure).startswith("the database has been away for 0 s (")
    assert store.in_flight == {}
    assert bury(database) == [store.crawl_id]  # its row could not be closed: the next run does it
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'queued' AND attempts = 0") == 3


def test_a_lease_that_is_being_taken_while_the_run_is_closed(database: Database) -> None:
    """Its coroutine is cancelled, its thread is not."""
    store = CrawlStore(database, 10)
    store.open("news", [SOURCE], {})

    async def run() -> None:
        await store.add("herald", candidates(range(3)))
        with database.engine.connect() as connection:
            connection.exec_driver_sql("LOCK TABLE urls")
            taking = asyncio.create_task(store.take({"herald": 3}, 3))
            while not ask(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            taking.cancel()
        store.close("shutdown", "shutdown", {})

    asyncio.run(run())
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'queued'") == 3
    assert ask(database, "SELECT outcome FROM crawls") == "shutdown"


def test_many_feeds_at_once_share_few_connections(store: CrawlStore) -> None:
    async def run() -> int:
        added = await asyncio.gather(*(store.add("herald", candidates([n])) for n in range(60)))
        return sum(one.new for one in added)

    assert asyncio.run(run()) == 60


def test_a_statement_that_is_wrong_is_not_repeated(database: Database) -> None:
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        ask(database, "SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        Patience(10).wait_for(action)
    assert len(calls) == 1


def test_a_deadlock_is_repeated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0)
    raised = iter(["40P01", "40001", "53300", "57P03"])

    def action() -> str:
        for state in raised:
            ask(database, f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
        return "done"

    assert Patience(10).wait_for(action) == "done"


def test_giving_up_ends_the_wait(database: Database) -> None:
    patience = Patience(600)
    patience.give_up()
    with pytest.raises(DatabaseUnreachable) as caught:
        patience.wait_for(lambda: ask(database, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END $$"))
    assert isinstance(caught.value.__cause__, OperationalError)
