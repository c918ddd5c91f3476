"""What a person sees of a crawl: a live table on a terminal, a log line now and then elsewhere, a table at the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text
from scrapy import Spider, signals
from scrapy.crawler import Crawler

from crawler import tally
from crawler.printing import printer
from crawler.store.session import CrawlStore

logger = logging.getLogger(__name__)
REFRESH = 0.5  # seconds, on a terminal
LOG_EVERY = 15.0  # seconds, elsewhere
LIVE_ROWS = 12
COLUMNS = {
    "lists": "lists",
    "found": "announced",
    "known": "known",
    "fetched": "fetched",
    "stored": "new",
    "updated": "changed",
    "unchanged": "unchanged",
    "rejected": "no article",
    "failed": "failed",
    "feed_errors": "feed errors",
}
PASSED_OVER = {
    "files_known": "done already; -a again=1 reads what is done again",
    "files_taken": "left to another crawl that is reading them",
}
LEARNED = "template/learned/"  # a source's: how many blocks
MAX_ROWS = 100  # at the end: an archive may have thousands of hosts
Counts = Mapping[str, int]


class Progress:
    """Shows `stats` while the spider runs."""

    def __init__(self, crawler: Crawler, console: Console) -> None:
        self.crawler, self.console = crawler, console
        self.started = time.monotonic()
        self.task: asyncio.Task[None] | None = None
        self.live: Live | None = None
        self.reason: str | None = None  # why the spider was closed

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        extension = cls(crawler, printer(stderr=True))
        crawler.signals.connect(extension.spider_opened, signals.spider_opened)
        crawler.signals.connect(extension.spider_closed, signals.spider_closed)
        crawler.signals.connect(extension.engine_stopped, signals.engine_stopped)
        return extension

    def spider_opened(self, spider: Spider) -> None:
        self.started = time.monotonic()
        if self.console.is_terminal:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        self.task = asyncio.get_running_loop().create_task(self.show())

    async def show(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(REFRESH if self.live else LOG_EVERY)
                if self.live:
                    self.live.update(self.picture(), refresh=True)
                else:
                    logger.info("%s", self.headline())

    def spider_closed(self, spider: Spider, reason: str) -> None:
        if self.task:
            self.task.cancel()
        if self.live:
            self.live.stop()
        self.reason = reason

    def engine_stopped(self) -> None:
        """The closing table comes last: whoever looks at the terminal or the end of the log finds it."""
        if self.reason is None:
            return
        if self.crawler.settings.getbool("LOG_JSON"):  # a table is no line
            logger.info("%s in %.1f s: %s", self.reason, self.elapsed(), self.headline())
            return
        for part in closing(self.stats(), self.elapsed(), self.reason):
            self.console.print(part)

    def stats(self) -> dict[str, Any]:
        assert self.crawler.stats is not None
        return self.crawler.stats.get_stats()

    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def picture(self) -> Group:
        stats = self.stats()
        return Group(Text(self.headline(), style="bold"), table(tally.by_source(stats), LIVE_ROWS))

    def headline(self) -> str:
        store: CrawlStore | None = getattr(self.crawler.spider, "store", None)
        waited = store.patience.waited if store else None
        waiting = "" if waited is None else f"; waiting for the database for {waited:.0f} s"
        return headline(self.stats(), self.elapsed()) + waiting


def totals(sources: Mapping[str, Counts]) -> dict[str, int]:
    return {what: sum(counts.get(what, 0) for counts in sources.values()) for what in COLUMNS}


def headline(stats: Mapping[str, Any], seconds: float) -> str:
    """One line: where the crawl stands."""
    sums = totals(tally.by_source(stats))
    rate = sums["fetched"] / seconds if seconds > 0 else 0.0
    return (
        f"{sums['fetched']} pages fetched ({rate:.1f}/s), {sums['stored']} new articles, {sums['updated']} changed, "
        f"{sums['unchanged']} unchanged, {sums['rejected']} no articles, {sums['failed']} failed, "
        f"{sum(tally.reasons(stats, 'dropped').values())} blocks dropped{archives(stats, seconds)}"
    )


def archives(stats: Mapping[str, Any], seconds: float) -> str:
    """Where a crawl of WARC files stands; empty for other crawls."""
    if not (files := stats.get("archive/files")):
        return ""
    rate = stats.get("archive/bytes", 0) / 1e6 / seconds if seconds > 0 else 0.0
    at = min(stats.get("archive/files_passed", 0) + 1, files)
    return f"; file {at} of {files}, {stats.get('archive/records', 0):,} records, {rate:.1f} MB/s"


def table(sources: Mapping[str, Counts], rows: int | None = None) -> Table:
    """A row for each source, the busiest first when not all are shown."""
    shown = sorted(sources.items(), key=lambda pair: -pair[1].get("fetched", 0)) if rows else sorted(sources.items())
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column("source", no_wrap=True, min_width=16)
    for title in COLUMNS.values():
        made.add_column(title, justify="right")
    for source, counts in shown[:rows]:
        made.add_row(source, *(str(counts.get(what, 0) or "·") for what in COLUMNS))
    if rows and len(sources) > rows:
        made.add_row(f"and {len(sources) - rows} more", style="dim")
    if len(sources) > 1:
        made.add_section()
        made.add_row("all sources", *(str(number) for number in totals(sources).values()), style="bold")
    return made


def closing(stats: Mapping[str, Any], seconds: float, reason: str) -> list[Any]:
    """What is printed when the crawl is over."""
    sources = tally.by_source(stats)
    sums = totals(sources)
    parts: list[Any] = [table(sources, MAX_ROWS if len(sources) > MAX_ROWS else None)] if sources else []
    for title, group in (
        ("Blocks dropped", "dropped"),
        ("Pages that are no articles", "rejected"),
        ("Not fetched", "failed"),
        ("Feeds, sitemaps and sections", "listing"),
    ):
        found = tally.reasons(stats, group)
        if found:
            parts.append(Text(f"{title}: " + ", ".join(f"{name} {number}" for name, number in found.items())))
    if skipped := tally.skipped(stats):
        parts.append(Text("Records that are no pages: " + ", ".join(f"{name} {n:,}" for name, n in skipped.items())))
    for name, number in sorted(stats.items()):
        if name.startswith(LEARNED):
            source = name.removeprefix(LEARNED)
            parts.append(
                Text(f"{number} recurring blocks of {source} are dropped from now on: scrapy template {source}")
            )
    for what, said in PASSED_OVER.items():
        if number := stats.get(f"archive/{what}"):
            parts.append(Text(f"{number} {'file' if number == 1 else 'files'} {said}."))
    if reason != "finished":
        parts.append(
            Text(f"Ended early ({reason}). What is left stays queued: run the crawl again.", style="bold yellow")
        )
    elif not sums["stored"] and not sums["updated"] and (sums["known"] or sums["lists"]):
        parts.append(Text("Nothing new: everything that is announced is stored already, and nothing was stored twice."))
    parts.append(Text(f"{sums['stored']} new and {sums['updated']} changed articles in {seconds:.1f} s.", style="bold"))
    return parts
