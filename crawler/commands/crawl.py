"""`scrapy crawl`, checked before it starts: a wrong name or a database that is away gives one line, not a traceback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scrapy.commands import crawl
from scrapy.exceptions import UsageError

from crawler.errors import ConfigurationError, CrawlerError
from crawler.extensions.log_format import leave_out_inventory
from crawler.spiders import arguments
from crawler.spiders.page import address
from crawler.spiders.selection import chosen_sources, source_of
from crawler.store import disabling
from crawler.store.engine import Database, open_database

FORGOTTEN = (
    "this page was forgotten, and is not fetched: its publisher does not want it here; "
    "if that has changed: scrapy forget --undo {}"
)
FATAL = ("database", "no_warc", "unreadable_archive")  # why a run has failed that has come to its end
NUMBERS = (  # settings of ours that are read while a crawl starts or ends: a word in them would be a traceback there
    "DATABASE_PATIENCE",
    "EXTRACTION_MEMORY_MB",
    "EXTRACTION_TIMEOUT",
    "EXTRACTION_WORKERS",
    "PAGES_KEEP_MONTHS",
)


class Command(crawl.Command):
    """Scrapy's command with our checks around it."""

    def syntax(self) -> str:
        return "[options] <source | news | page | archive>"

    def short_desc(self) -> str:
        return (
            "Crawl a source, all sources (news), some (news -a sources=a,b), one page (page -a url=...), "
            "or WARC files (archive -a warc=...)"
        )

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        assert self.settings is not None
        if self.settings["LOG_LEVEL"] != "DEBUG":
            leave_out_inventory()

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError(
                "name one source, or `news` for all, `page -a url=...`, or `archive -a warc=...`; "
                "`scrapy list` shows the sources"
            )
        try:
            self.check(args[0], opts.spargs)
            assert self.settings is not None
            url, data_dir = self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])
            with open_database(url, data_dir) as database:
                self.refuse(database, args[0], opts.spargs)
                self.crawl(args[0], opts.spargs)
        except CrawlerError as error:
            print(f"scrapy crawl: {error}", file=sys.stderr)
            self.exitcode = 1

    def check(self, name: str, given: dict[str, str]) -> None:
        """Raises ConfigurationError for what cannot be crawled."""
        assert self.settings is not None
        for setting in NUMBERS:
            try:
                wrong = self.settings.getfloat(setting) < 0
            except ValueError:
                wrong = True
            if wrong:
                raise ConfigurationError(f"{setting}={self.settings[setting]}: it has to be a number, and not below 0")
        arguments.check(name, given, Path(self.settings["SEEDS_DIR"]))

    def refuse(self, database: Database, name: str, given: dict[str, str]) -> None:
        """Raises ConfigurationError when all that is asked for is disabled. Of several, a crawl leaves those out."""
        assert self.settings is not None
        if name == "archive":
            return
        seeds_dir = Path(self.settings["SEEDS_DIR"])
        if name == "page":
            asked = [source_of(seeds_dir, address(given.get("url")))]
        else:
            asked, _ = chosen_sources(seeds_dir, name, given.get("sources"))
        with database.engine.connect() as connection:
            found = disabling.barred(connection, asked)
            url = address(given.get("url")) if name == "page" and not found else None
            for under in disabling.forgotten(connection, {url: url} if url else {}).values():
                raise ConfigurationError(FORGOTTEN.format(under))
        if len(found) == len(asked):
            raise ConfigurationError("; ".join(found.values()))

    def crawl(self, name: str, given: dict[str, str]) -> None:
        assert self.crawler_process is not None
        crawler = self.crawler_process.create_crawler(name)
        self.crawler_process.crawl(crawler, **given)
        self.crawler_process.start()
        finished = crawler.stats is not None and crawler.stats.get_value("finish_reason") == "finished"
        if (
            not finished
            or crawler.stats is None
            or any(crawler.stats.get_value(f"news/failed/{name}") for name in FATAL)
        ):
            self.exitcode = 1
