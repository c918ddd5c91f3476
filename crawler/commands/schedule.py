"""`scrapy schedule`: what is due when and why, what ran last, and whether a scheduler is there at all."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from crawler.errors import UnknownSource
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.ending import IN_VAIN
from crawler.extensions.quiet import end_with_the_reader
from crawler.jobs.duties import defaults
from crawler.printing import print_table, printer
from crawler.schedule import HOURS, Rhythm, daily, lasting, parse_schedule
from crawler.store import timetable
from crawler.store.timetable import Entry, Leader
from crawler.text import one_line

WIDE = 120  # columns from which there is room for the reasons
NEXT = 5  # times of a source that are shown
SILENT = timedelta(seconds=60)  # after so long without a tick nobody schedules
BARS = " ▁▂▃▄▅▆▇█"
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
COLOURS = {
    "running": "green", "waiting": "cyan", "due": "yellow", "forgotten": "red", "disabled": "red", "gone": "red",
    "on demand": "dim",
}  # fmt: skip


class Command(AnsweringCommand):
    """Only looks."""

    def syntax(self) -> str:
        return "[options] [source ...]"

    def short_desc(self) -> str:
        return "Show what is due when and why, and what ran last; of one source also its rhythm and next times"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--due", action="store_true", help="only sources that are due, wait in the queue or run")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        end_with_the_reader()
        with self.refusals(), self.database() as found, found.engine.connect() as connection:
            self.show(connection, args, opts)

    def show(self, connection: Connection, args: Sequence[str], opts: argparse.Namespace) -> None:
        """Raises UnknownSource."""
        assert self.settings is not None
        found = timetable.entries(connection, args, due=opts.due)
        if missing := sorted(set(args) - {one.source for one in found}) if not opts.due else []:
            raise UnknownSource(f"no scheduler has seen a source {', '.join(missing)}; `scrapy list` shows the seeds")
        lead, tick = timetable.leader(connection), self.settings.getfloat("TICK")
        if opts.json:
            shown = {"scheduler": lead and plain(asdict(lead)), "sources": [plain(asdict(one)) for one in found]}
            print(json.dumps(shown, ensure_ascii=False, indent=2))
            return
        console = printer()
        for line in warnings(lead, tick):
            console.print(Text(line, style="bold red"), soft_wrap=True)
        if len(args) == 1 and found:
            self.show_one(connection, console, found[0])
            return
        if found:
            print_table(console, listing(found, console.width, cut=console.is_terminal))
        else:
            console.print("Nothing is due, waits or runs.")

    def show_one(self, connection: Connection, console: Console, entry: Entry) -> None:
        assert self.settings is not None
        past, now = timetable.past_of(connection, entry.source)
        coming = [] if entry.disabled_at else timetable.coming(connection, entry, defaults(self.settings), NEXT)
        grid = Table.grid(padding=(0, 2, 0, 0))
        rows = [("source", entry.source), ("schedule", in_words(entry)), ("state", entry.state)]
        rows += [("due", due(entry)), ("why", entry.due_why or "–"), ("last crawl", last_in_words(entry))]
        rows += [("seed", entry.seed_error)] if entry.seed_error else []
        rows += [("disabled", entry.disabled_why or "–")] if entry.disabled_at else []
        for name, value in rows:
            grid.add_row(Text(name, style="bold"), one_line(value))
        print_table(console, grid)
        if past.rhythm.hours:
            console.print()
            for line in picture(past.rhythm):
                console.print(Text(line))
        console.print()
        for at in coming:
            away = f"in {lasting(at - now)}" if at > now else "now"
            console.print(f"next  {at.astimezone(UTC):%a %d %b %H:%M} UTC  {away}")


def listing(found: Sequence[Entry], width: int, *, cut: bool) -> Table:
    """A line a source, on so many columns; `cut`: names that are long are."""
    wide = width >= WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, most in (("source", 40 if wide else 20), ("schedule", 30 if wide else 14)):
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=most if cut else None)
    table.add_column("due", no_wrap=True)
    table.add_column("last crawl", no_wrap=True)
    table.add_column("new", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=not wide, overflow="ellipsis")
    if wide:
        table.add_column("why", overflow="fold")
    for one in found:
        ago, new = last(one)
        state = Text(one.state, style=COLOURS.get(one.state, ""))
        if one.seed_error:
            state.append(" broken", style="bold red")
        why = [one.seed_error or one.disabled_why or one.due_why or ""] if wide else []
        table.add_row(one.source, in_words(one), due(one), ago, new, state, *(one_line(words) or "" for words in why))
    return table


def in_words(entry: Entry) -> str:
    try:
        return str(parse_schedule(entry.schedule)) if entry.schedule else "–"
    except ValueError:
        return str(entry.schedule)


def due(entry: Entry) -> str:
    if entry.state == "waiting" and entry.waits is not None:  # what is due after that tells nothing
        return f"waits {lasting(entry.waits)}"
    if entry.due_in is None or entry.disabled_at:
        return "–"
    return f"in {lasting(entry.due_in)}" if entry.due_in > timedelta(0) else f"{lasting(-entry.due_in)} ago"


def last(entry: Entry) -> tuple[str, str]:
    """When it was and how it ended, and the new articles."""
    if entry.last_ago is None:
        return "never", ""
    ended = how(entry)
    new = "" if entry.last_articles is None else str(entry.last_articles)
    return f"{lasting(entry.last_ago)} ago{f' {ended}' if ended else ''}", new


def how(entry: Entry) -> str:
    """A word, where it is worth one."""
    word = (entry.last_reason or "").partition(":")[0]
    if word in IN_VAIN:
        return word
    runs = entry.last_outcome == entry.state == "running"  # the state says so
    return "" if runs or entry.last_outcome == "finished" else entry.last_outcome or ""


def last_in_words(entry: Entry) -> str:
    ago, new = last(entry)
    words = [entry.last_reason] if how(entry) and entry.last_reason else []
    return ", ".join([ago, *words, *([f"new articles: {new}"] if new else [])])


def warnings(lead: Leader | None, tick: float) -> list[str]:
    """What is wrong with the scheduling as a whole."""
    if lead is None:
        return ["No scheduler has ever run on this database: `scrapy scheduler` or `scrapy up` starts one."]
    said = [f"{name}: {trouble}" for name, trouble in sorted(lead.trouble.items())]
    if lead.silent > max(SILENT, timedelta(seconds=12 * tick)) or lead.ended_at:
        who = f"the last was process {lead.pid} on {lead.host}"
        said.insert(0, f"No scheduler has ticked for {lasting(lead.silent)} ({who}): `scrapy scheduler` starts one.")
    return said


def picture(rhythm: Rhythm) -> list[str]:
    """The hours of the week, the most lively as a full bar."""
    rates = rhythm.rates()
    most = max(rates)
    bars = [BARS[max(1, round(rate / most * 8))] for rate in rates]
    lines = [
        f"{day}  {''.join(bars[start : start + 24])}" for day, start in zip(WEEK, range(0, HOURS, 24), strict=True)
    ]
    told = f"about {daily(rhythm.mean)} articles a day, learned from {lasting(timedelta(hours=rhythm.hours))}; "
    return [*lines, "     0     6     12    18   UTC", told + f"a full bar is {most:.2g} an hour"]


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON's types: instants in ISO 8601, durations in seconds."""
    return {
        name: value.isoformat() if isinstance(value, datetime)
        else value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in values.items()
    }  # fmt: skip
