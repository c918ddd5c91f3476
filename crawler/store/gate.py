"""The way out to a host, shared by all crawlers on one database: how many at once, how far apart, not while it rests.

A host with a delay is asked one request at a time, and the delay counts from the answer: however late a request
arrives there, the next one comes no sooner than that after it. A host without a delay has as many places as its limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crawler.errors import DatabaseUnreachable, HostUnavailable

if TYPE_CHECKING:
    from crawler.items import StoredRobots
    from crawler.store.session import CrawlStore

ASK_AGAIN = 0.25  # seconds, when other crawlers hold all places
BEHIND = 0.05  # seconds, while what has come is not stored yet
LONGEST_SLEEP = 5.0  # seconds, while a host rests: another crawler may learn more


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request holds that is on its way."""

    host: str
    place: int
    delay: float


class HostGate:
    """The spider's attribute `hosts`, which PoliteDownloader and RobotsMiddleware ask."""

    def __init__(self, store: CrawlStore, retry_after_max: float) -> None:
        self._store, self._retry_after_max = store, retry_after_max
        self._reserved: defaultdict[str, set[int]] = defaultdict(set)  # places that this process holds or asks for
        self._freed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._holding: dict[str, asyncio.Task[None]] = {}  # pauses that are being written down
        self._tasks: set[asyncio.Task[None]] = set()

    async def enter(self, host: str, *, slots: int, delay: float) -> Turn:
        """Return when a request may leave. Raises HostUnavailable when the host rests longer than RETRY_AFTER_MAX."""
        places = range(1 if delay > 0 else max(1, slots))
        while self._store.is_behind:
            await asyncio.sleep(BEHIND)
        while True:
            free = [place for place in places if place not in self._reserved[host]]
            if not free:
                self._freed[host].clear()
                await self._freed[host].wait()
            elif turn := await self._entered(Turn(host, random.choice(free), delay)):  # noqa: S311 (spreads load)
                return turn

    async def _entered(self, turn: Turn) -> Turn | None:
        """Take the place and wait for the turn; otherwise wait a little. A cancelled request gives its place back."""
        self._reserved[turn.host].add(turn.place)
        try:
            told = await self._store.enter(turn.host, [turn.place], turn.delay)
        except BaseException:
            self._free(turn)
            raise
        if told.place is None:
            self._free(turn)
            if told.held and told.wait > self._retry_after_max:
                raise HostUnavailable(f"{turn.host} has asked for a pause, {told.wait:.0f} s of which are left")
            await asyncio.sleep(min(told.wait, LONGEST_SLEEP) if told.held else ASK_AGAIN)
            return None
        try:
            await asyncio.sleep(told.wait if turn.delay else 0)  # parts of a page come with it, not after it
            rested = not told.wait or not await self._store.held(turn.host)
        except BaseException:
            self.leave(turn)
            raise
        if not rested:  # the answer before has asked for a pause meanwhile
            self.leave(turn)
            return None
        return turn

    def leave(self, turn: Hashable) -> None:
        """The request that entered is over."""
        assert isinstance(turn, Turn)
        self._run(self._left(turn))

    async def _left(self, turn: Turn) -> None:
        try:
            if holding := self._holding.get(turn.host):  # who comes next has to know
                await asyncio.wait({holding})
            await self._store.leave(turn.host, turn.place, turn.delay)
        finally:
            self._free(turn)

    def held(self, host: str, seconds: float) -> None:
        """The host has asked for a pause: all crawlers keep it, also those that start later."""
        self._holding[host] = self._run(self._store.hold(host, seconds))

    async def known(self, origin: str) -> StoredRobots | None:
        """The origin's robots.txt, if some crawler has fetched it and it is still good."""
        with contextlib.suppress(DatabaseUnreachable):
            return await self._store.known_robots(origin)
        return None

    async def learned(self, origin: str, robots: StoredRobots) -> None:
        """Keep a robots.txt for all crawlers."""
        with contextlib.suppress(DatabaseUnreachable):
            await self._store.learned_robots(origin, robots)

    def _free(self, turn: Turn) -> None:
        self._reserved[turn.host].discard(turn.place)
        self._freed[turn.host].set()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(DatabaseUnreachable, RuntimeError):  # the crawl is told elsewhere, or has ended meanwhile
        await work
