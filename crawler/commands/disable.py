"""`scrapy disable SOURCE`: no crawl and no worker on this database asks anything more of it, from now on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from scrapy.exceptions import UsageError
from sqlalchemy import Connection

from crawler.errors import CrawlerError, UnknownSource
from crawler.extensions.answering import AnsweringCommand
from crawler.sources import find_source
from crawler.store import crawls, disabling
from crawler.store.taught import is_known


class Command(AnsweringCommand):
    """Switches sources off; enable.py switches them on."""

    def syntax(self) -> str:
        return "[options] <source> ..."

    def short_desc(self) -> str:
        return "Stop crawling a source at once, on all machines; what is stored of it stays"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--why", metavar="TEXT", help="the reason, for whoever wonders later")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if not args:
            raise UsageError("name a source; `scrapy list` shows them")
        with self.refusals():
            with self.database() as database, database.engine.begin() as connection:
                said = [self.switch(connection, source, opts) for source in args]
            print(*said, sep="\n")

    def switch(self, connection: Connection, source: str, opts: argparse.Namespace) -> str:
        """Raises UnknownSource."""
        known_to(connection, source, Path(self.settings["SEEDS_DIR"]))  # type: ignore[index]
        disabling.disable(connection, source, opts.why)
        return f"{source} is disabled: crawls that run ask it nothing more after two seconds"


def known_to(connection: Connection, source: str, seeds_dir: Path) -> None:
    """Make sure that a source has its row: one that was never crawled gets it of its seed. Raises UnknownSource."""
    if not is_known(connection, source):
        try:
            crawls.save_sources(connection, [find_source(seeds_dir, source)])
        except CrawlerError as error:
            raise UnknownSource(str(error)) from None
