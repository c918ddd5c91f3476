"""A crawl host: a process that runs a worker's jobs, several at once in one reactor. fleet.py starts it.

It is told what to do on its standard input and tells what becomes of it on its standard output, a JSON object a line:

    {"settings": {…}, "connections": 12}            first: what was given to the worker with -s, and what it may take
    {"do": 17, "task": "crawl", "arguments": {…}}   a job
    {"close": 17, "reason": "shutdown"}             end it in order
                                                    the end of input: end all of them, then yourself
    {"ready": true}                                 as soon as it takes jobs
    {"memory": 260, "jobs": {"17": {…}}}            each second: MB, and of each job the stats that have changed;
                                                    `leaving`: it has given up on the database and takes no more
    {"ended": 17, "outcome": "finished", …}         see tasks.Ended

Nothing else may be written there: standard output is turned to standard error, where the log goes.

When the worker is gone, the input ends. A thread notices, also while the reactor hangs: the crawls have some seconds
to store what they have fetched, then the process ends whatever they do. A reactor that hangs in C code, where no thread
runs either, is ended by an alarm that each report puts off.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import logging
import os
import queue
import resource
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar, copy_context
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar, cast

from pydantic import ValidationError
from scrapy import Spider
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.settings import Settings
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from crawler import json_log
from crawler.errors import ConfigurationError, CrawlerError, DatabaseUnreachable
from crawler.extensions import ending
from crawler.extensions.log_format import leave_out_inventory
from crawler.extraction.pool import ExtractionPool
from crawler.jobs import bulk
from crawler.jobs.tasks import Ended, Task, UnreadableJob
from crawler.pipelines.extract import pool_of
from crawler.sources import Source
from crawler.spiders.arguments import check_arguments
from crawler.spiders.loader import queued_spider
from crawler.store.engine import Database, open_database
from crawler.store.patience import Patience

logger = logging.getLogger(__name__)
REPORT_EVERY = 1.0  # seconds
LAST_SECONDS = 20.0  # that crawls have to end in when the worker is gone
EXIT_ORPHAN = 4
T = TypeVar("T")
about: ContextVar[str] = ContextVar("about", default="")  # the source of the job to which a line of the log belongs

_SOURCE = text("SELECT seed, disabled_at, disabled_why FROM sources WHERE id = :id")


class Doing(Protocol):
    """A job in hand."""

    def stats(self) -> Mapping[str, Any]: ...
    def stop(self, reason: str) -> None:
        """End it in order. Told again and again: it may just be beginning."""


class QueuedCrawler(Crawler):
    """A crawl that shares what its process has with the others; extensions and pipelines ask for these."""

    shared_store: tuple[Database, Patience]
    shared_pool: ExtractionPool


class Crawling:
    """A crawl in hand."""

    def __init__(self, crawler: QueuedCrawler) -> None:
        self.crawler = crawler
        self.stopping: asyncio.Future[None] | None = None
        self.context = copy_context()  # what the log tells of its end is told of its source, too

    def stats(self) -> Mapping[str, Any]:
        with contextlib.suppress(RuntimeError):  # it is just beginning
            return self.crawler.stats.get_stats()
        return {}

    def stop(self, reason: str) -> None:
        if self.stopping is None and is_running(self.crawler):
            self.crawler.spider.ending = reason  # type: ignore[union-attr]
            self.stopping = asyncio.get_running_loop().create_task(self.crawler.stop_async(), context=self.context)


class Host:
    """The jobs of this process."""

    def __init__(self, process: AsyncCrawlerProcess, database: Database, reports: Reports) -> None:
        settings = process.settings
        self.process, self.database, self.reports = process, database, reports
        self.patience = Patience(settings.getfloat("DATABASE_PATIENCE"), database.place, database.mend)
        database.heed = self.patience.heed
        self.pool = pool_of(settings)
        self.time_max = settings.getfloat("CRAWL_TIME_MAX")
        self.silence = settings.getfloat("HOST_SILENCE")
        self.steps = [float(step) for step in settings.getlist("RECHECK_STEPS")]
        self.doing: dict[int, Doing] = {}
        self.told: dict[int, dict[str, Any]] = {}  # the stats that the worker has
        self.closing: dict[int, str] = {}  # why those jobs are to end
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self.leaving = False

    # -- what it is told ----------------------------------------------------------------------------------------------

    def hear(self, line: Mapping[str, Any]) -> None:
        """A line of the worker's, in the reactor's thread."""
        if "do" in line:
            task = Task(job_id=line["do"], name=line["task"], arguments=line["arguments"])
            self.told[task.job_id] = {}
            self.tasks[task.job_id] = asyncio.ensure_future(self.work(task))
        elif "close" in line:
            self.close(line["close"], line["reason"])

    def close(self, job_id: int, reason: str) -> None:
        """End a job in order."""
        if job_id in self.tasks:
            self.closing.setdefault(job_id, reason)
            self.end_closing()

    def end_closing(self) -> None:
        """Stop those that are to end; each report looks again."""
        for job_id, reason in self.closing.items():
            if job_id in self.doing:
                self.doing[job_id].stop(reason)

    async def leave(self) -> None:
        """The worker is gone, or wants this host gone: end everything, then the reactor."""
        if self.leaving:
            return
        self.leaving = True
        for job_id in list(self.tasks):
            self.close(job_id, "shutdown")
        while self.tasks:
            await asyncio.wait(list(self.tasks.values()))
        from twisted.internet import reactor

        cast(Any, reactor).stop()

    # -- what it tells ------------------------------------------------------------------------------------------------

    async def report(self) -> None:
        """Each second. The alarm goes off when the reactor has not come here for long."""
        while True:
            faulthandler.dump_traceback_later(self.silence + 2 * REPORT_EVERY, exit=True)
            self.end_closing()
            news = {job_id: self.news(job_id) for job_id in list(self.doing)}
            self.reports.tell({"memory": memory(), "jobs": news, "leaving": self.patience.given_up})
            await asyncio.sleep(REPORT_EVERY)

    def news(self, job_id: int) -> dict[str, Any]:
        """The stats that have changed since the last report."""
        told = self.told[job_id]
        try:
            stats = dict(self.doing[job_id].stats())  # a copy: at a crawl's end a thread adds to them
            changed = {name: value for name, value in stats.items() if told.get(name) != value}
        except Exception:  # without reports, the worker would take the whole host for dead
            logger.exception("job %d: its figures", job_id)
            return {}
        told.update(changed)
        return changed

    # -- jobs ---------------------------------------------------------------------------------------------------------

    async def work(self, task: Task) -> None:
        """One job, from its beginning to the line that tells its end."""
        about.set(task.source)
        json_log.about.set({"source": task.source, "job": task.job_id})
        try:
            ended = await WORK[task.name](self, task)
        except UnreadableJob as error:
            ended = Ended(outcome="unreadable", detail=str(error))
        except DatabaseUnreachable as error:
            ended = Ended(outcome=error.reason, detail=str(error))
        except (CrawlerError, SQLAlchemyError) as error:
            ended = Ended(outcome="failed", detail=str(error).splitlines()[0])
        except Exception as error:  # a fault of ours costs this job and no other
            logger.exception("job %d", task.job_id)
            ended = Ended(outcome="internal_error", detail=f"{type(error).__name__}: {error}")
        self.tasks.pop(task.job_id, None)
        self.closing.pop(task.job_id, None)
        self.told.pop(task.job_id, None)
        told = {"outcome": ended.outcome, "detail": ended.detail, "crawl_id": ended.crawl_id, "stats": ended.stats}
        self.reports.tell({"ended": task.job_id, **told})

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """In a thread; it waits for a database that is away."""

        def action() -> T:
            with self.database.engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(self.patience.wait_for, action)

    async def crawl(self, task: Task) -> Ended:
        """One source, as `scrapy crawl <source>` does it."""
        given: Mapping[str, str] = task.arguments.get("arguments") or {}
        check(given)
        source = await self.transaction(lambda connection: stored_source(connection, task.source))
        if isinstance(source, Ended):
            return source
        job = {"job": task.job_id, "asked": task.arguments.get("asked") or "schedule"}
        return await self.crawled(task, queued_spider(source, job), given, self.time_max)

    async def crawled(
        self, task: Task, spider: type[Spider], given: Mapping[str, str], time_max: float | None = None
    ) -> Ended:
        """How a crawl by this spider ends."""
        crawler = QueuedCrawler(spider, self.process.settings)
        crawler.shared_store, crawler.shared_pool = (self.database, self.patience), self.pool
        if task.job_id in self.closing:
            return Ended(outcome=self.closing[task.job_id])
        self.doing[task.job_id] = Crawling(crawler)
        later = asyncio.get_running_loop().call_later
        limit = later(time_max, self.close, task.job_id, "time_max") if time_max else None
        try:
            await self.process.crawl(crawler, **given)
        finally:
            if limit is not None:
                limit.cancel()
            del self.doing[task.job_id]
        return outcome_of(crawler)


WORK: dict[str, Callable[[Host, Task], Awaitable[Ended]]] = {
    "archive": bulk.archive,
    "crawl": Host.crawl,
    "reextract": bulk.reextract,
}


def check(given: Mapping[str, str]) -> None:
    """Raises UnreadableJob for arguments that the spider would refuse."""
    try:
        check_arguments("crawl", given)
    except ConfigurationError as error:
        raise UnreadableJob(str(error)) from None


def stored_source(connection: Connection, name: str) -> Source | Ended:
    """The source as the database has it; why not, if it is not to be crawled."""
    row = connection.execute(_SOURCE, {"id": name}).one_or_none()
    if row is None:
        return Ended(outcome="unreadable", detail=f"there is no source {name!r}")
    if row.disabled_at is not None:
        return Ended(outcome="disabled", detail=row.disabled_why or "")
    try:
        return Source.model_validate({**row.seed, "id": name})
    except ValidationError as error:
        return Ended(outcome="unreadable", detail=f"the seed of {name!r}: {error.errors()[0]['msg']}")


def outcome_of(crawler: QueuedCrawler) -> Ended:
    """How a crawl ended, by its stats."""
    stats = {name: value for name, value in crawler.stats.get_stats().items() if not isinstance(value, datetime)}
    outcome = getattr(crawler.spider, "ending", None) or stats.get("finish_reason") or "start_error"
    for failed in ("taken", "newer", "database"):
        if stats.get(f"news/failed/{failed}"):
            outcome = failed
    word, met = ending.ended(outcome, stats)
    return Ended(outcome=word, detail=met, crawl_id=stats.get("crawl_id"), stats=stats)


def is_running(crawler: Crawler) -> bool:
    """Whether it has begun and is not being stopped."""
    with contextlib.suppress(RuntimeError):
        return crawler.engine.running
    return False


def memory() -> float:
    """What this process takes, in MB."""
    with contextlib.suppress(OSError):  # Linux
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)  # macOS: bytes


class Reports:
    """Lines to the worker, written by a thread: a worker that does not read stops no reactor."""

    def __init__(self, out: IO[str]) -> None:
        self._lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._write, args=[out], name="reports", daemon=True).start()

    def tell(self, line: dict[str, Any]) -> None:
        self._lines.put(line)

    def _write(self, out: IO[str]) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: the end of the input says so, too
            while True:
                out.write(json.dumps(self._lines.get(), default=str) + "\n")
                out.flush()


def listen(commands: IO[str], loop: asyncio.AbstractEventLoop, host: Host) -> None:
    """In a thread: what the worker says, and that it is gone."""
    # RuntimeError: the loop is closed. ValueError: the worker was killed in the middle of a line.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        for line in commands:
            loop.call_soon_threadsafe(host.hear, json.loads(line))
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(host.leave()))
    time.sleep(LAST_SECONDS)
    os._exit(EXIT_ORPHAN)


def own_streams() -> tuple[IO[str], IO[str]]:
    """The worker's two pipes, which no child of this process and no print may use."""
    commands, reports = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    with open(os.devnull) as nothing:  # noqa: PTH123 (a descriptor is wanted)
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return commands, reports


