"""`scrapy worker`: takes jobs out of the queue and has them done by its hosts.

It is alive as long as its session holds a lock (store/workers.py). Every few seconds it says so, and learns what it has
to know: whether its jobs are still its own, whether all crawls are to end for a migration, whether the tables are of a
newer program. While the database is away it waits; its crawls do so for themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar

from procrastinate import JobContext
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from procrastinate.worker import Worker as Taker
from scrapy.settings import BaseSettings
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler import tally
from crawler.errors import ConfigurationError, CrawlerError, DatabaseUnreachable
from crawler.jobs.app import app_of
from crawler.jobs.board import Board, Running
from crawler.jobs.fleet import FAREWELL, SHARED, Fleet, Limits, cores
from crawler.jobs.tasks import BUSY_DELAY, Ended, Task, UnreadableJob, judged, read
from crawler.store import crawls, queue
from crawler.store.engine import Database, todays_schema
from crawler.store.patience import Patience, first_line
from crawler.store.queue import Ending
from crawler.store.workers import WAITS, Standing, State

logger = logging.getLogger(__name__)
EACH = 4  # jobs at once for each host
LOST_EVERY = 3  # beats between looks for what dead workers have left
SILENT = 60.0  # seconds without a beat, or without a host, from which on a health check fails
THREADS = 4  # that wait for the database
NEWER = 3  # exit status: the tables are of a newer program
GIVEN = 40  # priority of what is given with -s, in Scrapy's settings
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a worker is to be. `settings`: what its hosts are started with."""

    crawls: int
    grace: float
    beat: float
    lost_grace: float
    retries: tuple[float, ...]
    limits: Limits
    settings: Mapping[str, Any]
    own: int

    @property
    def connections(self) -> int:
        """What it takes of the server's at most: its own, and its hosts'."""
        return self.own + self.limits.processes * self.limits.connections


OWN = 4  # connections: the one that listens, the one that holds the lock, and two for all else
SCHEDULING = 4  # and of a scheduler beside it: the one that leads, and three for its duties


