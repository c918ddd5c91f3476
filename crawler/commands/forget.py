"""`scrapy forget URL | ID | SOURCE`: what a publisher wants removed is removed, everywhere, and does not come back."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.status import Status
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from crawler.commands.disable import known_to
from crawler.errors import ConfigurationError, CrawlerError
from crawler.jobs.duties import defaults
from crawler.store import reading, schedules
from crawler.store.engine import Database, open_database
from crawler.store.forgetting import acts, finding, removing, sources
from crawler.store.forgetting.finding import Found
from crawler.store.forgetting.sources import Extent
from crawler.store.taught import is_known
from crawler.urls import canonical_url

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One argument, and what there is of it."""

    name: str
    url: str | None = None
    article_id: int | None = None
    source: str | None = None
    found: Found | None = None
    extent: Extent | None = None


class Command(ScrapyCommand):
    """Shows what there is, asks, removes."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, Any]] = {"LOG_ENABLED": False}

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
        assert self.settings is not None
        self.opts, self.defaults = opts, defaults(self.settings)
        self.seeds_dir = Path(self.settings["SEEDS_DIR"])
        self.console = Console(stderr=True)
        url, data_dir = self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])
        try:
            with open_database(url, data_dir) as database:
                self.exitcode = self.act(database, list(dict.fromkeys(args)))
        except CrawlerError as error:
            print(f"scrapy forget: {error}", file=sys.stderr)
            self.exitcode = 1
        except SQLAlchemyError as error:
            print(f"scrapy forget: {str(error).splitlines()[0]}", file=sys.stderr)
            self.exitcode = 1
        except KeyboardInterrupt:
            print("scrapy forget: broken off; the same command goes on from here", file=sys.stderr)
            self.exitcode = 1

    def act(self, database: Database, names: Sequence[str]) -> int:
        if self.opts.list:
            with database.engine.connect() as connection:
                for told in listed(connection):
                    print(told)
            return 0
        if self.opts.undo:
            return self.undo(database.engine, names)
        with database.engine.begin() as connection:
            asked = returned(connection) if self.opts.again else [self.asked(connection, name) for name in names]
            if self.opts.copies:
                asked += copies_of(connection, asked)
            for one in asked:
                print(*said(one, self.opts.copies), sep="\n")
        if self.opts.dry_run:
            return 0
        if self.opts.again and not asked:
            print("nothing that was forgotten is stored")
        elif not self.confirmed():
            self.console.print("nothing was removed: --yes removes it; --dry-run only looks", highlight=False)
            return 1
        self.remove(database.engine, asked)
        return 0

    def asked(self, connection: Connection, name: str) -> Asked:
        """Raises ConfigurationError for what is neither."""
        if url := address(name):
            return Asked(name=name, url=url, found=finding.find(connection, url=url))
        if name.isascii() and name.isdigit() and not is_known(connection, name):
            if reading.article(connection, int(name)) is None:
                raise ConfigurationError(f"there is no stored article with the id {name}")
            return Asked(name=name, article_id=int(name), found=finding.find(connection, article_id=int(name)))
        known_to(connection, name, self.seeds_dir)
        return Asked(name=name, source=name, extent=sources.extent(connection, name))

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

            def tell(words: str) -> None:
                if isinstance(status, Status):
                    status.update(words)

            for one in asked:
                if one.source is not None and one.extent:
                    for some in sources.forget_source(engine, one.source, self.opts.why, by_whom()):
                        done += some
                        tell(f"{one.source}: {done['articles']:,} of {one.extent.articles:,} articles removed")
                elif found := one.found or self.found_again(engine, one):
                    done += removing.forget_page(engine, found, self.opts.why, by_whom())
                    tell(f"{done['articles']:,} articles removed")
            for some in removing.settle(engine):
                done += some
                tell(f"{done['repacked']:,} raw pages that were packed with a removed one are packed anew")
        print(
            f"Removed {done['articles']:,} articles with {done['revisions']:,} earlier versions, {done['pages']:,} raw "
            f"pages, {done['addresses']:,} addresses; {done['repacked']:,} raw pages packed anew. It will not be "
            "fetched or stored again."
        )
        print(ADVICE)

    def found_again(self, engine: Engine, one: Asked) -> Found | None:
        """What has come back, looked at when its turn comes. None: it went with another of its addresses."""
        with engine.connect() as connection:
            found = finding.find(connection, url=one.url)
        return found if found.articles or found.urls else None

    def undo(self, engine: Engine, names: Sequence[str]) -> int:
        with engine.begin() as connection:
            for name in names:
                url = (
                    canonical_url(name if "://" in name else f"https://{name}") if "/" in name or "." in name else None
                )
                number = int(name) if url is None and name.isascii() and name.isdigit() else None
                source = name if url is None else None
                numbers = acts.acts_of(connection, url=url, article_id=number, source=source)
                if not numbers:
                    raise ConfigurationError(f"{name} was not forgotten; scrapy forget --list shows what was")
                acts.undo(connection, numbers)
            schedules.wake(connection, self.defaults)
        print("It may be fetched and stored again. What was removed is gone.")
        return 0


def address(name: str) -> str | None:
    """An argument that is one; neither ids nor names of sources have a dot. Raises ConfigurationError."""
    if "/" not in name and "." not in name:
        return None
    if (url := canonical_url(name if "://" in name else f"https://{name}")) is None:
        raise ConfigurationError(f"{name} is no http(s) address")
    return url


def said(one: Asked, with_copies: bool) -> list[str]:
    """What there is of it."""
    if one.extent:
        return said_of_source(one.name, one.extent)
    found = one.found
    if found is None:
        return [f"{one.name}: it has come back"]
    if not (found.articles or found.urls):
        return [f"{one.name}: nothing is stored of it; it will not be"]
    ids = ", ".join(map(str, sorted(found.articles))) or "none"
    lines = [
        f"{one.name} ({found.source}): article {ids}, {found.revisions:,} earlier versions, {found.pages:,} raw pages, "
        f"{len(found.keys):,} addresses",
        *(f"  {url}" for url in sorted(found.addresses)),
    ]
    own = [copy for copy in found.copies if copy["source"] == found.source]
    lines += [f"  copy ({copy['kind']}) {copy['id']} of {copy['source']}: {copy['url']}" for copy in found.copies]
    if own and not with_copies:
        lines.append(f"  --copies takes the {len(own):,} of the same source as well")
    if len(own) < len(found.copies):
        lines.append("  other sources' copies stay, unless they are named")
    return lines


def returned(connection: Connection) -> list[Asked]:
    """What has come back: sources as a whole, then single pages."""
    names = acts.returned_sources(connection)
    asked = [Asked(name=name, source=name, extent=sources.extent(connection, name)) for name in names]
    return asked + [Asked(name=url, url=url) for url in acts.returned(connection, names)]


def said_of_source(name: str, extent: Extent) -> list[str]:
    lines = [f"{name}: the source with its {extent.articles:,} articles, and all that was ever fetched of it"]
    if extent.site is None:
        return [*lines, "  its site is another source's as well: what is found there by others is let in"]
    lines.append(f"  {extent.site}: nothing below it is let in again, whoever finds it (subdomains are other sites)")
    if extent.strays:
        lines.append(f"  {extent.strays:,} articles there that other sources have stored go with it")
    return lines


def copies_of(connection: Connection, asked: Sequence[Asked]) -> list[Asked]:
    """Those of the same source, as if they had been named."""
    named = {number for one in asked if one.found for number in one.found.articles}
    ids = {
        copy["id"]: None
        for one in asked
        if one.found
        for copy in one.found.copies
        if copy["source"] == one.found.source and copy["id"] not in named
    }
    return [
        Asked(name=str(number), article_id=number, found=finding.find(connection, article_id=number)) for number in ids
    ]


def listed(connection: Connection) -> list[str]:
    """A line for each act, JSON lines where nobody looks."""
    rows = acts.everything(connection)
    if not sys.stdout.isatty():
        return [json.dumps(dict(row), default=str, ensure_ascii=False) for row in rows]
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
