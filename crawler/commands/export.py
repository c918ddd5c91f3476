"""`scrapy export OUT`: the stored articles as Parquet, JSON lines or CSV; all of them, or what changed since."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from rich.status import Status
from scrapy.exceptions import UsageError
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from crawler.commands.choosing import add_choice
from crawler.errors import ConfigurationError, StoreError
from crawler.export_formats import FORMATS, Sink, writer_for
from crawler.extensions.answering import AnsweringCommand
from crawler.period import period
from crawler.printing import printer
from crawler.spiders.selection import named
from crawler.store import cursors
from crawler.store.engine import Database
from crawler.store.exporting import Selection, articles, columns_of
from crawler.store.taught import is_known

REFRESH = 0.5  # seconds
PIPE = "-"


class Command(AnsweringCommand):
    """Streams the rows of one snapshot of the database into one file."""

    broken_off = "broken off; nothing was written"

    def syntax(self) -> str:
        return "[options] <OUT | ->"

    def short_desc(self) -> str:
        return "Write the stored articles as Parquet, JSON lines or CSV; with --cursor what changed since the last time"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add("--format", choices=FORMATS, help="of the file (default: what its name ends in)")
        add_choice(parser)
        add("--columns", metavar="A,B,C", help="these columns, in this order (all: with `blocks` and `evidence`)")
        add(
            "--cursor",
            metavar="FILE",
            help="only what is new or changed since the last export with this FILE; "
            "ids of what was forgotten since go into OUT.forgotten",
        )

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("name the file to write, or - for standard output: scrapy export OUT.parquet")
        with self.refusals():
            export = Export(args[0], opts)
            with self.database() as found:
                export.run(found)


class Export:
    """What was asked for. Raises ConfigurationError for what cannot be done, before a database is opened."""

    def __init__(self, out: str, opts: argparse.Namespace) -> None:
        sources = named(opts.source)
        self.selection = Selection(
            sources=sources, period=period(opts.since, opts.until), columns=columns_of(opts.columns)
        )
        self.out = out
        self.writer = writer_for(opts.format or format_of(out))
        self.cursor = Path(opts.cursor) if opts.cursor else None
        if self.cursor is not None and not self.cursor.absolute().parent.is_dir():
            raise ConfigurationError(f"--cursor {self.cursor}: {self.cursor.parent} is no folder")
        self.console = printer(stderr=True)
        self.rows = 0

    def run(self, database: Database) -> None:
        """Raises StoreError, ConfigurationError."""
        started = time.monotonic()
        try:
            engine = database.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with engine.connect() as connection:
                now = cursors.current(connection, self.selection.asked) if self.cursor else None
                before = cursors.read(self.cursor, now) if self.cursor and now else None
                for source in self.selection.sources:
                    if not is_known(connection, source):
                        raise ConfigurationError(f"nothing of a source {source!r} is stored")
                with opened(self.out) as file:
                    sink = Sink(file)
                    try:
                        self.write(connection, before, sink, started)
                    finally:
                        sink.discard()
                self.tell_forgotten(cursors.forgotten(connection, before) if before else [])
            if self.cursor and now:  # only now: an export that fails is made again
                cursors.write(self.cursor, now)
        except SQLAlchemyError as error:
            raise StoreError(f"the articles could not be read: {str(error).splitlines()[0]}") from error
        except OSError as error:
            if self.out == PIPE:
                discard_output()
            raise StoreError(f"the articles could not be written: {error}") from error
        said = f"{self.figures(sink, started)}: {'standard output' if self.out == PIPE else self.out}"
        self.console.print(said, soft_wrap=True)

    def write(self, connection: Connection, before: cursors.Cursor | None, sink: Sink, started: float) -> None:
        """All rows, with how far it is on a terminal."""
        shown, shown_at = self.console.status("reading ...") if self.console.is_terminal else nullcontext(), started
        with shown as status:
            writer = self.writer(sink, self.selection.columns)
            for row in articles(connection, self.selection, before):
                writer.write(row)
                self.rows += 1
                if isinstance(status, Status) and time.monotonic() - shown_at >= REFRESH:
                    shown_at = time.monotonic()
                    status.update(self.figures(sink, started))
            writer.close()

    def tell_forgotten(self, gone: Sequence[RowMapping]) -> None:
        """What earlier exports hold and is to be removed: JSON lines in a file beside; no reader of OUT meets it."""
        path = forgotten_file(self.out if self.out != PIPE else str(self.cursor))
        if not gone:
            if self.cursor and self.out != PIPE:
                path.unlink(missing_ok=True)  # of an earlier export into the same file
            return
        lines = (json.dumps({**row, "forgotten_at": row["forgotten_at"].isoformat()}) + "\n" for row in gone)
        new = path.with_name(f"{path.name}.part")
        new.write_text("".join(lines), encoding="utf-8")
        new.replace(path)
        said = f"{len(gone):,} articles were forgotten since the last export, remove them: {path}"
        self.console.print(said, style="bold", soft_wrap=True)

    def figures(self, sink: Sink, started: float) -> str:
        seconds = time.monotonic() - started
        return f"{self.rows:,} articles, {sink.written:,} bytes in {seconds:.1f} s"


def forgotten_file(out: str) -> Path:
    return Path(f"{out}.forgotten")


def format_of(out: str) -> str:
    """By the name's end. Raises ConfigurationError."""
    ending = out.rpartition(".")[2].lower()
    if ending not in FORMATS:
        raise ConfigurationError(f"say --format {'|'.join(FORMATS)}: the name {out} does not tell")
    return ending


@contextmanager
def opened(out: str) -> Iterator[BinaryIO]:
    """A file that has its name only once it is whole; `-`: standard output. What is no file (a FIFO) is written to."""
    if out == PIPE:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(out).resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            yield file
        return
    new = target.with_name(f"{target.name}.part")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def discard_output() -> None:
    """A reader that went away must not cost a second message when Python flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
