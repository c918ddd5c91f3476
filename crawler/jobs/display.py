"""What a person sees of a worker: a live table on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from crawler import tally
from crawler.jobs.board import Board, Running
from crawler.store import overview
from crawler.store.overview import Overview

logger = logging.getLogger(__name__)
REFRESH = 0.5  # seconds, on a terminal
LOG_EVERY = 15.0  # seconds, elsewhere
LOOK_EVERY = 5.0  # seconds between looks at the database
ROWS = 12  # of what runs
COLUMNS = {"fetched": "pages", "stored": "new", "updated": "changed", "failed": "failed"}
T = TypeVar("T")
Reader = Callable[[Callable[[Connection], Overview]], Awaitable[Overview]]


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
        self._ending = ""
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
                if self.live:
                    self.live.update(self.picture(), refresh=True)
                else:
                    logger.info("%s", self.headline())
        finally:
            looking.cancel()
            if self.live:
                self.live.stop()

    async def _look(self) -> None:
        with contextlib.suppress(Exception):  # what ends the worker, tells so itself
            while True:
                self._seen = await self._reading(overview.read)
                await asyncio.sleep(LOOK_EVERY)

    def headline(self) -> str:
        """One line: where the work stands."""
        sums, seconds = self.board.summed(), max(time.monotonic() - self._started, 1e-9)
        counted = {what: int(count) for what, count in totals(sums).items()}
        parts = [f"{len(self.board.running)} of {self.capacity} jobs"]
        if self._seen:
            parts.append(f"{self._seen.waiting} waiting")
        parts += [
            f"{counted['fetched']:,} pages ({counted['fetched'] / seconds:.1f}/s)",
            f"{counted['stored']:,} new articles",
            f"{counted['updated']:,} changed",
            f"{self.board.ended['finished']:,} crawls finished",
        ]
        if bad := sum(self.board.ended.values()) - self.board.ended["finished"]:
            parts.append(f"{bad:,} not")
        if (waited := self._waited()) is not None:
            parts.append(f"waiting for the database for {waited:.0f} s")
        if self._ending:
            parts.append(self._ending)
        return ", ".join(parts)

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
        counts = counted(job)
        seconds = max(now - job.started, 1e-9)
        shown = (str(counts.get(what, 0) or "·") for what in COLUMNS)
        name = job.source if job.task == "crawl" else f"{job.task} {job.source}".removesuffix(f" {job.task}")
        table.add_row(name, span(seconds), *shown, f"{counts.get('fetched', 0) / seconds:.1f}")
    if len(jobs) > ROWS:
        table.add_row(f"and {len(jobs) - ROWS} more", style="dim")
    return table


def seen(view: Overview) -> list[Any]:
    """What the database tells."""
    today = view.today
    parts: list[Any] = [
        Text.assemble(
            ("today    ", "dim"),
            f"{today.crawls:,} crawls, {today.stored:,} new articles, {today.updated:,} changed, "
            f"{today.fetched:,} pages fetched, {today.failed:,} crawls failed",
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


def counted(job: Running) -> Mapping[str, int]:
    """What its source's stats say; of other tasks, whatever they count."""
    return totals(job.stats)


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
