"""The way out to a host, as several crawlers share it: places, distance, pauses, robots.txt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from crawler.errors import HostUnavailable
from crawler.items import StoredRobots
from crawler.store.engine import Database
from crawler.store.gate import HostGate, Turn
from crawler.store.session import CrawlStore
from tests.store.rows import SOURCE, ask

HOST = "herald.example"


@contextmanager
def crawlers(url: str, number: int) -> Iterator[list[CrawlStore]]:
    """Stores of so many crawls that know nothing of each other."""
    databases = [Database(url) for _ in range(number)]
    stores = [CrawlStore(database, 10) for database in databases]
    for store in stores:
        store.open("news", [SOURCE], {})
    try:
        yield stores
    finally:
        for store, database in zip(stores, databases, strict=True):
            store.close("finished", "finished", {})
            database.close()


class Visits:
    """What a host sees: how many requests at once at most, and how far one came after the answer to the last."""

    def __init__(self) -> None:
        self.now = self.most = self.number = 0
        self.answered = float("-inf")
        self.gaps: list[float] = []

    async def visit(self, gate: HostGate, *, slots: int, delay: float, takes: float = 0.02) -> None:
        turn = await gate.enter(HOST, slots=slots, delay=delay)
        self.number += 1
        self.now += 1
        self.most = max(self.most, self.now)
        self.gaps.append(time.monotonic() - self.answered)
        await asyncio.sleep(takes)
        self.answered = time.monotonic()
        self.now -= 1
        gate.leave(turn)


def run(url: str, *, slots: int, delay: float, each: int) -> Visits:
    visits = Visits()

    async def all_of(gates: list[HostGate]) -> None:
        await asyncio.gather(*(visits.visit(gate, slots=slots, delay=delay) for gate in gates for _ in range(each)))

    with crawlers(url, 3) as stores:
        asyncio.run(all_of([HostGate(store, 600) for store in stores]))
    return visits


def test_the_limit_of_a_host_holds_over_all_crawlers(database_url: str) -> None:
    visits = run(database_url, slots=2, delay=0, each=8)
    assert (visits.number, visits.most) == (24, 2)


def test_the_delay_of_a_host_holds_over_all_crawlers_and_counts_from_the_answer(database_url: str) -> None:
    visits = run(database_url, slots=2, delay=0.1, each=3)
    assert (visits.number, visits.most) == (9, 1)
    assert min(visits.gaps) >= 0.1


def test_a_pause_is_kept_by_all_and_outlives_who_was_told(database_url: str) -> None:
    async def told(store: CrawlStore) -> None:
        HostGate(store, 600).held(HOST, 3600)
        while not ask(store.database, "SELECT count(*) FROM hosts WHERE held_until > now()"):
            await asyncio.sleep(0.01)

    async def comes(store: CrawlStore) -> None:
        with pytest.raises(HostUnavailable, match="asked for a pause"):
            await HostGate(store, 600).enter(HOST, slots=2, delay=1)
        await HostGate(store, 600).enter("other.example", slots=2, delay=0)

    for work in (told, comes):
        with crawlers(database_url, 1) as [store]:
            asyncio.run(work(store))


def test_a_short_pause_is_waited_for(database_url: str) -> None:
    async def comes(store: CrawlStore) -> float:
        began = time.monotonic()
        await store.hold(HOST, 0.3)
        await HostGate(store, 600).enter(HOST, slots=1, delay=0)
        return time.monotonic() - began

    with crawlers(database_url, 1) as [store]:
        assert asyncio.run(comes(store)) >= 0.25


def test_who_is_gone_holds_no_place(database_url: str) -> None:
    """As after kill -9: the connection ends, and nothing was given back."""

    async def enter(store: CrawlStore) -> None:
        await HostGate(store, 600).enter(HOST, slots=1, delay=0)

    for _ in range(2):
        with crawlers(database_url, 1) as [store]:
            asyncio.run(asyncio.wait_for(enter(store), 20))


def test_a_cancelled_request_gives_its_place_back(database_url: str) -> None:
    async def work(store: CrawlStore) -> None:
        gate = HostGate(store, 600)
        gate.leave(await gate.enter(HOST, slots=1, delay=0))
        waiting = [asyncio.ensure_future(gate.enter(HOST, slots=1, delay=0.01)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for one in waiting[1:]:
            one.cancel()
        [turn, *_] = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(turn, Turn)
        gate.leave(turn)
        await asyncio.wait_for(gate.enter(HOST, slots=1, delay=0), 20)

    with crawlers(database_url, 1) as [store]:
        asyncio.run(work(store))


def test_robots_are_kept_for_all_until_they_are_old(database_url: str) -> None:
    now = datetime.now(UTC)
    good = StoredRobots(body=b"x", status=200, failure=None, fetched_at=now, good_until=now + timedelta(days=1))
    old = StoredRobots(body=b"", status=None, failure="timeout", fetched_at=now, good_until=now - timedelta(seconds=1))

    async def work(store: CrawlStore) -> list[StoredRobots | None]:
        gate = HostGate(store, 600)
        await gate.learned("https://a.example", old)
        await gate.learned("https://a.example", good)
        await gate.learned("https://b.example", old)
        return [await gate.known(f"https://{host}.example") for host in "abc"]

    with crawlers(database_url, 1) as [store]:
        assert asyncio.run(work(store)) == [good, None, None]


def test_who_waited_while_the_host_asked_for_a_pause_does_not_go_out(database_url: str) -> None:
    async def goes_out(store: CrawlStore, host: str) -> bool:
        gate = HostGate(store, 600)
        first = await gate.enter(host, slots=2, delay=0.05)
        second = asyncio.ensure_future(gate.enter(host, slots=2, delay=0.05))
        await asyncio.sleep(0.01)
        gate.held(host, 3600)
        gate.leave(first)
        return not isinstance((await asyncio.gather(second, return_exceptions=True))[0], HostUnavailable)

    async def all_of(store: CrawlStore) -> list[bool]:
        return [await goes_out(store, f"{number}.example") for number in range(20)]

    with crawlers(database_url, 1) as [store]:
        assert not any(asyncio.run(all_of(store)))