class Worker:
    """One process's part in the work. `show`: see Fleet."""

    def __init__(
        self,
        database: Database,
        standing: Standing,
        plan: Plan,
        board: Board | None = None,
        show: Callable[[str], None] | None = None,
    ) -> None:
        self.database, self.standing, self.plan, self.board = database, standing, plan, board or Board()
        self.patience = Patience(math.inf, database.place, database.mend)
        database.heed = self.patience.heed
        self.fleet = Fleet(plan.limits, plan.settings, self.board, show)
        self.status = 0
        self.note = "stopped"  # why it ended
        self._held: dict[int, Task] = {}  # jobs that are ours, until their end is written
        self._endings: dict[int, Ending] = {}
        self._handing = asyncio.Lock()  # while a job is on its way from the database, nothing is concluded from it
        self._draining = False
        self._seen = time.monotonic()  # when it last told the database that it lives
        self._registered, self._told, self._stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._closing = threading.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="queue")
        self._taker = Taker(
            app_of(self),
            queues=[queue.QUEUE],
            name=None,
            concurrency=plan.crawls,
            install_signal_handlers=False,
            shutdown_graceful_timeout=plan.grace,
            fetch_job_polling_interval=plan.beat,
            abort_job_polling_interval=plan.beat,
        )

    # -- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Until `stop`; returns the exit status."""
        fleet = asyncio.create_task(self.fleet.run())
        taking = asyncio.create_task(self._taker.run())  # type: ignore[no-untyped-call]
        beats = asyncio.create_task(self._beats())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([fleet, taking, beats, stopped], return_when=asyncio.FIRST_COMPLETED)
            self._taker.stop()  # type: ignore[no-untyped-call]
            self._told.set()
            self.fleet.close_for_good("shutdown")
            await asyncio.wait([taking], timeout=self.plan.grace + FAREWELL)
        finally:
            self._closing.set()
            beats.cancel()
            await self.fleet.end(FAREWELL)
            fleet.cancel()
            await asyncio.wait([beats, fleet])
            await self._say_goodbye()
        for task in (taking, beats, fleet):
            self._failed(task)
        return self.status

    def stop(self) -> None:
        """End in order; a second time, at once."""
        if self._stop.is_set():
            self.fleet.kill("the worker was told twice to stop")
            self.patience.give_up()
        self._stop.set()

    def end(self, status: int, note: str) -> None:
        self.status, self.note = status, note
        self._stop.set()

    def _failed(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            task.cancel()
        elif not task.cancelled() and (error := task.exception()):
            cause = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error
            told = str(cause).partition("\n")[0] or type(cause).__name__
            logger.error("the worker ends: %s", told, exc_info=None if isinstance(error, CrawlerError) else error)
            self.status = self.status or 1

    async def _say_goodbye(self) -> None:
        with contextlib.suppress(SQLAlchemyError, CrawlerError, TimeoutError):
            await asyncio.wait_for(self._in_thread(lambda: self.standing.end(self.note)), FAREWELL)
        self.patience.give_up()
        self.standing.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def wrong(self) -> str:
        """What a health check is told, in the loop. That the database is away is no fault of a worker's."""
        if self.patience.waited is not None:
            return ""
        now = time.monotonic()
        if (silent := now - self._seen) > SILENT + self.plan.beat:
            return f"it has not told the database that it lives for {silent:.0f} s"
        if (idle := now - self.fleet.ready_at) > SILENT:
            return f"no crawl host has been there for {idle:.0f} s"
        return ""

    # -- the database -------------------------------------------------------------------------------------------------

    def url(self) -> str:
        """Where the database is now."""
        return self.database.engine.url.set(drivername="postgresql", port=self.database.port).render_as_string(
            hide_password=False
        )

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """In a thread; it waits for a database that is away."""

        def action() -> T:
            with self.database.engine.begin() as connection:
                return work(connection)

        return await self._in_thread(action)

    async def _in_thread(self, action: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.patience.wait_for, action, self._closing)

    async def _beats(self) -> None:
        await self._registered.wait()
        for number in count():
            async with self._handing:
                state = await self._in_thread(
                    lambda: self.standing.say(WAITS if self._draining and not self._held else None)
                )
                self._seen = time.monotonic()
                await self._heed(state)
            self._told.set()
            if not number % LOST_EVERY:
                await self._bury()
            await asyncio.sleep(self.plan.beat)

    async def _bury(self) -> None:
        """What is wrong with it is no reason for all workers to end at once: a scheduler does it, too."""
        try:
            if lost := await self.transaction(self._requeue_lost):
                logger.warning("put back what dead workers had left: jobs %s", lost)
        except SQLAlchemyError as error:
            logger.error("what dead workers have left stays with them: %s", first_line(error))

    async def _heed(self, state: State) -> None:
        """Do what the database says."""
        if state.schema != todays_schema():
            if self.status == NEWER:
                return
            self.end(NEWER, "the tables are newer")
            logger.error(
                "the database has schema %s now, and this program knows %s: it ends, start the new one",
                state.schema,
                todays_schema(),
            )
            return
        if state.draining != self._draining:
            logger.info("%s", "all crawls end for a migration" if state.draining else "the migration is over")
        self._draining = state.draining
        if self._draining:
            self.fleet.close_all("shutdown")
        for job_id in self._held.keys() - state.jobs - self._endings.keys():
            self.fleet.close(job_id, "superseded")
        for job_id in state.jobs - self._held.keys():  # the answer that it is ours was lost on its way
            await self.transaction(lambda given, one=job_id: self._settle(given, one, Ending(kind="back")))  # type: ignore[misc]

    def _requeue_lost(self, connection: Connection) -> list[int]:
        crawls.bury_dead(connection, self.plan.lost_grace)
        return queue.requeue_lost(connection, self.plan.lost_grace)

    def _settle(self, connection: Connection, job_id: int, ending: Ending) -> str | None:
        return queue.settle(connection, job_id, self.standing.id, ending, self.plan.retries)

    # -- what procrastinate's worker asks for (app.py) ----------------------------------------------------------------

    async def registered(self) -> int:
        self._registered.set()
        return self.standing.id

    async def fetched(self, fetch: Callable[[], Awaitable[Job | None]]) -> Job | None:
        """The next job that can be read; those that cannot fail with the reason, and stay to be looked at."""
        await self._told.wait()  # whether there is anything to be taken at all
        async with self._handing:
            in_hand = set(self._held)  # also of what ends in the meantime
            while not self._draining and not self._stop.is_set() and (job := await fetch()) is not None:
                assert job.id is not None
                if job.id in in_hand:  # we were taken for dead: it comes again when its crawl here has ended
                    back = Ending(kind="back", reason="this worker is still at it", delay=BUSY_DELAY)
                    await self.transaction(lambda given, one=job.id, how=back: self._settle(given, one, how))  # type: ignore[misc]
                    continue
                try:
                    self._held[job.id] = read(job.id, job.task_name, job.task_kwargs)
                except UnreadableJob as error:
                    ending = Ending(kind="failed", reason=f"unreadable: {error}", final=True)
                    logger.error("job %d failed: %s", job.id, error)
                    await self.transaction(lambda given, one=job.id, how=ending: self._settle(given, one, how))  # type: ignore[misc]
                else:
                    return job
        return None

    async def do(self, context: JobContext) -> None:
        assert context.job.id is not None
        task = self._held[context.job.id]
        self.board.begin(task.job_id, task.name, task.source)
        doing = asyncio.create_task(self.fleet.do(task))
        try:
            ended = await asyncio.shield(doing)
        except asyncio.CancelledError:
            ended = await self._cut_short(task, doing, asked=context.abort_reason() is AbortReason.USER_REQUEST)
        if ended.outcome == "newer" and not self._stop.is_set():
            self._told.clear()  # or it would be taken again and again until the next beat, which ends the worker
        self._endings[task.job_id] = judged(task, ended)
        running = self.board.end(task.job_id, ended.outcome)
        if running is not None:
            report(running, ended, self._endings[task.job_id])

    async def _cut_short(self, task: Task, doing: asyncio.Task[Ended], *, asked: bool) -> Ended:
        """Somebody has cancelled the job, or the worker's time is over."""
        if asked:
            self.fleet.close(task.job_id, "aborted")
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(doing, self.plan.grace)
            self.fleet.give_up(task.job_id, f"{task.source} did not end when it was told to")
        doing.cancel()
        return Ended(outcome="aborted" if asked else "shutdown", detail="it did not end in time")

    async def settled(self, job: Job, *, aborted: bool) -> None:
        """Write how the job ended."""
        assert job.id is not None
        fault = Ending(kind="back") if aborted else Ending(kind="failed", reason="internal_error")
        ending = self._endings.get(job.id, fault)
        try:
            await self.transaction(lambda connection: self._settle(connection, job.id or 0, ending))
        except (DatabaseUnreachable, SQLAlchemyError) as error:  # the next beat finds it, and puts it back
            logger.warning("job %d: its end could not be written; it will be done again: %s", job.id, first_line(error))
        finally:
            self._held.pop(job.id, None)
            self._endings.pop(job.id, None)


def report(job: Running, ended: Ended, ending: Ending) -> None:
    """A line of the log for a job's end."""
    logger.log(
        logging.WARNING if ending.kind == "failed" else logging.INFO,
        "%s: %s after %.1f s, %s",
        job.source,
        f"{ended.outcome} ({ended.detail})" if ended.detail else ended.outcome,
        time.monotonic() - job.started,
        figures(job),
    )


def figures(job: Running) -> str:
    """What a job has done."""
    stats = job.stats
    if job.task == "archive":
        return f"{stats.get('archive/records', 0)} records read"
    if "reextract/applied" in stats:
        return f"{stats['reextract/applied']} changes applied"
    if job.task == "reextract":
        return f"{stats.get('reextract/pages', 0)} pages looked at, {stats.get('reextract/changes', 0)} would change"
    counts = tally.by_source(stats).get(job.source, {})
    return f"{counts.get('fetched', 0)} pages fetched, {counts.get('stored', 0)} new articles"


def planned(
    settings: BaseSettings, free: int, processes: int | None = None, crawls: int | None = None, own: int = OWN
) -> Plan:
    """What a worker is to be, on a server that takes `free` connections more. Raises ConfigurationError."""
    wanted = processes or settings.getint("WORKER_PROCESSES")
    asked = crawls or settings.getint("WORKER_CRAWLS")
    hosts = wanted or cores()
    while not wanted and hosts > 1 and room_in(hosts, free - own) < EACH:
        hosts -= 1
    room = room_in(hosts, free - own)
    each = math.ceil(asked / hosts) if asked else min(EACH, room)
    if each > room or each < 1:
        raise ConfigurationError(
            f"{asked or hosts} crawls in {hosts} processes take "
            f"{own + hosts * (SHARED + 2 * max(each, 1))} connections, "
            f"and the server has {max(free, 0)} left of its max_connections: "
            + (
                f"ask for --crawls {hosts * room}, or raise it"
                if room > 0
                else "ask for fewer --processes, or raise it"
            )
        )
    workers = max(1, settings.getint("EXTRACTION_WORKERS") // hosts)
    return Plan(
        crawls=asked or each * hosts,
        grace=settings.getfloat("WORKER_GRACE"),
        beat=settings.getfloat("WORKER_BEAT"),
        lost_grace=settings.getfloat("LOST_GRACE"),
        retries=tuple(float(one) for one in settings.getlist("WORKER_RETRIES")),
        limits=Limits(
            processes=hosts,
            each=each,
            silence=settings.getfloat("HOST_SILENCE"),
            memory_mb=settings.getfloat("HOST_MEMORY_MB"),
            crawls=settings.getint("HOST_CRAWLS"),
            time_max=settings.getfloat("CRAWL_TIME_MAX"),
        ),
        settings={**given(settings), "EXTRACTION_WORKERS": workers, "LOG_LEVEL": settings["LOG_LEVEL"]},
        own=own,
    )


def room_in(hosts: int, free: int) -> int:
    """For how many crawls in each of so many hosts there are connections."""
    return (free // hosts - SHARED) // 2


def given(settings: BaseSettings) -> dict[str, Any]:
    """What was set for this process: -s and the command's own."""
    found = {name: settings[name] for name in settings if (settings.getpriority(name) or 0) >= GIVEN}
    return {name: value for name, value in found.items() if isinstance(value, str | int | float | bool | list | None)}


def joined(
    standing: Standing,
    settings: BaseSettings,
    processes: int | None = None,
    crawls: int | None = None,
    own: int = OWN,
) -> Plan:
    """Take a place among the workers; returns what the worker is to be. Raises ConfigurationError."""
    try:
        return standing.begin(lambda free: planned(settings, free, processes, crawls, own))
    except ValueError as error:
        raise ConfigurationError(f"a setting that has to be a number is none: {error}") from None
