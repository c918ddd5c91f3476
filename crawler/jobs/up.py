"""A worker in this process, with or without a scheduler, and what a person sees of it: `scrapy worker`, `scrapy up`."""

from __future__ import annotations

import asyncio
import logging
import signal

from rich.console import Console
from scrapy.settings import Settings
from scrapy.utils.log import configure_logging, install_scrapy_root_handler

from crawler.errors import NewerSchema
from crawler.extensions.log_format import leave_out_inventory, set_up_json
from crawler.jobs.board import Board
from crawler.jobs.display import Display
from crawler.jobs.metrics import serve_as_set
from crawler.jobs.opening import opened
from crawler.jobs.scheduler import in_thread, run_scheduler
from crawler.jobs.worker import NEWER, OWN, SCHEDULING, Plan, Worker, joined
from crawler.printing import printer
from crawler.store.engine import Database
from crawler.store.workers import Standing

logger = logging.getLogger(__name__)
SIGNALS = (signal.SIGINT, signal.SIGTERM)  # to end in order


def up(settings: Settings, *, processes: int | None, crawls: int | None, scheduling: bool) -> int:
    """Run until told to stop; returns the exit status. Raises CrawlerError for what cannot begin."""
    console = printer(stderr=True)
    leave_out_inventory()
    set_up_json(settings)
    configure_logging(settings)
    return asyncio.run(_up(settings, console, processes, crawls, scheduling=scheduling))


async def _up(
    settings: Settings, console: Console, processes: int | None, crawls: int | None, *, scheduling: bool
) -> int:
    stop = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    own = OWN + (SCHEDULING if scheduling else 0)
    database = await opened(settings, stop, own - 1)  # the one that listens is none of the engine's
    if database is None:
        return 0
    with database:
        standing = Standing(database.engine)
        plan = await in_thread(lambda: joined(standing, settings, processes, crawls, own))
        if stop.is_set():
            await in_thread(lambda: standing.end("stopped"))
            return 0
        return await _run(database, standing, settings, plan, console, scheduling=scheduling)


async def _run(
    database: Database, standing: Standing, settings: Settings, plan: Plan, console: Console, *, scheduling: bool
) -> int:
    board = Board()
    worker = Worker(database, standing, plan, board, lambda line: display.line(line))
    display = Display(board, plan.crawls, console, worker.transaction, lambda: worker.patience.waited)
    loop = asyncio.get_running_loop()
    end_metrics = serve_as_set(settings, board, database if scheduling else None, loop, worker.wrong)
    board.most = settings.getint("METRICS_SOURCES")
    if display.live:
        display.live.start()
        if settings.getbool("LOG_INSTALL_ROOT_HANDLER", True):
            install_scrapy_root_handler(settings)  # anew: the lines of the log go above the table
    stop = asyncio.Event()

    def told() -> None:
        display.ends("ending what is in flight" if not stop.is_set() else "ending at once")
        stop.set()
        worker.stop()

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, told)
    logger.info(
        "%d jobs at once in %d processes, with up to %d connections",
        plan.crawls,
        plan.limits.processes,
        plan.connections,
    )
    showing = asyncio.create_task(display.run())
    scheduler = asyncio.create_task(_schedule(database, settings, stop, worker)) if scheduling else None
    try:
        return await worker.run()
    finally:
        stop.set()
        if scheduler:
            await asyncio.wait([scheduler], timeout=plan.grace)
        showing.cancel()
        await asyncio.wait([showing])
        end_metrics()


async def _schedule(database: Database, settings: Settings, stop: asyncio.Event, worker: Worker) -> None:
    """The scheduler beside the worker: if it ends before it is told to, so does all."""
    try:
        await run_scheduler(database, settings, stop)
    except Exception as error:
        logger.error("the scheduler ends: %s", str(error).splitlines()[0])
        worker.end(NEWER if isinstance(error, NewerSchema) else 1, "the scheduler failed")
    else:
        if not stop.is_set():
            worker.end(0, "the scheduler ended")
