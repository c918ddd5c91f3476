"""WARC files in, pages out: `scrapy crawl archive -a warc=PATH_OR_GLOB`. Nothing is fetched.

What was done is in the database (store/archives.py): run it again, and it goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.statscollectors import StatsCollector

from crawler import tally, warc
from crawler.dates import parse_instant
from crawler.errors import ConfigurationError, DatabaseUnreachable, SeedError
from crawler.items import Candidate, Page, Record
from crawler.sources import Source
from crawler.spiders import fetches
from crawler.spiders.admission import Admission, admission
from crawler.spiders.room import Room
from crawler.spiders.watermark import Watermark
from crawler.store.archives import Claim
from crawler.store.session import CrawlStore
from crawler.store.writer import Stored
from crawler.warc import Capture, End, Skipped

BATCH_RECORDS, BATCH_BYTES = 200, 4 * 1024 * 1024  # read ahead at a time
IN_FLIGHT_BYTES = 32 * 1024 * 1024
MAX_CHOSEN = 20_000  # sources that are kept for the extraction; a large archive has more hosts than that
KEPT_HEADERS = frozenset(fetches.KEPT_HEADERS) - {"content-encoding"}  # bodies are decoded
Event = Capture | Skipped | End


@dataclass(slots=True)
class Job:
    """The file that is being read. `changed`: more of it is done than is noted; `offset`: how far it was read."""

    path: Path
    watermark: Watermark
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    offset: int = 0


class ArchiveSpider(Spider):
    """Pages of WARC files go through the same pipelines as fetched ones.

    `-a sources=a,b`: only what belongs to these seeds; `-a seeded=1`: only hosts that have a seed; `-a since=` and
    `-a until=`: only captures of that time; `-a again=1`: also files that are done.
    """

    name = "archive"
    store: CrawlStore | None = None  # given by extensions.crawl_log when the spider opens

    def __init__(
        self,
        *,
        files: Sequence[Path] = (),
        asked: Admission | None = None,
        broken: Sequence[SeedError] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.files, self.asked, self.broken, self.arguments = files, asked, broken, kwargs
        self.again = str(kwargs.get("again", "")).lower() in ("1", "true", "yes")
        self.chosen: dict[str, Source] = {}  # those that were met
        self.met: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()  # pages on their way
        self.marker: asyncio.Task[None] | None = None
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="warc")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        asked, broken = admission(Path(crawler.settings["SEEDS_DIR"]), kwargs)
        files = archives_at(kwargs.get("warc"))
        spider = super().from_crawler(crawler, *args, files=files, asked=asked, broken=broken, **kwargs)
        spider.limit = crawler.settings.getint("DOWNLOAD_MAXSIZE")
        workers = crawler.settings.getint("EXTRACTION_WORKERS")
        spider.room = Room(pages=8 * workers + 16, size=IN_FLIGHT_BYTES)
        return spider

    limit: int
    room: Room

    # -- the run ------------------------------------------------------------------------------------------------------

    async def start(self) -> AsyncIterator[Any]:
        await self.run()
        return
        yield  # it is to be an iterator, which gives nothing

    async def run(self) -> None:
        """Reads the files one after the other. Items go to the pipelines from here, not by way of the engine.

        Scrapy starts the pipelines for whatever `start()` yields without waiting for any: a file would be read into
        memory as fast as the disk gives it, and nobody would know which of its records are done.
        """
        for error in self.broken:
            self.logger.error("left out: %s", error)
            tally.count(self.crawler.stats, "failed", "broken_seed")
        if self.store is None:
            return
        self.count("files", len(self.files))
        try:
            for path in self.files:
                await self.file(self.store, path)
        except DatabaseUnreachable as error:
            self.store.failure = str(error)
        finally:
            self.reader.shutdown(wait=False, cancel_futures=True)
        if self.store.failure is not None:
            self.logger.error("%s", self.store.failure)
            assert self.crawler.engine
            await self.crawler.engine.close_spider_async(reason="database_unreachable")

    async def file(self, store: CrawlStore, path: Path) -> None:
        assert self.asked
        try:
            identity = await self.read(warc.identity, path)
            claim = await store.claim(identity, self.asked.selection, again=self.again)
            if claim.state == "ours":
                await self.records(store, path, claim)
            else:
                self.leave(path, claim)
        except OSError as error:
            self.logger.error("%s could not be read: %s", path, error)
            tally.count(self.crawler.stats, "failed", "unreadable_archive")
        self.count("files_passed")

    def leave(self, path: Path, claim: Claim) -> None:
        if claim.state == "taken":
            self.logger.info("%s is being read by another crawl", path)
            self.count("files_taken")
            return
        self.logger.info("%s is done already (%d records); -a again=1 reads it again", path, claim.records)
        self.count("files_known")

    async def records(self, store: CrawlStore, path: Path, claim: Claim) -> None:
        """Raises OSError when the file cannot be read on."""
        assert self.asked
        if claim.records:
            self.logger.info("%s: going on behind record %d", path, claim.records)
        job = Job(path, Watermark(claim))
        self.marker = asyncio.create_task(self.marking(store, job))
        after = (claim.records, claim.done_offset)
        events = warc.read(path, limit=self.limit, after=after, refusal=self.asked.refusal)
        try:
            while store.failure is None and (batch := await self.read(next_batch, events)):
                await self.meet(store, [event for event in batch if isinstance(event, Capture)])
                for event in batch:
                    await self.event(job, event)
                job.changed.set()
        except OSError:
            await self.all_done()
            raise
        await self.all_done()
        if store.failure is None:
            await store.mark(job.watermark.mark(finished=True))
            self.finished(job)

    async def event(self, job: Job, event: Event) -> None:
        if isinstance(event, End):
            job.watermark.damaged(event.damage)
            return
        self.count("records")
        self.count("bytes", max(0, event.offset - job.offset))
        job.offset = max(job.offset, event.offset)
        if isinstance(event, Skipped):
            job.watermark.read(event, event.reason)
            self.count(f"skipped/{event.reason}")
            return
        await self.room.enter(len(event.body))
        job.watermark.read(event)
        task = asyncio.create_task(self.page(job, event))
        self.tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self.tasks.discard)

    async def all_done(self) -> None:
        """Waits for the pages that are on their way; when the run is shut down, they go on all the same."""
        if self.tasks:
            await asyncio.wait(self.tasks)
        self.closed()

    def closed(self, reason: str = "") -> None:
        if self.marker is not None:
            self.marker.cancel()

    async def marking(self, store: CrawlStore, job: Job) -> None:
        """Notes in the database how far a file is done: always one write at a time, and no timer."""
        while await job.changed.wait():
            job.changed.clear()
            # When the database or the store is gone, the next run looks at the last pages once more.
            with contextlib.suppress(DatabaseUnreachable, RuntimeError):
                await store.mark(job.watermark.mark())

    async def page(self, job: Job, capture: Capture) -> None:
        """A page through the pipelines; it is done once it is committed."""
        assert self.asked and self.store and self.crawler.engine
        source = self.asked.source_of(capture.url, capture.hints)
        tally.count(self.crawler.stats, source.id, "fetched")
        record = Record(page=page_of(capture, source.id, job.path.name))
        try:
            await self.crawler.engine.scraper.start_itemproc_async(record, response=None)
        finally:
            self.room.leave(len(capture.body))
        if record.stored is not None or self.store.failure is None:
            job.watermark.done(capture.number, outcome_of(record))
            job.changed.set()

    async def meet(self, store: CrawlStore, captures: Sequence[Capture]) -> None:
        """Sources that come for the first time get their rows."""
        assert self.asked
        sources = {one.id: one for one in (self.asked.source_of(c.url, c.hints) for c in captures)}
        if len(self.chosen) > MAX_CHOSEN:
            self.chosen.clear()
        self.chosen |= sources
        await store.meet([source for name, source in sources.items() if name not in self.met])
        self.met |= sources.keys()

    def finished(self, job: Job) -> None:
        path, watermark = job.path, job.watermark
        if watermark.error:
            self.logger.warning("%s: %s", path, watermark.error)
            tally.count(self.crawler.stats, "failed", "damaged_archive" if watermark.records else "no_warc")
        self.logger.info("%s: %d records, %d articles stored", path, watermark.records, watermark.stored)

    # -- small things -------------------------------------------------------------------------------------------------

    async def read(self, action: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.reader, action, *arguments)

    def count(self, what: str, number: int = 1) -> None:
        stats: StatsCollector | None = self.crawler.stats
        if stats is not None and number:
            stats.inc_value(f"archive/{what}", count=number)


def archives_at(pattern: object) -> list[Path]:
    """The files that a path or a glob names, sorted. Raises ConfigurationError when there is none."""
    if not isinstance(pattern, str) or not pattern.strip():
        raise ConfigurationError("say which files: scrapy crawl archive -a warc='archives/*.warc.gz'")
    if Path(pattern).is_dir():
        raise ConfigurationError(f"{pattern} is a folder; name its files: -a warc='{pattern.rstrip('/')}/*.warc.gz'")
    found = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)  # noqa: PTH207 (absolute ones)
    files = sorted(path for path in map(Path, found) if path.is_file())
    if not files:
        raise ConfigurationError(f"-a warc={pattern} names no file")
    return files


def next_batch(events: Iterator[Event]) -> list[Event]:
    """The next records, until there are enough of them."""
    batch: list[Event] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.body) if isinstance(event, Capture) else 0
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            break
    return batch


def page_of(capture: Capture, source: str, found_at: str) -> Page:
    headers = {name: value for name, value in capture.headers.items() if name in KEPT_HEADERS}
    hints = {name: capture.hints.get(name) for name in ("title", "guid", "published_at", "modified_at")}
    said = {name: value for name, value in hints.items() if isinstance(value, str)}
    candidate = Candidate(
        url=capture.url,
        source=source,
        found_in="archive",
        found_at=found_at,
        title=said.get("title"),
        guid=said.get("guid"),
        published_at=_instant(said.get("published_at")),
        modified_at=_instant(said.get("modified_at")),
    )
    return Page(
        url=capture.url,
        requested_url=capture.url,
        source=source,
        status=capture.status,
        headers=headers,
        html=capture.body,
        fetched_at=capture.at,
        candidate=candidate,
    )


def _instant(raw: str | None) -> datetime | None:
    found = parse_instant(raw)
    return found.at if found else None


def outcome_of(record: Record) -> str:
    """What became of a page, as the archive's row counts it."""
    stored: Stored | None = record.stored
    if stored is None or stored.error:
        return "failed" if stored is None else "store_refused"
    return stored.outcome or record.rejected or "not_an_article"
