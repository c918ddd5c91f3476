"""`scrapy reextract`: today's rules over stored pages. It shows what would change, and applies it when that is wanted.

The work is in crawler/reextraction: this is one more process at it, with a person who is told and asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from typing import Any, TypeVar

from rich.status import Status
from scrapy.exceptions import UsageError
from scrapy.settings import BaseSettings
from sqlalchemy import Connection

from crawler.commands.choosing import add_question, asked_by, is_question
from crawler.extensions.answering import AnsweringCommand
from crawler.pipelines.extract import pool_of
from crawler.printing import printer
from crawler.reextraction.applying import Applying
from crawler.reextraction.looking import Holder, Looking
from crawler.reextraction.question import begin, joined, waits
from crawler.store import reapplying, reextractions
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.store.reapplying import Applied
from crawler.store.reextractions import Begun
from crawler.web.gains import Report, lines, plain, report_of, sentence
from crawler.web.pace import Pace

HOW = "nothing was applied: --apply applies it, and extracts nothing again; --dry-run only looks"
T = TypeVar("T")


class Command(AnsweringCommand):
    """Looks, reports, asks, applies."""

    broken_off = "broken off; the same command goes on from here"

    def syntax(self) -> str:
        return "[options]"

    def short_desc(self) -> str:
        return "Run today's rules over the stored pages: show what would change, then apply it"

    def long_desc(self) -> str:
        return (
            f"{self.short_desc()}. Nothing is fetched. On a terminal it asks before it applies; elsewhere it takes "
            "--apply. Whatever interrupts it, the same command goes on from there, and several at once share the work. "
            "Earlier versions are kept as revisions that are ours, not the publisher's; articles that would be none "
            "any more stay."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add_question(parser)
        add("--run", metavar="N", type=int, help="what was asked as run N, by whomever: show it, apply it")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--dry-run", action="store_true", help="only show what would change")
        choice.add_argument("--apply", "--yes", action="store_true", help="apply it without asking")
        add("--json", action="store_true", help="print the report as one JSON object")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if args:
            raise UsageError("takes options only: scrapy reextract --source a,b")
        if opts.run is not None and is_question(opts):
            raise UsageError("--run N is a question already: it goes with --dry-run, --apply and --json only")
        assert self.settings is not None
        with self.refusals():
            work = Reextract(opts, self.settings)
            with self.database() as found:
                self.exitcode = work.run(found)


class Reextract:
    """What was asked for. Raises ConfigurationError for what cannot be done, before a database is opened."""

    def __init__(self, opts: argparse.Namespace, settings: BaseSettings) -> None:
        self.opts, self.settings = opts, settings
        self.asked = asked_by(opts, settings) if opts.run is None else None
        self.console = printer(stderr=True)

    def run(self, database: Database) -> int:
        """Returns the exit status. Raises StoreError, ConfigurationError."""
        self.database = database
        self.patience = Patience(self.settings.getfloat("DATABASE_PATIENCE"), database.place, database.mend)
        holder = Holder(database, self.patience)
        try:
            begun = holder.transaction(self.begin)
            self.say_how(begun)
            if begun.how != "found":
                self.look(begun, holder)
            return self.conclude(begun)
        finally:
            holder.close()

    def begin(self, connection: Connection) -> Begun:
        return begin(connection, self.asked) if self.asked else joined(connection, self.opts.run)

    def say_how(self, begun: Begun) -> None:
        at = f"{begun.started_at:%Y-%m-%d %H:%M}"
        if begun.how == "resumed":
            self.say(f"going on with what was begun {at}")
        elif begun.how == "found":
            self.say(f"this is what was found {at}; --anew looks again")
        for name in begun.asked.left_out:
            self.say(f"left out: {name}, whose seed is broken (python -m crawler.sources)")

    def look(self, begun: Begun, holder: Holder) -> None:
        """Finds what would change, as far as that was not found before."""
        with self.shown() as status, closing(pool_of(self.settings)) as pool:
            pace = Pace(status)
            Looking(self.database, begun, holder, pool, self.patience, pace.met).all(pace.told)

    def conclude(self, begun: Begun) -> int:
        """The report, and what becomes of it."""
        self.transaction(lambda connection: waits(connection, begun.id))
        report, waiting = self.transaction(
            lambda connection: (report_of(connection, begun), reextractions.waiting(connection, begun.id))
        )
        pending = waiting["changed"] + waiting["new"]
        if not self.opts.json:
            show(report)
        if not pending:
            self.transaction(lambda connection: reapplying.finish(connection, begun.id))
            self.end(report, "nothing would change", Applied())
            return 0
        if self.opts.dry_run or not (self.opts.apply or self.confirmed(pending)):
            self.end(report, "nothing was applied" if self.opts.dry_run or self.asks else HOW, Applied())
            return 0 if self.opts.dry_run or self.asks else 1
        applied = self.apply(begun, pending)
        self.end(report, sentence(applied), applied)
        return 1 if applied.refused else 0

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return sys.stdin.isatty() and sys.stdout.isatty() and not self.opts.json

    def confirmed(self, pending: int) -> bool:
        try:
            return self.asks and input(f"apply {pending:,} changes? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:  # Ctrl-D
            print()
            return False

    def apply(self, begun: Begun, pending: int) -> Applied:
        steps = [float(step) for step in self.settings.getlist("RECHECK_STEPS")]
        with self.shown() as status:

            def met(done: Applied) -> None:
                if isinstance(status, Status):
                    status.update(f"applied {done.applied:,} of {pending:,} changes")

            return Applying(self.database, begun.id, self.patience, steps, met).all()

    # -- small things -------------------------------------------------------------------------------------------------

    def transaction(self, work: Callable[[Connection], T]) -> T:
        return self.patience.transaction(self.database.engine, work)

    def shown(self) -> Any:
        """How far it is, on a terminal."""
        return self.console.status("reading ...") if self.console.is_terminal else nullcontext()

    def say(self, words: str) -> None:
        self.console.print(words, soft_wrap=True)

    def end(self, report: Report, words: str, applied: Applied) -> None:
        """The last words; as JSON, the report with what was applied."""
        if self.opts.json:
            print(json.dumps({**plain(report), **asdict(applied)}, ensure_ascii=False, indent=2))
        self.say(words)


def show(report: Report) -> None:
    console = printer()
    for line in lines(report):
        console.print(line)
