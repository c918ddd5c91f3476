"""Who may be asked now: concurrency, delays and pauses of each host.

Scrapy 2.19 falls short in six places, and each is mended where it happens:

- A download is started as a task, and its slot looks free until that task runs: without a delay the limit per host is
  not kept. Here a request takes its place before it is scheduled.
- Retry-After is ignored. Here the host is held: nothing goes out to it until then.
- A redirect to another host keeps the slot of the first. Here the slot is the host's, whatever `download_slot` says.
- A request that waits counts as one being downloaded, so one slow host stops the others. Here it does not count.
- Jitter goes both ways, so a delay of a second may be half of one. Here it only adds.
- A host that answers 429 or 503 is asked as often as before. Here its delay doubles, and comes down with each success.

A spider's `hosts` (`Hosts`), if it has one, knows what other processes do to a host: nothing leaves before it agrees.

A source that is stopped (`stop`) gets no further request: whatever of it waits, here or at the gate, is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from scrapy import signals
from scrapy.core.downloader import Downloader, Slot
from scrapy.exceptions import IgnoreRequest
from scrapy.utils.asyncio import call_later
from scrapy.utils.defer import _schedule_coro
from scrapy.utils.httpobj import urlparse_cached
from twisted.python.failure import Failure

from crawler import tally
from crawler.errors import HostUnavailable

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.defer import Deferred

AT_ONCE = "at_once"  # Request.meta: part of a page, needs no DOWNLOAD_DELAY and goes ahead of other pages
SOURCE = "source"  # Request.meta: whose page it is: a request without it is nobody's, and never stopped
PAUSE = "pause"  # Request.meta: seconds to wait before this request joins its host's queue
MOST_WAITING = 10  # times CONCURRENT_REQUESTS: so many requests may be in the downloader, waiting ones included
LONGEST_HOLD = 7 * 24 * 3600.0  # seconds; a Retry-After beyond that is a mistake
OVERLOADED = frozenset((429, 503))
FIRST_STRAIN = 1.0  # seconds between requests to a host without a delay, once it is overloaded
RELIEF = 0.6  # what one good answer leaves of that delay


class GivenUp(HostUnavailable, IgnoreRequest):
    """The request did not go out; asking again later may do."""

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class Hosts(Protocol):
    """What all processes have agreed on with a host. Taken from the spider's attribute `hosts`."""

    async def enter(self, host: str, *, slots: int, delay: float) -> Hashable:
        """Return when a request may leave, with what `leave` has to be given.

        At most `slots` are out at once, `delay` seconds after the one before.

        Raises HostUnavailable when that takes too long. Cancelled when the crawl closes.
        """

    def leave(self, turn: Hashable) -> None:
        """The request that entered with this turn is over. Must not block."""

    def held(self, host: str, seconds: float) -> None:
        """The host asked for a pause (Retry-After). Must not block."""


class UpwardSlot(Slot):
    """A slot whose jitter only adds: `delay` is kept at least. `least`: a longer one, whatever AutoThrottle says."""

    least: float = 0.0  # seconds

    @property
    def gap(self) -> float:
        """Seconds that are promised between two requests."""
        return max(self.delay, self.least)

    def download_delay(self) -> float:
        # The same for one request however often it is asked for: the least of many draws would be no jitter at all.
        return self.gap * (1 + self.jitter * Random(self.lastseen).random())  # noqa: S311 (spreads load)


