"""A database that goes away and comes back costs no page; one that stays away ends the run with one line."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError

from crawler.errors import DatabaseFull, DatabaseUnreachable
from crawler.store import connection, patience
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.store.session import CrawlStore
from tests.conftest import administer
from tests.runs import until
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
    store = CrawlStore(database, 60)
    store.open("news", [SOURCE], {})

    async def run() -> None:
        await store.add("herald", candidates(range(3)))
        due = await store.take({"herald": 3}, 3)
        store.patience.seconds = 0.1  # only now: a slow machine may take as long for what came before
        with away(database_url):
            stored = await asyncio.gather(*(store.store(an_entry(one)) for one in due), return_exceptions=True)
            with pytest.raises(DatabaseUnreachable):
                await store.take({"herald": 3}, 3)
            store.close("failed", "database_unreachable", {})
        assert [type(one) for one in stored] == [DatabaseUnreachable] * 3

    asyncio.run(run())
    assert re.match(r"the database has been away for \d+ s \(", str(store.failure))
    assert store.in_flight == {}
    until(lambda: bury(database) == [store.crawl_id])  # its row could not be closed: the next run does it
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'queued' AND attempts = 0") == 3


@contextmanager
def frozen(url: str) -> Iterator[None]:
    """Every process of the server is stopped: connections stay open, and nobody answers."""
    first = server_pid(url)
    processes = [first]
    try:
        os.kill(first, signal.SIGSTOP)  # before the others are counted: it begins no more
        processes += children(first)
        for pid in processes[1:]:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def server_pid(url: str) -> int:
    with psycopg.connect(url) as own:
        (told,) = own.execute("SELECT pg_read_file('postmaster.pid')").fetchone() or ("",)
    return int(told.split()[0])


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_server_that_freezes_loses_nothing(
    store: CrawlStore, database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SILENCE", 0.2)

    async def run() -> None:
        await store.add("herald", candidates(range(10)))
        due = await store.take({"herald": 10}, 10)
        with frozen(database_url):
            storing = [asyncio.create_task(store.store(an_entry(one))) for one in due]
            while store.patience.waited is None:
                await asyncio.sleep(0.01)
        assert [(await one).outcome for one in storing] == ["new"] * 10

    asyncio.run(run())
    assert store.patience.waited is None
    assert bury(database) == []


def test_a_server_that_stays_frozen_is_given_up(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SILENCE", 0.2)
    monkeypatch.setattr(patience, "FAREWELL", 0.2)
    monkeypatch.setitem(connection.OPTIONS, "connect_timeout", 1)
    store = CrawlStore(database, 60)
    store.open("news", [SOURCE], {})

    async def run() -> None:
        await store.add("herald", candidates(range(3)))
        due = await store.take({"herald": 3}, 3)
        store.patience.seconds = 0.5  # as above
        with frozen(database_url):
            with pytest.raises(DatabaseUnreachable, match=r"^the database has been away for \d+ s \(no answer for"):
                await store.store(an_entry(due[0]))
            store.close("failed", "database_unreachable", {})

    asyncio.run(run())
    monkeypatch.undo()  # for us, a slow machine is no outage
    until(lambda: bury(database) == [store.crawl_id])  # when the server has noticed
    assert ask(database, "SELECT count(*) FROM urls WHERE state = 'queued' AND attempts = 0") == 3


@pytest.fixture
def small_disk(database_url: str) -> Iterator[Path]:
    """The database lies on a disk of 40 MB."""
    owner = Path(f"/proc/{server_pid(database_url)}").stat()
    place = Path(tempfile.mkdtemp(prefix="small-disk-"))
    place.chmod(0o755)
    options = f"size=40m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        place.rmdir()
        pytest.skip(f"no disk can be made here: {done.stderr.strip()}")
    name = database_url.rpartition("/")[2]
    try:
        with administered(database_url, f"CREATE TABLESPACE small LOCATION '{place}'", "DROP TABLESPACE small"):
            move = f"ALTER DATABASE {name} SET TABLESPACE"
            with administered(database_url, f"{move} small", f"{move} pg_default"):
                yield place
    finally:
        subprocess.run(["umount", place], check=True)
        place.rmdir()


def test_a_full_disk_ends_the_run_with_one_line(
    small_disk: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FULL_PATIENCE", 0.0)
    filler = small_disk / "filler"
    with Database(database_url) as database:
        store = CrawlStore(database, 30)
        store.open("news", [SOURCE], {})

        async def run() -> None:
            await store.add("herald", candidates(range(40)))
            due = await store.take({"herald": 40}, 40)
            fill(filler)
            html = random.Random(7).randbytes(100_000)
            storing = [store.store(an_entry(one, html=html)) for one in due]
            outcomes = await asyncio.gather(*storing, return_exceptions=True)
            assert {type(one) for one in outcomes} == {DatabaseFull}
            store.close("failed", "database_full", {})

        asyncio.run(run())
        assert str(store.failure).startswith("the disk of the database is full (")
        assert "No space left on device; free some space" in str(store.failure)
        assert ask(database, "SELECT count(*) FROM articles") == ask(database, "SELECT count(*) FROM pages") == 0
        filler.unlink()
        until(lambda: bury(database) == [store.crawl_id])
        again = CrawlStore(database, 30)
        again.open("news", [SOURCE], {})
        assert len(asyncio.run(again.take({"herald": 40}, 40))) == 40
        again.close("finished", "finished", {})


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_lease_that_is_being_taken_while_the_run_is_closed(database: Database) -> None:
    """Its coroutine is cancelled, its thread is not."""
    store = CrawlStore(database, 10)
    store.open("news", [SOURCE], {})

    async def run() -> None:
        await store.add("herald", candidates(range(3)))
        with database.engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE urls")
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


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT 1"])
def test_what_has_an_answer_waits_no_longer(
    database: Database, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0)
    shared = Patience(10)
    statements = iter(["DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END $$", statement])
    with suppress(DBAPIError):
        shared.wait_for(lambda: ask(database, next(statements)))
    assert shared.waited is None
    assert list(statements) == []


def test_a_full_disk_is_told_by_whoever_gives_up(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    """The server says it once and may then go down: the others see a closed door."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0)
    monkeypatch.setattr(patience, "FULL_PATIENCE", 0.01)
    shared = Patience(600, place="/srv/data")
    raised = chain(["53100"], repeat("57P03"))

    def action() -> None:
        ask(database, f"DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '{next(raised)}'; END $$")

    with pytest.raises(DatabaseFull, match=r"^the disk of the database is full \(/srv/data\): no space; free some"):
        shared.wait_for(action)


def test_giving_up_ends_the_wait(database: Database) -> None:
    patience = Patience(600)
    patience.give_up()
    with pytest.raises(DatabaseUnreachable) as caught:
        patience.wait_for(lambda: ask(database, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END $$"))
    assert isinstance(caught.value.__cause__, OperationalError)
