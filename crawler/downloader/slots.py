"""Who may be asked now: concurrency, delays and pauses of each host.

Scrapy 2.19 falls short in four places, and each is mended where it happens:

- A download is started as a task, and its slot looks free until that task runs: without a delay the limit per host is
  not kept. Here a request takes its place before it is scheduled.
- Retry-After is ignored. Here the host is held: nothing goes out to it until then.
- A redirect to another host keeps the slot of the first. Here the slot is the host's, whatever `download_slot` says.
- A request that waits counts as one being downloaded, so one slow host stops the others. Here it does not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from scrapy import signals
from scrapy.core.downloader import Downloader, Slot
from scrapy.exceptions import IgnoreRequest
from scrapy.utils.asyncio import call_later
from scrapy.utils.httpobj import urlparse_cached

from crawler.errors import PageError

if TYPE_CHECKING:
    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response
    from twisted.internet.defer import Deferred

PAUSE = "pause"  # Request.meta: seconds to wait before this request joins its host's queue
MOST_WAITING = 10  # times CONCURRENT_REQUESTS: so many requests may be in the downloader, waiting ones included


class GivenUp(PageError, IgnoreRequest):
    """The request did not go out; asking again later may do."""

    reason = "host_unavailable"

    def __init__(self, message: str | None = None, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or type(self).reason


class PoliteDownloader(Downloader):
    """For the setting DOWNLOADER."""

    _SLOT_GC_INTERVAL = 1.0  # also how soon a closing crawl lets go of what waits

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self.retry_after_max = crawler.settings.getfloat("RETRY_AFTER_MAX", 600.0)
        self._held_until: dict[str, float] = {}  # slot key -> monotonic seconds; outlives the slot
        self._least_delay: dict[str, float] = {}
        self._parked = 0
        self._closing = asyncio.Event()
        crawler.signals.connect(self._heed_retry_after, signals.response_downloaded)

    def hold(self, key: str, seconds: float) -> None:
        """Let nothing out to a host for so long; past RETRY_AFTER_MAX what waits for it is given up."""
        self._held_until[key] = max(self._held_until.get(key, 0.0), monotonic() + seconds)
        if key in self.slots:
            self._process_queue(self.slots[key])

    def set_least_delay(self, key: str, seconds: float) -> None:
        """Keep at least so many seconds between two requests to a host, whatever jitter and AutoThrottle say."""
        self._least_delay[key] = seconds

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
            await self._pause(pause)
        return await super()._enqueue_request(request)

    async def _pause(self, seconds: float) -> None:
        try:
            with self.parked():
                await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return
        raise _closing()

    def _process_queue(self, slot: Slot) -> None:
        if not slot.queue:
            return
        key = slot.queue[0][0].meta[self.DOWNLOAD_SLOT]
        now, least_delay = monotonic(), self._least_delay.get(key, 0.0)
        slot.delay = max(slot.delay, least_delay)  # only a slot with a delay sends one request at a time
        held = self._held_until.get(key, 0.0) - now
        if held > self.retry_after_max:
            _give_up(slot, GivenUp(f"{key} asks for a pause of {held:.0f} s, longer than RETRY_AFTER_MAX"))
        elif slot.latercall is None:
            wait = max(held, slot.lastseen + least_delay - now)
            if wait > 0:
                slot.latercall = call_later(wait, self._latercall, slot)
            else:
                super()._process_queue(slot)

    def _wait_for_download(
        self, slot: Slot, request: Request, queue_dfd: Deferred[Response]
    ) -> Coroutine[Any, Any, None]:
        # No coroutine itself: this line has to run when the download is scheduled, not when its task starts.
        slot.transferring.add(request)
        return super()._wait_for_download(slot, request, queue_dfd)

    def _heed_retry_after(self, response: Response, request: Request) -> None:
        if response.status in {429, 503}:
            seconds = retry_after(response.headers.get(b"Retry-After"), now=datetime.now(UTC))
            self.hold(self.get_slot_key(request), seconds)

    def _slot_gc(self, age: float = 60) -> None:
        engine = self.crawler.engine
        if engine is not None and engine._slot is not None and engine._slot.closing is not None:
            self._closing.set()
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


def _give_up(slot: Slot, error: GivenUp) -> None:
    while slot.queue:
        slot.queue.popleft()[1].errback(error)