class PoliteDownloader(Downloader):
    """For the setting DOWNLOADER. DOWNLOAD_DELAY_JITTER is what it adds to a delay at most, as a share of it."""

    _SLOT_GC_INTERVAL = 1.0  # also how soon a closing crawl lets go of what waits

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.retry_after_max = crawler.settings.getfloat("RETRY_AFTER_MAX", 600.0)
        self.overload_delay_max = crawler.settings.getfloat("OVERLOAD_DELAY_MAX", 60.0)
        # By slot key; they outlive the slot.
        self._held_until: dict[str, float] = {}  # monotonic seconds
        self._least_delay: dict[str, dict[str, float]] = {}  # and by who asked for it
        self._strain: dict[str, float] = {}  # the delay that an overloaded host gets
        self._parked = 0
        self._is_closing = False
        self._stopped: frozenset[str] = frozenset()
        self._let_go: dict[str, asyncio.Event] = {}  # by source: what of it waits is to be given up
        crawler.signals.connect(self._heed, signals.response_downloaded)

    def hold(self, key: str, seconds: float) -> None:
        """Let nothing out to a host for so long; past RETRY_AFTER_MAX what waits for it is given up."""
        self._held_until[key] = max(self._held_until.get(key, 0.0), monotonic() + seconds)
        if key in self.slots:
            self._process_queue(self.slots[key])

    def set_least_delay(self, key: str, seconds: float, *, of: str) -> None:
        """Keep at least so many seconds between two requests to a host, whatever jitter and AutoThrottle say.

        `of`: the origin that asks for it; of several on one host, the longest delay is kept.
        """
        self._least_delay.setdefault(key, {})[of] = seconds

    def stop(self, sources: Collection[str]) -> None:
        """Send nothing more of these sources, and again of whatever else was stopped before."""
        for source in self._stopped.difference(sources):
            self._let_go.pop(source, None)
        self._stopped = frozenset(sources)
        for source in self._stopped:
            self._letting_go(source).set()
        for slot in self.slots.values():
            waiting, slot.queue = slot.queue, deque()
            for request, answer in waiting:
                if request.meta.get(SOURCE) in self._stopped:
                    answer.errback(_disabled())
                else:
                    slot.queue.append((request, answer))

    def refuse(self, request: Request) -> None:
        """Raises GivenUp for a request of a source that is stopped."""
        if request.meta.get(SOURCE) in self._stopped:
            raise _disabled()

    def _letting_go(self, source: str) -> asyncio.Event:
        event = self._let_go.setdefault(source, asyncio.Event())
        if self._is_closing:
            event.set()
        return event

    @contextmanager
    def parked(self) -> Iterator[None]:
        """A request inside the block only waits, and takes no share of CONCURRENT_REQUESTS."""
        self._parked += 1
        try:
            yield
        finally:
            self._parked -= 1

    def needs_backout(self) -> bool:
        waiting = self._parked + sum(len(slot.queue) for slot in self.slots.values() if slot.latercall)
        busy, limit = len(self.active) - waiting, self.total_concurrency
        return 0 < limit <= busy or 0 < limit * MOST_WAITING <= len(self.active)

    def get_slot_key(self, request: Request) -> str:
        return (urlparse_cached(request).hostname or "").rstrip(".")

    async def _enqueue_request(self, request: Request) -> Response:
        if pause := request.meta.pop(PAUSE, 0.0):
            await self._pause(request, pause)
        self.refuse(request)
        return await super()._enqueue_request(request)

    async def _pause(self, request: Request, seconds: float) -> None:
        try:
            with self.parked():
                await asyncio.wait_for(self._letting_go(request.meta.get(SOURCE, "")).wait(), seconds)
        except TimeoutError:
            return
        self.refuse(request)
        raise _closing()

    def _get_slot(self, request: Request, spider: object = None) -> tuple[str, UpwardSlot]:
        key, slot = super()._get_slot(request)
        if not isinstance(slot, UpwardSlot):
            slot = self.slots[key] = UpwardSlot(slot.concurrency, slot.delay, slot.jitter)
        return key, slot

    def _process_queue(self, slot: Slot) -> None:
        if not slot.queue:
            return
        assert isinstance(slot, UpwardSlot)
        key = slot.queue[0][0].meta[self.DOWNLOAD_SLOT]
        slot.least = max(0.0, self._strain.get(key, 0.0), *self._least_delay.get(key, {}).values())
        held = self._held_until.get(key, 0.0) - monotonic()
        if held > self.retry_after_max:
            _give_up(slot, GivenUp(f"{key} asks for a pause of {held:.0f} s, longer than RETRY_AFTER_MAX"))
        elif held > 0:
            slot.latercall = slot.latercall or call_later(held, self._latercall, slot)
        else:
            self._let_parts_go(slot)
            super()._process_queue(slot)

    def _let_parts_go(self, slot: UpwardSlot) -> None:
        """What belongs to a page that is open goes ahead of other pages, and at once if the host asks for no delay."""
        parts = [entry for entry in slot.queue if AT_ONCE in entry[0].meta]
        for entry in parts:
            slot.queue.remove(entry)
        while parts and not slot.least and slot.free_transfer_slots() > 0:
            slot.lastseen = monotonic()
            _schedule_coro(self._wait_for_download(slot, *parts.pop(0)))
        slot.queue.extendleft(reversed(parts))

    def _wait_for_download(
        self, slot: Slot, request: Request, queue_dfd: Deferred[Response]
    ) -> Coroutine[Any, Any, None]:
        # No coroutine itself: this line has to run when the download is scheduled, not when its task starts.
        slot.transferring.add(request)
        if self._hosts is None:
            return super()._wait_for_download(slot, request, queue_dfd)
        return self._through_gate(self._hosts, slot, request, queue_dfd)

    @property
    def _hosts(self) -> Hosts | None:
        return getattr(self.crawler.spider, "hosts", None)

    async def _through_gate(self, hosts: Hosts, slot: Slot, request: Request, queue_dfd: Deferred[Response]) -> None:
        assert isinstance(slot, UpwardSlot)
        host = request.meta[self.DOWNLOAD_SLOT]
        try:
            with self.parked():
                turn = await self._enter(hosts, host, slot, request)
        except Exception:
            slot.transferring.discard(request)
            queue_dfd.errback(Failure())  # type: ignore[no-untyped-call]
            self._process_queue(slot)
            return
        try:
            await super()._wait_for_download(slot, request, queue_dfd)
        finally:
            hosts.leave(turn)

    async def _enter(self, hosts: Hosts, host: str, slot: UpwardSlot, request: Request) -> Hashable:
        delay = slot.least if AT_ONCE in request.meta else slot.gap
        entering = asyncio.ensure_future(hosts.enter(host, slots=slot.concurrency, delay=delay))
        closing = asyncio.ensure_future(self._letting_go(request.meta.get(SOURCE, "")).wait())
        await asyncio.wait({entering, closing}, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if not entering.done():
            entering.cancel()
            await asyncio.wait({entering})
            if not entering.cancelled() and entering.exception() is None:  # it got in all the same
                hosts.leave(entering.result())
            self.refuse(request)
            raise _closing()
        turn = entering.result()
        if request.meta.get(SOURCE) in self._stopped:
            hosts.leave(turn)
            raise _disabled()
        return turn

    def _heed(self, response: Response, request: Request) -> None:
        if (latency := request.meta.get("download_latency")) is not None:
            tally.count_time(self.crawler.stats, "download", latency)
        key = self.get_slot_key(request)
        if response.status in OVERLOADED:
            self._slow_down(key)
            self._heed_retry_after(key, response)
        elif response.status < 400 and key in self._strain:
            self._strain[key] *= RELIEF
            if self._strain[key] < FIRST_STRAIN / 2:
                del self._strain[key]

    def _slow_down(self, key: str) -> None:
        slot = self.slots.get(key)
        gap = slot.gap if isinstance(slot, UpwardSlot) else 0.0
        self._strain[key] = min(self.overload_delay_max, max(FIRST_STRAIN, 2 * gap))

    def _heed_retry_after(self, key: str, response: Response) -> None:
        seconds = retry_after(response.headers.get(b"Retry-After"), now=datetime.now(UTC))
        if seconds > 0:
            seconds = min(seconds, LONGEST_HOLD)
            self.hold(key, seconds)
            if self._hosts is not None:
                self._hosts.held(key, seconds)

    def _slot_gc(self, age: float = 60) -> None:
        engine = self.crawler.engine
        if engine is not None and engine._slot is not None and engine._slot.closing is not None:
            self._is_closing = True
            for event in self._let_go.values():
                event.set()
            for slot in self.slots.values():
                if slot.latercall:
                    _give_up(slot, _closing())
        super()._slot_gc(age)


def retry_after(value: bytes | None, *, now: datetime) -> float:
    """Seconds from now that a Retry-After header asks for, as a number or a date; 0 if none or broken."""
    text = (value or b"").decode("latin-1").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def _closing() -> GivenUp:
    return GivenUp("the crawl is closing", reason="crawl_closing")


def _disabled() -> GivenUp:
    return GivenUp("the source is disabled", reason="source_disabled")


def _give_up(slot: Slot, error: GivenUp) -> None:
    while slot.queue:
        slot.queue.popleft()[1].errback(error)
