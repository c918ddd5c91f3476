"""`scrapy export-warc OUT.warc.gz`: what we hold, as WARC."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.status import Status
from scrapy.exceptions import UsageError
from sqlalchemy.exc import SQLAlchemyError

from crawler.commands.choosing import add_choice
from crawler.errors import ConfigurationError, StoreError
from crawler.extensions.answering import AnsweringCommand
from crawler.period import period
from crawler.printing import printer
from crawler.spiders.selection import named
from crawler.store.engine import Database
from crawler.store.reading import Wanted, pages_in
from crawler.store.taught import is_known
from crawler.warc_files import WarcFiles

# A command is called what its module is, and a module's file cannot have a hyphen.
__name__ = __name__.replace("_", "-")

SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?", re.IGNORECASE)
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
REFRESH = 0.5  # seconds


class Command(AnsweringCommand):
    """Streams the stored pages into files."""

    broken_off = "broken off; the file that was not complete is removed"

    def syntax(self) -> str:
        return "[options] <OUT.warc.gz>"

    def short_desc(self) -> str:
        return "Write the stored pages as WARC, every version of each"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add_choice(parser, "pages", "fetched")
        parser.add_argument("--articles-only", action="store_true", help="only pages that gave an article")
        parser.add_argument(
            "--max-size", metavar="1GB", help="begin a new file from this size on: OUT-00000.warc.gz, OUT-00001.warc.gz"
        )

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("name the file to write: scrapy export-warc OUT.warc.gz")
        with self.refusals():
            wanted, about = asked(opts)
            files = WarcFiles(Path(args[0]), about, size(opts.max_size))
            with self.database() as found:
                self.export(found, wanted, files)

    def export(self, database: Database, wanted: Wanted, files: WarcFiles) -> None:
        """Raises StoreError, ConfigurationError."""
        console, started = printer(stderr=True), time.monotonic()
        shown = console.status("reading ...") if console.is_terminal else nullcontext()
        try:
            with database.engine.connect() as connection, shown as status, files:
                for source in wanted.sources:
                    if not is_known(connection, source):
                        raise ConfigurationError(f"nothing of a source {source!r} is stored")
                shown_at = started
                for page in pages_in(connection, wanted):
                    files.write(page)
                    if isinstance(status, Status) and time.monotonic() - shown_at >= REFRESH:
                        shown_at = time.monotonic()
                        status.update(figures(files, shown_at - started))
        except SQLAlchemyError as error:
            raise StoreError(f"the pages could not be read: {str(error).splitlines()[0]}") from error
        except OSError as error:
            raise StoreError(f"the pages could not be written: {error}") from error
        if not files.pages:
            raise ConfigurationError("no stored page is asked for; nothing was written")
        names = ", ".join(str(path) for path in files.done[:3]) + (", ..." if len(files.done) > 3 else "")
        console.print(f"{figures(files, time.monotonic() - started)}: {names}", soft_wrap=True)


def figures(files: WarcFiles, seconds: float) -> str:
    """How much is written."""
    number = len(files.done) or 1
    place = "" if number == 1 else f" in {number} files"
    return f"{files.pages:,} pages{place}, {files.written / 1e6:,.1f} MB in {seconds:.1f} s"


def asked(opts: argparse.Namespace) -> tuple[Wanted, dict[str, str]]:
    """Which pages, and how the file says it of itself. Raises ConfigurationError."""
    sources = named(opts.source)
    wanted = Wanted(sources=sources, period=period(opts.since, opts.until), articles_only=opts.articles_only)
    given = {"source": opts.source, "since": opts.since, "until": opts.until}
    words = [f"--{name} {value}" for name, value in given.items() if value]
    words += ["--articles-only"] if opts.articles_only else []
    return wanted, {"description": " ".join(["stored pages: export-warc", *words])}


def size(raw: str | None) -> int | None:
    """Bytes. Raises ConfigurationError."""
    if raw is None:
        return None
    match = SIZE.fullmatch(raw.strip())
    if match is None or float(match[1]) == 0:
        raise ConfigurationError(f"--max-size {raw} is no size; write 1GB or 500MB")
    return int(float(match[1]) * UNITS[match[2].lower()])
