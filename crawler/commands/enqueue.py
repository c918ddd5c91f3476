"""`scrapy enqueue`: work for the workers, checked before it waits; what waits and runs; and taken back."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.status import Status
from scrapy.exceptions import UsageError
from scrapy.utils.conf import arglist_to_dict
from sqlalchemy import Connection, text

from crawler.commands.choosing import add_question, asked_by, is_question
from crawler.dates import parse_instant
from crawler.errors import ConfigurationError
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.jobs import requests
from crawler.jobs.following import follow
from crawler.jobs.requests import Request
from crawler.printing import printer
from crawler.store import awaited, queue
from crawler.store.awaited import Ticket
from crawler.store.engine import Database
from crawler.store.patience import Patience
from crawler.web.queue import about, alive, show_queue

MOST_PRIORITY = 1_000
MOST_SHOWN = 10  # of what was queued, by name
WHAT = {
    "crawl": "SOURCE ... [-a since=… -a until=… -a archives=1 -a recheck=1]: a crawl of each; news: all enabled ones",
    "archive": "-a warc='GLOB' [-a sources=… -a seeded=1 -a since=… -a until=… -a again=1]: a job for each WARC file",
    "reextract": "[the options of scrapy reextract]: a job for each slice; --apply: then for each source with changes",
}
AFTER = re.compile(r"\+(\d+)([smhd])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Command(AnsweringCommand):
    """One kind of work a call."""

    broken_off = "not followed any more; the jobs go on"

    def syntax(self) -> str:
        return f"<{' | '.join(WHAT)}> [options] | --list | --cancel JOB,..."

    def short_desc(self) -> str:
        return "Queue crawls, archives or a re-extraction for the workers; show the queue; take jobs back"

    def long_desc(self) -> str:
        what = (f"  {name:<10}{said}" for name, said in WHAT.items())
        return "\n".join([f"{self.short_desc()}. Piped, it prints the jobs' ids, a line each.", "", *what])

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add = parser.add_argument
        add("-a", dest="spargs", action="append", default=[], metavar="NAME=VALUE", help="of crawl and archive")
        add_question(parser)
        add("--apply", action="store_true", help="of reextract: apply what is found, without asking")
        add("--at", metavar="WHEN", help="not before: 2026-11-27T03:00Z, or +30m, +2h, +1d from now")
        add("--priority", metavar="N", type=int, help="higher goes first (crawls 10, scheduled ones 0, the rest -10)")
        add("--wait", action="store_true", help="follow the jobs to their end, and end with 1 if one fails")
        add("--list", action="store_true", help="show what runs and what waits")
        add(
            "--json",
            action="store_true",
            help="print one JSON object: the jobs (with --wait: as they ended), the queue",
        )
        add("--cancel", metavar="JOB,...", help="take jobs back: 17,20-29 or run:3, of a re-extraction all")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        assert self.settings is not None
        check(args, opts)
        end_with_the_reader()
        self.opts, self.console = opts, printer(stderr=True)
        with self.refusals(), self.database() as found:
            if opts.list:
                with found.engine.connect() as connection:
                    self.show(connection)
            elif opts.cancel:
                self.cancel(found)
            else:
                self.enqueue(found, args[0], args[1:])

    def enqueue(self, database: Database, what: str, names: Sequence[str]) -> None:
        with database.engine.begin() as connection:
            at = instant(connection, self.opts.at) if self.opts.at else None
            request = self.request(connection, what, names)
            priority = self.opts.priority
            jobs = [job if priority is None else replace(job, priority=priority) for job in request.jobs]
            ids = queue.enqueue(connection, jobs)
            queued = [one for one in ids if one is not None]
            known = [job for job, one in zip(jobs, ids, strict=True) if one is None]
            if at is not None:
                awaited.put_off(connection, queued, at)
            self.followed = [*queued, *(awaited.hurry(connection, known) if at is None else ())]
            if request.run is not None:
                self.followed = awaited.of_run(connection, request.run, over=False)
            hosts, jobs_now = awaited.hosts(connection), awaited.tickets(connection, self.followed)
        if not self.opts.json and not sys.stdout.isatty():
            print(*self.followed, sep="\n", end="\n" if self.followed else "", flush=True)
        for line in report(request, ids, at):
            self.say(line)
        self.say(alive(len(hosts)))
        if self.opts.wait and self.followed:
            jobs_now = self.wait(database, request)
        if self.opts.json:
            told = {"jobs": [plain(one) for one in jobs_now], "run": request.run, "workers_alive": len(hosts)}
            print(json.dumps(told, ensure_ascii=False, indent=2))

    def show(self, connection: Connection) -> None:
        """What runs and waits."""
        if not self.opts.json:
            show_queue(connection, printer())
            return
        told = {
            "running": [asdict(one) for one in queue.running(connection)],
            "waiting": [asdict(one) for one in queue.waiting(connection)],
        }
        print(json.dumps(told, ensure_ascii=False, indent=2, default=datetime.isoformat))

    def request(self, connection: Connection, what: str, names: Sequence[str]) -> Request:
        """Raises ConfigurationError, StoreError."""
        assert self.settings is not None
        seeds, given = Path(self.settings["SEEDS_DIR"]), arglist_to_dict(self.opts.spargs)
        if what == "crawl":
            return requests.crawls_of(connection, seeds, names, given)
        if what == "archive":
            return requests.archives_of(connection, seeds, given)
        question = asked_by(self.opts, self.settings)
        return requests.reextraction_of(connection, question, apply=self.opts.apply)

    def wait(self, database: Database, request: Request) -> list[Ticket]:
        """For those that waited already, too; returns how they ended."""
        assert self.settings is not None
        patience = Patience(self.settings.getfloat("DATABASE_PATIENCE"), database.place, database.mend)
        shown = self.console.status("waiting ...") if self.console.is_terminal else nullcontext()
        with shown as status:

            def show(words: str) -> None:
                if isinstance(status, Status):
                    status.update(words)

            ended = follow(database, patience, self.followed, request.run, show)
        lost = [one for one in ended if one.status != "succeeded"]
        for one in [one for one in ended if one.damage and one not in lost][:MOST_SHOWN]:
            self.say(f"done as far as it goes: job {one.id}, {about(one.task, one.arguments)}: {one.damage}")
        for one in lost[:MOST_SHOWN]:
            self.say(
                f"{one.status}: job {one.id}, {about(one.task, one.arguments)}: {one.reason or 'no reason is known'}"
            )
        self.say(f"{len(lost):,} of the jobs failed or were cancelled" if lost else "all done")
        self.exitcode = 1 if lost else 0
        return ended

    def cancel(self, database: Database) -> None:
        """Raises ConfigurationError."""
        with database.engine.begin() as connection:
            ids = sorted(set(numbers(connection, self.opts.cancel)))
            done = queue.cancel(connection, ids)
        self.say(f"{done:,} of {len(ids):,} jobs taken back; one that runs ends in order")
        self.exitcode = 0 if done else 1

    def say(self, words: str) -> None:
        self.console.print(words, soft_wrap=True)


def plain(one: Ticket) -> dict[str, Any]:
    """JSON's types. `status`: todo, doing, or how it ended."""
    return {
        "id": one.id,
        "task": one.task,
        "what": about(one.task, one.arguments),
        "status": one.status,
        "reason": one.reason or one.damage,
    }


