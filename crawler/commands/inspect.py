"""`scrapy inspect FILE|URL|ARTICLE`: what extraction makes, or made, of one page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from scrapy.exceptions import UsageError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import ConfigurationError, CrawlerError, StoreError
from crawler.extensions.quiet import QuietCommand
from crawler.extraction import extract
from crawler.items import Article, Page
from crawler.pipelines.normalise import article_of
from crawler.pipelines.validate import NO_ARTICLE
from crawler.printing import printer
from crawler.recurrence import Template
from crawler.sources import Source, adhoc_source, find_source
from crawler.spiders.look import Look, LookSpider
from crawler.spiders.selection import source_of
from crawler.store import reading, templates
from crawler.store.engine import open_database
from crawler.web.inspection import Inspection
from crawler.web.page import html_page
from crawler.web.plain import plain
from crawler.web.terminal import show

WEB = ("http://", "https://")
EXIT_CODES = "Ends with 0 for an article, 2 for a page that holds none, 1 for an error."


class Command(QuietCommand):
    """Fields with their evidence, and the blocks with what dropped them."""

    requires_project = True

    def syntax(self) -> str:
        return "[options] <FILE | URL | ARTICLE ID | ->"

    def short_desc(self) -> str:
        return "Show what extraction makes of a page: fields with evidence, kept beside dropped"

    def long_desc(self) -> str:
        return f"{self.short_desc()}. A number is the id of a stored article (a file of that name: ./7). {EXIT_CODES}"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        add = parser.add_argument
        add("--url", metavar="URL", help="the page's address, when a FILE (or - for standard input) is given")
        add("--source", metavar="NAME", help="use the rules of this seed, whatever the address")
        add("--stored", action="store_true", help="the URL is a stored article's: show it, fetch nothing")
        add("--again", action="store_true", help="run today's extraction over the stored page, and mark differences")
        add("--json", action="store_true", help="print one JSON object instead")
        add("--html", metavar="FILE", help="write one self-contained page instead (- for standard output)")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("give one file, one http(s) URL or the id of one stored article")
        check(args[0], opts)
        assert self.settings is not None
        self.seeds_dir = Path(self.settings["SEEDS_DIR"])
        try:
            inspection = self.stored(args[0], opts) if is_stored(args[0], opts) else self.looked_at(args[0], opts)
            put_out(inspection, opts)
        except CrawlerError as error:
            print(f"scrapy inspect: {error}", file=sys.stderr)
            self.exitcode = 1
            return
        seen = inspection.seen
        self.exitcode = 2 if not seen.body or seen.page_type in NO_ARTICLE else 0

    def looked_at(self, target: str, opts: argparse.Namespace) -> Inspection:
        """A page that is not in the database. Raises CrawlerError."""
        if target.startswith(WEB):
            if opts.source:
                find_source(self.seeds_dir, opts.source)  # before anything is fetched
            html, url = self.fetched(target)
        else:
            html, url = read(target), opts.url
        source = self.source(opts.source, url)
        return Inspection(seen=extract(html, url, source=source), url=url, source=source)

    def source(self, name: str | None, url: str | None) -> Source | None:
        if name:
            return find_source(self.seeds_dir, name)
        return source_of(self.seeds_dir, url) if url else None

    def fetched(self, url: str) -> tuple[bytes, str]:
        assert self.crawler_process is not None
        look = Look()
        self.crawler_process.crawl(LookSpider, look=look, url=url)
        self.crawler_process.start()
        if look.error is not None or look.html is None:
            raise CrawlerError(f"{url} could not be fetched: {look.error}")
        return look.html, look.url

    def stored(self, target: str, opts: argparse.Namespace) -> Inspection:
        """An article of the database. Raises CrawlerError."""
        assert self.settings is not None
        with open_database(self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])) as database:
            try:
                with database.engine.connect() as connection:
                    return self.read_back(connection, target, opts)
            except SQLAlchemyError as error:
                raise StoreError(f"the article could not be read: {str(error).splitlines()[0]}") from None

    def read_back(self, connection: Connection, target: str, opts: argparse.Namespace) -> Inspection:
        found = reading.find(connection, target)
        raw = reading.raw_page(connection, found.id)
        source = self.source_of_article(found.article, opts.source)
        today = again(raw, source, templates.learned(connection, found.article.source)) if opts.again else None
        return Inspection(seen=found.article, url=found.article.url, source=source, stored=found, raw=raw, today=today)

    def source_of_article(self, article: Article, name: str | None) -> Source:
        """The seed of its name as it is today; one of its own when that is gone and nobody asked for it."""
        try:
            return find_source(self.seeds_dir, name or article.source)
        except ConfigurationError:
            if name:
                raise
            return adhoc_source(article.url)


def check(target: str, opts: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if opts.json and opts.html:
        raise UsageError("--json and --html: choose one")
    if opts.url and (target.startswith(WEB) or is_id(target)):
        raise UsageError("--url goes with a FILE or -")
    if opts.stored and not (target.startswith(WEB) or is_id(target)):
        raise UsageError("--stored goes with a URL")
    if opts.again and not is_stored(target, opts):
        raise UsageError("--again goes with a stored article: its id, or its URL and --stored")


def is_id(target: str) -> bool:
    return target.isascii() and target.isdigit()


def is_stored(target: str, opts: argparse.Namespace) -> bool:
    return bool(is_id(target) or opts.stored)


def again(raw: Page | None, source: Source, template: Template) -> Article:
    """What extraction and normalisation make of the stored page today. Raises CrawlerError when there is none."""
    if raw is None:
        raise CrawlerError("the page of this article is not stored, so it cannot be extracted again")
    return article_of(raw, extract(raw.html, raw.url, source=source, template=template))


def read(target: str) -> bytes:
    """A file, or standard input for `-`. Raises CrawlerError."""
    if target == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(target).read_bytes()
    except (OSError, ValueError) as error:
        raise CrawlerError(f"cannot read {target}: {getattr(error, 'strerror', None) or error}") from None


def put_out(inspection: Inspection, opts: argparse.Namespace) -> None:
    """Raises CrawlerError when the file cannot be written."""
    if opts.json:
        print(json.dumps(plain(inspection), ensure_ascii=False, indent=2))
    elif opts.html == "-":
        sys.stdout.buffer.write(html_page(inspection).encode("utf-8", "replace"))
    elif opts.html:
        try:
            Path(opts.html).write_text(html_page(inspection), encoding="utf-8", errors="replace")
        except OSError as error:
            raise CrawlerError(f"cannot write {opts.html}: {error.strerror}") from None
    else:
        show(inspection, printer())
