"""`scrapy forget URL | ID | SOURCE`: what a publisher wants removed is removed, everywhere, and does not come back."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.status import Status
from scrapy.exceptions import UsageError
from sqlalchemy import Connection, Engine

from crawler.commands.asked import Asked, address, copies_of, named, returned, said
from crawler.errors import ConfigurationError
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.jobs.duties import defaults
from crawler.printing import printer
from crawler.store import schedules
from crawler.store.engine import Database
from crawler.store.forgetting import acts, removing, sources

TABLES = "articles, revisions, pages, urls, url_aliases, bands, boilerplate_blocks, reextracted, page_dictionaries"
ADVICE = f"""\
Not gone yet, and not ours to remove:
- The database's own files: deleted rows lie in them until VACUUM has passed and their place is written over, and the
  planner's statistics hold samples of values until ANALYZE. Best do it now, by `scrapy db psql`:
    VACUUM (ANALYZE) {TABLES};
  VACUUM (FULL, ANALYZE) writes these tables anew without them, and locks each meanwhile.
- The server's WAL, until it is recycled or its archive is deleted; replicas follow.
- Backups (`scrapy db backup` and others), until they are deleted. Who restores an older one: scrapy forget --again.
- What was exported: the next `scrapy export --cursor` tells its reader, and the view news.forgotten everybody.
- WARC files that were read or written; logs; raw pages of other articles that link to it by its headline."""


class Command(AnsweringCommand):
    """Shows what there is, asks, removes."""

    broken_off = "broken off; the same command goes on from here"

    def syntax(self) -> str:
        return "[options] <URL | ARTICLE ID | SOURCE> ..."

    def short_desc(self) -> str:
        return "Remove what a publisher wants removed, everywhere and for good; what was removed; allow it again"

    def long_desc(self) -> str:
        return (
            f"{self.short_desc()}. Of an address, all others of the same page go with it. Of a source, all goes, "
            "it is disabled, and its site (all below its home page on that host, no subdomains) is not let in again "
            "under another name. On a terminal it asks; elsewhere it takes --yes. Whatever interrupts it, the same "
            "command goes on from there."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add("--why", metavar="TEXT", help="the reason, for whoever wonders later (it is shown in news.forgotten)")
        add("--copies", action="store_true", help="also the known copies of it that are of the same source")
        add("--yes", action="store_true", help="do not ask")
        add("--dry-run", action="store_true", help="only show what there is of it")
        other = parser.add_mutually_exclusive_group()
        other.add_argument("--list", action="store_true", help="show what was forgotten")
        other.add_argument("--undo", action="store_true", help="let it come again; what was removed stays so")
        other.add_argument("--again", action="store_true", help="remove what has come back with an older backup")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if bool(args) == (opts.list or opts.again):
            raise UsageError("name addresses, ids of articles or sources; --list and --again take none")
        if opts.undo and opts.dry_run:
            raise UsageError("--undo takes no --dry-run")
        assert self.settings is not None
        self.opts, self.defaults = opts, defaults(self.settings)
        self.console = printer(stderr=True)
        with self.refusals(), self.database() as database:
            self.exitcode = self.act(database, list(dict.fromkeys(args)))

    def act(self, database: Database, names: Sequence[str]) -> int:
        if self.opts.list:
            end_with_the_reader()
            with database.engine.connect() as connection:
                for told in listed(connection):
                    print(told)
            return 0
        if self.opts.undo:
            return self.undo(database.engine, names)
        with database.engine.begin() as connection:
            seeds_dir = Path(self.settings["SEEDS_DIR"])  # type: ignore[index]
            asked = returned(connection) if self.opts.again else [named(connection, name, seeds_dir) for name in names]
            if self.opts.copies:
                asked += copies_of(connection, asked)
            for one in asked:
                print(*said(one, with_copies=self.opts.copies, everything=self.opts.dry_run), sep="\n")
        if not asked:
            print("nothing that was forgotten is stored")
        if self.opts.dry_run:
            return 0
        if asked and not self.confirmed():
            self.console.print("nothing was removed: --yes removes it; --dry-run only looks")
            return 1
        self.remove(database.engine, asked)
        return 0

    def confirmed(self) -> bool:
        if self.opts.yes:
            return True
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return False
        try:
            return input("remove this for good? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:  # Ctrl-D
            print()
            return False

    def remove(self, engine: Engine, asked: Sequence[Asked]) -> None:
        done: Counter[str] = Counter()
        shown = self.console.status("removing ...") if self.console.is_terminal else nullcontext()
        with shown as status:
            for one in asked:
                for some in removing_of(engine, one, self.opts.why):
                    done += some
                    if isinstance(status, Status):
                        status.update(f"{one.name}: {progress(one, done)}")
            for some in removing.settle(engine):
                done += some
                if isinstance(status, Status):
                    status.update(f"{done['repacked']:,} raw pages that were packed with a removed one are packed anew")
        if not asked:
            return
        if not any(done.values()):
            print("Nothing was removed, since nothing of it was stored; it will not be fetched or stored.")
            return
        print(
            f"Removed {done['articles']:,} articles with {done['revisions']:,} earlier versions, {done['pages']:,} raw "
            f"pages, {done['addresses']:,} addresses; {done['repacked']:,} raw pages packed anew. It will not be "
            "fetched or stored again."
        )
        print(ADVICE)

    def undo(self, engine: Engine, names: Sequence[str]) -> int:
        with engine.begin() as connection:
            for name in names:
                url = address(name)
                number = int(name) if url is None and name.isascii() and name.isdigit() else None
                source = name if url is None else None
                numbers = acts.acts_of(connection, url=url, article_id=number, source=source)
                if not numbers:
                    raise ConfigurationError(f"{name} was not forgotten; scrapy forget --list shows what was")
                acts.undo(connection, numbers)
            schedules.wake(connection, self.defaults)
        print("It may be fetched and stored again. What was removed is gone.")
        return 0


def progress(one: Asked, done: Counter[str]) -> str:
    if one.urls:
        return f"{done['returned']:,} of {len(one.urls):,} addresses looked at, {done['articles']:,} articles removed"
    return f"{done['articles']:,}" + (f" of {one.extent.articles:,}" if one.extent else "") + " articles removed"


def removing_of(engine: Engine, one: Asked, why: str | None) -> Iterator[Counter[str]]:
    """Batch by batch."""
    if one.extent:
        yield from sources.forget_source(engine, one.name, why, by_whom())
    elif one.found:
        yield removing.forget_page(engine, one.found, why, by_whom())
    else:
        yield from removing.forget_returned(engine, one.urls, why, by_whom())


def listed(connection: Connection) -> list[str]:
    """A line for each act, JSON lines where nobody looks."""
    rows = acts.everything(connection)
    if not sys.stdout.isatty():
        return [json.dumps(dict(row), default=datetime.isoformat, ensure_ascii=False) for row in rows]
    return [line(dict(row)) for row in rows] or ["nothing was forgotten"]


def line(row: dict[str, Any]) -> str:
    what = f"source {row['source']}, {row['articles']:,} articles"
    if not row["is_source"]:
        what = f"article {row['article_id']} of {row['source']}" if row["article_id"] else "an address"
    undone = f", allowed again {row['undone_at']:%Y-%m-%d}" if row["undone_at"] else ""
    why = f": {row['why']}" if row["why"] else ""
    return f"{row['forgotten_at']:%Y-%m-%d %H:%M}  {what}, by {row['by_whom']}{undone}{why}"


def by_whom() -> str:
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}"