def check(args: Sequence[str], opts: argparse.Namespace) -> None:
    """Raises UsageError for what does not go together."""
    if bool(args) + bool(opts.list) + bool(opts.cancel) != 1 or (args and args[0] not in WHAT):
        raise UsageError(f"say what to queue: scrapy enqueue {' | '.join(WHAT)}; or --list, or --cancel JOB")
    what = args[0] if args else ""
    if (what == "crawl") != bool(args[1:]):
        raise UsageError(
            "name the sources: scrapy enqueue crawl bbc le_monde"
            if what == "crawl"
            else f"{what} takes options only, not {' '.join(args[1:])}: scrapy enqueue --help"
        )
    if opts.at is not None and not opts.at.strip():
        raise UsageError("--at says no time")
    if opts.priority is not None and abs(opts.priority) > MOST_PRIORITY:
        raise UsageError(f"--priority {opts.priority}: from -{MOST_PRIORITY} to {MOST_PRIORITY}")
    if opts.json and opts.cancel:
        raise UsageError("--json does not go with --cancel")
    if opts.spargs and what not in ("crawl", "archive"):
        raise UsageError("-a goes with crawl and archive")
    if (is_question(opts) or opts.apply) and what != "reextract":
        raise UsageError("--source, --since, --until, --article, --articles-only, --anew and --apply go with reextract")


def instant(connection: Connection, raw: str) -> datetime:
    """By the database's clock. Raises ConfigurationError."""
    if match := AFTER.fullmatch(raw.strip()):
        now: datetime = connection.execute(text("SELECT now()")).scalar_one()
        with suppress(OverflowError):
            return now + timedelta(**{UNITS[match[2]]: int(match[1])})
        raise ConfigurationError(f"--at {raw} is too far away")
    if (found := parse_instant(raw)) is None:
        raise ConfigurationError(f"--at {raw} is no time; write 2026-11-27T03:00Z, or +30m, +2h, +1d from now")
    return found.at.astimezone(UTC)


def numbers(connection: Connection, raw: str) -> Iterator[int]:
    """The jobs that `17,20-29,run:3` names. Raises ConfigurationError."""
    for part in raw.split(","):
        if match := re.fullmatch(r"run:(\d+)", part.strip()):
            yield from awaited.of_run(connection, int(match[1]), over=False)
        elif match := re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()):
            yield from range(int(match[1]), int(match[2] or match[1]) + 1)
        else:
            raise ConfigurationError(f"--cancel {part}: write 17, 20-29 or run:3; scrapy enqueue --list shows them")


def report(request: Request, ids: Sequence[int | None], at: datetime | None) -> Iterator[str]:
    """What was queued, and what waits already."""
    yield from request.said
    when = f", not before {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    queued = [(number, name) for number, name in zip(ids, request.names, strict=True) if number is not None]
    if queued:
        first, last = queued[0][0], queued[-1][0]
        jobs = f"job {first}" if first == last else f"{len(queued):,} jobs, {first} to {last}"
        yield f"queued{when}: {jobs}: {_some([name for _, name in queued])}"
    if waiting := [name for number, name in zip(ids, request.names, strict=True) if number is None]:
        yield f"waiting already{'' if at else ', and goes first now'}: {_some(waiting)}"
    if request.run is not None:
        yield f"re-extraction {request.run}: scrapy reextract --run {request.run} shows what was found"


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_SHOWN
    return ", ".join(names[:MOST_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
