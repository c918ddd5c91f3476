"""`scrapy worker`: takes jobs from the queue until it is told to stop."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, ClassVar

from scrapy.exceptions import UsageError

from crawler.errors import NewerSchema
from crawler.extensions.answering import AnsweringCommand
from crawler.jobs.up import up
from crawler.jobs.worker import NEWER

STOPPING = (
    "SIGTERM or Ctrl-C: what is in flight is finished and stored, the rest goes back to the queue; "
    "a second time: at once."
)


class Command(AnsweringCommand):
    """Any number, on any machine that reaches the database."""

    default_settings: ClassVar[dict[str, Any]] = {}  # it has a log
    name = "worker"
    scheduling = False

    def syntax(self) -> str:
        return "[--processes P] [--crawls C]"

    def short_desc(self) -> str:
        return "Take jobs from the queue and do them, until told to stop; any number may run"

    def long_desc(self) -> str:
        return (
            "Takes due crawls and what else waits in the queue, several at a time, in processes of its own. Any number "
            f"may run, on any machine that reaches the database. {STOPPING} Ends with 3 when the tables are of a newer "
            "program: start that one."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--processes", type=int, metavar="P", help="processes that crawl (default: one per core)")
        parser.add_argument("--crawls", type=int, metavar="C", help="jobs at once, in all (default: 4 per process)")

    def check(self) -> None:
        """Raises ConfigurationError for settings that would fail later."""

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if args:
            raise UsageError(f"scrapy {self.name} takes no arguments: what there is to do is in the queue")
        for name in ("processes", "crawls"):
            if (number := getattr(opts, name)) is not None and number < 1:
                raise UsageError(f"--{name} {number}: at least 1")
        assert self.settings is not None
        with self.refusals():
            self.check()
            self.exitcode = up(self.settings, processes=opts.processes, crawls=opts.crawls, scheduling=self.scheduling)

    def status_of(self, why: Exception | str) -> int:
        return NEWER if isinstance(why, NewerSchema) else 1
