"""WARC files in, pages out: `scrapy crawl archive -a warc=PATH_OR_GLOB`. Nothing is fetched.

What was done is in the database (store/archives.py): run it again, and it goes on where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from scrapy import Spider
from scrapy.crawler import Crawler
from scrapy.statscollectors import StatsCollector

from crawler import tally, warc
from crawler.errors import DatabaseUnreachable, SeedError
from crawler.items import Record
from crawler.sources import Source
from crawler.spiders.admission import Admission, admission, admitted
from crawler.spiders.captures import Event, archives_at, next_batch, outcome_of, page_of, passed_over
from crawler.spiders.room import Room
from crawler.spiders.selection import is_yes
from crawler.spiders.watermark import Watermark
from crawler.store.archives import Claim
from crawler.store.session import CrawlStore
from crawler.warc import Capture, End, Skipped

IN_FLIGHT_BYTES = 32 * 1024 * 1024
MAX_CHOSEN = 20_000  # sources that are kept for the extraction; a large archive has more hosts than that


@dataclass(slots=True)
class Job:
    """The file that is being read.

    `changed`: more of it is done than is noted; `offset`: how far it was read; `damage`: what is wrong with its end.
    """

    path: Path
    watermark: Watermark
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    offset: int = 0
    damage: str | None = None
    over: bool = False
    lost: bool = False  # this run had lost its lock, and another took the file


class ArchiveSpider(Spider):
    """Pages of WARC files go through the same pipelines as fetched ones.

    `-a sources=a,b`: only what belongs to these seeds; `-a seeded=1`: only hosts that have a seed; `-a since=` and
    `-a until=`: only captures of that time; `-a again=1`: also files that are done.
    """

    name = "archive"
    store: CrawlStore | None = None  # given by extensions.crawl_log when the spider opens
    given: Mapping[str, Source] | None = None  # the seeds of a queued job, instead of those of the folder
    ending: str | None = None  # why it is stopped, by whoever stops it
    job: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        files: Sequence[Path] = (),
        asked: Admission | None = None,
        broken: Sequence[SeedError] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.files, self.asked, self.broken, self.arguments = files, asked, broken, {**kwargs, **self.job}
        self.again = is_yes("again", kwargs.get("again"))
        self.chosen: dict[str, Source] = {}  # those that were met
        self.met: set[str] = set()
        self.told = False  # that something of it was forgotten
        self.tasks: set[asyncio.Task[None]] = set()  # pages on their way
        self.reading: Job | None = None  # the file that is read
        self.settling = False
        self.marker: asyncio.Task[None] | None = None
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="warc")

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> Self:
        broken: list[SeedError] = []
        if cls.given is None:
            asked, broken = admission(Path(crawler.settings["SEEDS_DIR"]), kwargs)
        else:
            asked = admitted(cls.given, kwargs)
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
            self.store.failure = self.store.failure or error
        finally:
            self.reader.shutdown(wait=False, cancel_futures=True)
        if self.store.failure is not None:
            self.logger.error("%s", self.store.failure)
            assert self.crawler.engine
            await self.crawler.engine.close_spider_async(reason=self.store.failure.reason)

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
        job = self.reading = Job(path, Watermark(claim), offset=claim.done_offset)
        self.marker = asyncio.create_task(self.marking(store, job))
        after = (claim.records, claim.done_offset)
        events = warc.read(path, limit=self.limit, after=after, refusal=self.asked.refusal)
        try:
            while not (store.failure or job.lost or self.is_closing) and (batch := await self.read(next_batch, events)):
                batch = await self.allowed(store, batch)
                await self.meet(store, [event for event in batch if isinstance(event, Capture)])
                for event in batch:
                    await self.event(job, event)
                job.changed.set()
        except OSError:
            await self.all_done(job)
            raise
        if self.is_closing:
            return
        await self.all_done(job)
        if job.lost:
            self.logger.warning("%s: another crawl has it now", path)
        elif store.failure is None:
            await store.mark(job.watermark.end(job.damage))
            self.finished(job)

    async def allowed(self, store: CrawlStore, batch: Sequence[Event]) -> list[Event]:
        """What was forgotten does not come back out of an archive: such a record is passed over."""
        assert self.asked
        captures = [event for event in batch if isinstance(event, Capture)]
        gone = await store.forgotten({one.url: self.asked.source_of(one.url, one.hints).id for one in captures})
        if gone and not self.told:
            self.told = True
            self.logger.warning("%s and maybe others were forgotten, and are passed over", sorted(gone)[0])
        return [passed_over(one) if isinstance(one, Capture) and one.url in gone else one for one in batch]

    async def event(self, job: Job, event: Event) -> None:
        if isinstance(event, End):
            job.damage = event.damage
            return
        if self.is_closing:  # what comes now is the next run's
            return
        self.count("records")
        self.count("bytes", max(0, event.offset - job.offset))
        job.offset = max(job.offset, event.offset)
        if isinstance(event, Skipped):
            job.watermark.read(event, event.reason)
            self.count(f"skipped/{event.reason}")
            return
        await self.room.enter(len(event.body))
        if self.is_closing:
            self.room.leave(len(event.body))
            return
        job.watermark.read(event)
        task = asyncio.create_task(self.page(job, event))
        self.tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self.tasks.discard)

    async def all_done(self, job: Job) -> None:
        """Waits for the pages that are on their way, and until it is in the database how far the file is done."""
        if self.tasks:
            await asyncio.wait(self.tasks)
        job.over = True
        job.changed.set()
        if self.marker is not None:
            await self.marker

    @property
    def is_closing(self) -> bool:
        """Whether the run is shut down."""
        slot = self.crawler.engine.scraper.slot if self.crawler.engine else None
        return self.settling or (slot is not None and slot.closing is not None)

    async def settled(self) -> None:
        """When the run is shut down, what has been extracted is stored all the same: the store closes behind it."""
        self.settling = True
        if self.reading is not None:
            await self.all_done(self.reading)

    async def marking(self, store: CrawlStore, job: Job) -> None:
        """Notes in the database how far a file is done: always one write at a time, and no timer."""
        while not job.over:
            await job.changed.wait()
            job.changed.clear()
            # When the database or the store is gone, the next run looks at the last pages once more.
            with contextlib.suppress(DatabaseUnreachable, RuntimeError):
                job.lost = not await store.mark(job.watermark.mark())

    async def page(self, job: Job, capture: Capture) -> None:
        """A page through the pipelines; it is done once it is committed."""
        assert self.asked and self.store and self.crawler.engine
        source = self.asked.source_of(capture.url, capture.hints)
        tally.count(self.crawler.stats, source.id, "fetched")
        record = Record(page=page_of(capture, source.id, job.path.name))
        scraper = self.crawler.engine.scraper
        try:
            await scraper.start_itemproc_async(record, response=None)
        finally:
            self.room.leave(len(capture.body))
        if record.stored is not None or self.store.failure is None:
            job.watermark.done(capture.number, outcome_of(record))
            job.changed.set()
        # A scraper that is closing looks whether it may when a response is done, but not (2.19.0) when an item is that
        # came without one: Ctrl-C would wait for ever.
        scraper._check_if_closing()

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
