"""What a person sees of a worker: a live table on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from crawler import tally
from crawler.jobs.board import Board, Running
from crawler.store import overview, queue
from crawler.store.overview import Overview

logger = logging.getLogger(__name__)
REFRESH = 0.5  # seconds, on a terminal
LOG_EVERY = 15.0  # seconds, elsewhere
LOOK_EVERY = 5.0  # seconds between looks at the database
RATE_OVER = 60.0  # seconds
ROWS = 12  # of what runs
COLUMNS = {"fetched": "pages", "stored": "new", "updated": "changed", "failed": "failed"}
T = TypeVar("T")


class Reader(Protocol):
    """Looks into the database."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


class Display:
    """Shows `board` and what `reading` gives of the database, until it is cancelled.

    `capacity`: jobs at once. `waited`: for how long the database has been away.
    """

    def __init__(
        self, board: Board, capacity: int, console: Console, reading: Reader, waited: Callable[[], float | None]
    ) -> None:
        self.board, self.capacity, self.console = board, capacity, console
        self._reading, self._waited = reading, waited
        self._started = time.monotonic()
        self._seen: Overview | None = None
        self._waiting: int | None = None  # jobs
        self._ending = ""
        self._marks = deque([(self._started, 0)])  # when how many pages had been fetched
        self.live = (
            Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
            if console.is_terminal
            else None
        )

    def line(self, line: str) -> None:
        """Of a log: above the table."""
        if self.live and self.live.is_started:
            self.console.print(Text(line), soft_wrap=True)
        else:
            self.console.file.write(line + "\n")
            self.console.file.flush()

    def ends(self, why: str) -> None:
        """What is shown from now on."""
        self._ending = why

    async def run(self) -> None:
        looking = asyncio.create_task(self._look())
        try:
            while True:
                await asyncio.sleep(REFRESH if self.live else LOG_EVERY)
                self.mark()
                if self.live:
                    self.live.update(self.picture(), refresh=True)
                else:
                    logger.info("%s", self.headline())
        finally:
            looking.cancel()
            self._ending = ""
            if self.live:
                self.live.stop()
                self.console.print(f"{self.headline()} in {span(time.monotonic() - self._started)}", soft_wrap=True)

    async def _look(self) -> None:
        while True:
            try:
                if self.live:
                    self._seen = await self._reading(overview.read)
                    self._waiting = self._seen.waiting
                else:  # a line needs no more
                    self._waiting = (await self._reading(queue.counts))["due"]
            except Exception:  # nothing is shown as if it were of now; what ends the worker, tells so itself
                self._seen = self._waiting = None
            await asyncio.sleep(LOOK_EVERY if self.live else LOG_EVERY)

    def headline(self) -> str:
        """One line: where the work stands."""
        sums = totals(self.board.summed())
        parts = [f"{len(self.board.running)} of {self.capacity} jobs"]
        if self._waiting is not None:
            parts.append(f"{self._waiting:,} waiting")
        parts += [
            f"{sums['fetched']:,} pages ({self.rate():.1f}/s)",
            f"{sums['stored']:,} new articles",
            f"{sums['updated']:,} changed",
        ]
        if (waited := self._waited()) is not None:
            parts.append(f"waiting for the database for {waited:.0f} s")
        if self._ending:
            parts.append(self._ending)
        return ", ".join(parts)

    def rate(self) -> float:
        """Pages a second, over the last minute."""
        (since, before), (now, pages) = self._marks[0], self._marks[-1]
        return (pages - before) / (now - since) if now > since else 0.0

    def mark(self) -> None:
        self._marks.append((time.monotonic(), totals(self.board.summed())["fetched"]))
        while self._marks[-1][0] - self._marks[0][0] > RATE_OVER:
            self._marks.popleft()

    def picture(self) -> Group:
        now = time.monotonic()
        parts: list[Any] = [Text(f"up {span(now - self._started)}: {self.headline()}", style="bold")]
        if self.board.running:
            parts.append(running(list(self.board.running.values()), now))
        else:
            parts.append(Text("nothing runs", style="dim"))
        if self._seen:
            parts += [Text(), *seen(self._seen)]
        return Group(*parts)


def running(jobs: list[Running], now: float) -> Table:
    """A row for each job, the longest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("running", no_wrap=True, min_width=16)
    for title in ("for", *COLUMNS.values(), "pages/s"):
        table.add_column(title, justify="right", no_wrap=True)
    for job in sorted(jobs, key=lambda one: one.started)[:ROWS]:
        counts = totals(job.stats)
        seconds = max(now - job.started, 1e-9)
        shown = (str(counts.get(what, 0) or "·") for what in COLUMNS)
        name = job.source if job.task == "crawl" else f"{job.task} {job.source}".removesuffix(f" {job.task}")
        table.add_row(Text(name), span(seconds), *shown, f"{counts.get('fetched', 0) / seconds:.1f}")
    if len(jobs) > ROWS:
        table.add_row(f"and {len(jobs) - ROWS} more", style="dim")
    return table


def seen(view: Overview) -> list[Any]:
    """What the database tells."""
    today = view.today
    parts: list[Any] = [
        Text.assemble(
            ("today    ", "dim"),
            f"{today.crawls:,} crawls" + (f" ({today.failed:,} failed), " if today.failed else ", "),
            f"{today.fetched:,} pages, {today.stored:,} new articles, {today.updated:,} changed",
        )
    ]
    if view.waiting or view.later:
        later = f", {view.later:,} later" if view.later else ""
        parts.append(Text.assemble(("queue    ", "dim"), f"{view.waiting:,} waiting{later}, {view.running:,} running"))
    for title, rows in (
        ("next", [f"{one.source} {when(one.seconds)}" + (f" ({one.why})" if one.why else "") for one in view.due]),
        ("failed", [f"{one.source or one.task}: {one.reason or one.kind}" for one in view.failures]),
    ):
        for number, row in enumerate(rows):
            parts.append(
                Text.assemble(((title if not number else "").ljust(9), "dim"), row, no_wrap=True, overflow="ellipsis")
            )
    return parts


def totals(stats: Mapping[str, Any]) -> dict[str, int]:
    """Over all sources."""
    sums = dict.fromkeys(COLUMNS, 0)
    for counts in tally.by_source(stats).values():
        for what in COLUMNS:
            sums[what] += counts.get(what, 0)
    return sums


def span(seconds: float) -> str:
    """1:05, 2:03:04."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(seconds: float) -> str:
    """A time to come, in words."""
    if seconds <= 0:
        return "now"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"in {seconds / size:.0f} {unit}"
    return f"in {seconds:.0f} s"
