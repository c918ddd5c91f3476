"""`scrapy worker`: takes jobs from the queue until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.utils.log import configure_logging

from crawler.errors import CrawlerError
from crawler.jobs.worker import Worker, opened_plan
from crawler.store.engine import open_database

logger = logging.getLogger(__name__)


class Command(ScrapyCommand):
    """Any number, on any machine that reaches the database."""

    requires_project = True
    requires_crawler_process = False

    def syntax(self) -> str:
        return "[--processes P] [--crawls C]"

    def short_desc(self) -> str:
        return "Take jobs from the queue and do them, until told to stop"

    def long_desc(self) -> str:
        return (
            "Takes due crawls and what else waits in the queue, several at a time, in processes of its own. SIGTERM "
            "or Ctrl-C: what is in flight is finished and stored, the rest goes back to the queue; a second time: at "
            "once. Any number may run, on any machine that reaches the database."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument(
            "--processes", type=int, metavar="P", help="processes that crawl (default: one for each core)"
        )
        parser.add_argument(
            "--crawls", type=int, metavar="C", help="jobs at once, in all (default: 4 for each process)"
        )

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if args:
            raise UsageError("scrapy worker takes no arguments: what it does is in the queue")
        for name in ("processes", "crawls"):
            if (number := getattr(opts, name)) is not None and number < 1:
                raise UsageError(f"--{name} {number}: at least 1")
        assert self.settings is not None
        configure_logging(self.settings)
        try:
            self.exitcode = self.work(opts)
        except CrawlerError as error:
            print(f"scrapy worker: {error}", file=sys.stderr)
            self.exitcode = 1

    def work(self, opts: argparse.Namespace) -> int:
        settings: Any = self.settings
        with open_database(settings["DATABASE_URL"] or None, Path(settings["CRAWLER_DATA_DIR"])) as database:
            plan = opened_plan(database, settings, opts.processes, opts.crawls)

            async def main() -> int:
                worker = Worker(database, plan)
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, worker.stop)
                logger.info(
                    "worker: %d jobs at once in %d processes, at most %d connections",
                    plan.crawls,
                    plan.limits.processes,
                    plan.connections,
                )
                return await worker.run()

            return asyncio.run(main())
