"""A worker in this process, with or without a scheduler, and what a person sees of it: `scrapy worker`, `scrapy up`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

from rich.console import Console
from scrapy.settings import Settings
from scrapy.utils.log import configure_logging

from crawler.errors import NewerSchema
from crawler.extensions.log_format import leave_out_inventory, set_up_json
from crawler.jobs.board import Board
from crawler.jobs.display import Display
from crawler.jobs.metrics import serve_as_set
from crawler.jobs.scheduler import run_scheduler
from crawler.jobs.worker import NEWER, Plan, Worker, joined
from crawler.store.engine import Database, open_database
from crawler.store.workers import Standing

logger = logging.getLogger(__name__)
WIDTH = 120  # characters, where there is no terminal to ask


def up(settings: Settings, *, processes: int | None, crawls: int | None, scheduling: bool) -> int:
    """Run until told to stop; returns the exit status. Raises CrawlerError for what cannot begin."""
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    leave_out_inventory()
    set_up_json(settings)
    with open_database(settings["DATABASE_URL"] or None, Path(settings["CRAWLER_DATA_DIR"])) as database:
        standing = Standing(database.engine)
        plan = joined(standing, settings, processes, crawls)
        return asyncio.run(_run(database, standing, settings, plan, console, scheduling=scheduling))


async def _run(
    database: Database, standing: Standing, settings: Settings, plan: Plan, console: Console, *, scheduling: bool
) -> int:
    board = Board()
    worker = Worker(database, standing, plan, board, lambda line: display.line(line))
    display = Display(board, plan.crawls, console, worker.transaction, lambda: worker.patience.waited)
    end_metrics = serve_as_set(settings, board, database if scheduling else None, asyncio.get_running_loop())
    if display.live:
        display.live.start()  # before the log, whose lines then go above the table
    configure_logging(settings)
    stop = asyncio.Event()

    def told() -> None:
        display.ends("ending what is in flight" if not stop.is_set() else "ending at once")
        stop.set()
        worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
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
