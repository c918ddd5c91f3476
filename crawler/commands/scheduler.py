"""`scrapy scheduler`: queues the crawl of each source when it is due. Any number may run; one acts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any, ClassVar

from scrapy.exceptions import UsageError
from scrapy.settings import BaseSettings
from scrapy.utils.log import configure_logging

from crawler.errors import ConfigurationError, NewerSchema
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.log_format import leave_out_inventory, set_up_json
from crawler.jobs.metrics import serve_as_set
from crawler.jobs.opening import opened
from crawler.jobs.scheduler import run_scheduler
from crawler.jobs.worker import NEWER
from crawler.schedule import parse_quiet, parse_schedule


class Command(AnsweringCommand):
    """Runs until it is told to stop (Ctrl-C, SIGTERM)."""

    default_settings: ClassVar[dict[str, Any]] = {"LOG_ENABLED": True, "LOG_LEVEL": "INFO"}

    def short_desc(self) -> str:
        return "Queue the crawl of each source when it is due, for `scrapy worker`; several may run, one acts"

    def long_desc(self) -> str:
        return f"{self.short_desc()}. Ends with {NEWER} when the tables are of a newer program: start that one."

    def run(self, args: Sequence[str], opts: Any) -> None:
        if args:
            raise UsageError("it takes no arguments: the seeds say when their sources are due")
        assert self.settings is not None
        with self.refusals():
            check(self.settings)
            set_up_json(self.settings)
            configure_logging(self.settings)
            leave_out_inventory()
            asyncio.run(self.schedule())

    def status_of(self, why: Exception | str) -> int:
        return NEWER if isinstance(why, NewerSchema) else 1

    async def schedule(self) -> None:
        """Until a signal comes."""
        assert self.settings is not None
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        database = await opened(self.settings, stop)
        if database is None:
            return
        try:
            end_metrics = serve_as_set(self.settings, None, database, loop)
            try:
                await run_scheduler(database, self.settings, stop)
            finally:
                end_metrics()
        finally:
            database.close()


def check(settings: BaseSettings) -> None:
    """Raises ConfigurationError for settings that would fail later."""
    for name, parse in (("SCHEDULE", parse_schedule), ("QUIET_HOURS", parse_quiet)):
        try:
            if settings[name]:
                parse(settings[name])
        except ValueError as error:
            raise ConfigurationError(f"{name}: {error}") from None
    try:
        good = settings.getfloat("TICK") > 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"TICK={settings['TICK']}: it has to be a number of seconds above 0")
