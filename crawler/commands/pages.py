"""`scrapy pages`: the raw archive: which versions there are, their bytes, what they take, and old months dropped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from scrapy.exceptions import UsageError
from sqlalchemy import Connection

from crawler.commands.export import PIPE, discard_output, opened
from crawler.dates import parse_instant
from crawler.errors import ConfigurationError, StoreError
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.printing import printer
from crawler.store import partitions, versions
from crawler.store.engine import Database
from crawler.store.versions import Version
from crawler.web.stored_pages import MB, plain, show_months, show_versions

ACTIONS = {
    "show": "URL | ARTICLE ID | --page ID: its stored versions, newest first; --json",
    "save": "URL | ARTICLE ID | --page ID, and FILE or - (default): the bytes as fetched; --at DATE: as of then",
    "stats": "pages and bytes by month; --json",
    "prune": "drop the months that PAGES_KEEP_MONTHS does not keep, or all before one: --older-than 2026-03; --dry-run",
}
OPTIONS = {"show": ("page", "json"), "save": ("page", "at"), "stats": ("json",), "prune": ("older_than", "dry_run")}
EVERY = ("page", "json", "at", "older_than", "dry_run")


class Command(AnsweringCommand):
    """One action a call."""

    def syntax(self) -> str:
        return f"<{' | '.join(ACTIONS)}> [URL | ARTICLE ID] [FILE | -]"

    def short_desc(self) -> str:
        return "The raw pages: show one's versions, save its bytes, what they take, drop old months"

    def long_desc(self) -> str:
        return "\n".join([f"{self.short_desc()}.", "", *(f"  {name:<6} {said}" for name, said in ACTIONS.items())])

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        add = parser.add_argument
        add("--page", metavar="ID", type=int, help="the page with this number, one version")
        add("--json", action="store_true", help="print one JSON array instead")
        add("--at", metavar="DATE", help="the version that was the newest then: 2026-11-23 or 2026-11-23T10:30Z")
        add("--older-than", metavar="MONTH", help="drop the months before this one")
        add("--dry-run", action="store_true", help="only say what would be dropped")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        end_with_the_reader()
        if not args or args[0] not in ACTIONS:
            raise UsageError(f"say what to do: scrapy pages {' | '.join(ACTIONS)}")
        action, rest = args[0], list(args[1:])
        check(action, rest, opts)
        with self.refusals(action), self.database() as database:
            getattr(self, action)(database, rest, opts)

    def show(self, database: Database, args: list[str], opts: argparse.Namespace) -> None:
        with database.engine.connect() as connection:
            found = stored(connection, args, opts)
        if opts.json:
            print(json.dumps([plain(one) for one in found], ensure_ascii=False, indent=2))
        else:
            show_versions(found, printer())

    def save(self, database: Database, args: list[str], opts: argparse.Namespace) -> None:
        until = _until(opts.at) if opts.at else None
        target, out = (args[:0], args) if opts.page is not None else (args[:1], args[1:])
        with database.engine.connect() as connection:
            found = [one for one in stored(connection, target, opts) if until is None or one.fetched_at < until]
            if not found:
                raise StoreError(f"no version of it was stored by {opts.at}")
            html = versions.html_of(connection, found[0])
        if html is None:
            raise StoreError(f"page {found[0].id} has just been dropped with its month")
        write(out[0] if out else PIPE, html)

    def stats(self, database: Database, _: list[str], opts: argparse.Namespace) -> None:
        with database.engine.connect() as connection:
            found = versions.months(connection)
        if opts.json:
            print(json.dumps([asdict(one) for one in found], indent=2))
        else:
            show_months(found, printer())

    def prune(self, database: Database, _: list[str], opts: argparse.Namespace) -> None:
        assert self.settings is not None
        before = first_kept(opts.older_than, self.settings.getint("PAGES_KEEP_MONTHS"), datetime.now(UTC))
        if opts.dry_run:
            with database.engine.connect() as connection:
                for old in partitions.outlived(connection, before):
                    print(f"would drop {old.month:%Y-%m}: {old.bytes / MB:,.1f} MB")
            return
        left = []
        for one in partitions.prune(database.engine, before):
            if one.outcome == "dropped":
                print(f"dropped {one.partition.month:%Y-%m}: {one.partition.bytes / MB:,.1f} MB", flush=True)
            else:
                left.append(one.words)
        if left:
            raise StoreError("; ".join(left))


def check(action: str, args: Sequence[str], opts: argparse.Namespace) -> None:
    """Raises UsageError for what does not go together."""
    for name in EVERY:
        if getattr(opts, name) not in (None, False) and name not in OPTIONS[action]:
            raise UsageError(f"scrapy pages {action} takes no --{name.replace('_', '-')}")
    if action in ("stats", "prune"):
        least = most = 0
    else:
        least = 0 if opts.page is not None else 1
        most = least + (action == "save")
    if not least <= len(args) <= most:
        raise UsageError(f"scrapy pages {action} {ACTIONS[action] if most else 'takes no arguments'}")


def stored(connection: Connection, target: Sequence[str], opts: argparse.Namespace) -> list[Version]:
    """The versions that are asked for. Raises StoreError when there is none."""
    if opts.page is not None:
        found, what = versions.of_page(connection, opts.page), f"with the number {opts.page}"
    elif target[0].isascii() and target[0].isdigit():
        found, what = versions.of_article(connection, int(target[0])), f"of an article with the id {target[0]}"
    else:
        found, what = versions.of_url(connection, target[0]), f"from {target[0]}"
    if not found:
        raise StoreError(f"there is no stored page {what}")
    return found


def first_kept(older_than: str | None, keep_months: int, now: datetime) -> datetime:
    """Raises ConfigurationError."""
    if older_than is None:
        found = partitions.kept_from(keep_months, now)
        if found is None:
            raise ConfigurationError("PAGES_KEEP_MONTHS keeps all; say what is old: --older-than 2026-03")
        return found
    found = partitions.read_month(older_than)
    if found > partitions.month_of(now):
        raise ConfigurationError(f"--older-than {older_than}: this month's pages are always kept")
    return found


def _until(raw: str) -> datetime:
    """The end of that day, or of that second. Raises ConfigurationError."""
    found = parse_instant(raw)
    if found is None:
        raise ConfigurationError(f"--at {raw} is no date; write 2026-11-23 or 2026-11-23T10:30Z")
    return found.at.astimezone(UTC) + (timedelta(days=1) if found.day_only else timedelta(seconds=1))


def write(out: str, html: bytes) -> None:
    """Raises StoreError when it cannot be written."""
    try:
        with opened(out) as file:
            file.write(html)
    except OSError as error:
        if out == PIPE:
            discard_output()
        raise StoreError(f"cannot write {out}: {error.strerror}") from None