def name_lines() -> None:
    """Each line of the log says of which source it is, unless it begins with that anyway."""
    make = logging.getLogRecordFactory()

    def made(*given: Any, **more: Any) -> logging.LogRecord:
        record = make(*given, **more)
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        source = about.get()
        record.about = f"{source}: " if source and source != first else ""
        return record

    logging.setLogRecordFactory(made)


def main() -> int:
    """Run until the worker closes the input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are meant for the worker, which says what is to be done
        signal.signal(number, signal.SIG_IGN)
    commands, out = own_streams()
    first = json.loads(commands.readline() or "null")
    if first is None:
        return EXIT_ORPHAN
    settings = Settings()
    settings.setmodule("crawler.settings", priority="project")
    settings.setdict(first["settings"], priority="cmdline")
    settings.set("LOG_FORMAT", settings["LOG_FORMAT"].replace("%(message)s", "%(about)s%(message)s"))
    settings.set("EXTENSIONS", {**settings["EXTENSIONS"], "crawler.extensions.progress.Progress": None})
    name_lines()
    leave_out_inventory()
    process = AsyncCrawlerProcess(settings)
    loop = asyncio.get_event_loop()
    url, data_dir = settings["DATABASE_URL"] or None, Path(settings["CRAWLER_DATA_DIR"])
    try:
        database = open_database(url, data_dir, connections=first["connections"])
    except CrawlerError as error:
        logger.error("no crawls without a database: %s", error)
        return 1
    with database:
        host = Host(process, database, Reports(out))
        try:
            reporting = loop.create_task(host.report())
            loop.call_soon(host.reports.tell, {"ready": True})
            threading.Thread(target=listen, args=[commands, loop, host], name="worker", daemon=True).start()
            process.start(stop_after_crawl=False, install_signal_handlers=False)
            reporting.cancel()
        finally:
            faulthandler.cancel_dump_traceback_later()
            host.pool.close()
    return 0
