"""`scrapy extract FILE|URL`: what extraction makes of one page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from scrapy import Request, Spider
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler.errors import CrawlerError
from crawler.extensions.log_format import leave_out_inventory
from crawler.extraction import extract
from crawler.items import Extraction
from crawler.spiders import fetches
from crawler.spiders.selection import source_of

# A look at one page needs no database and no workers; robots, politeness and the address guard hold all the same.
LOOK: dict[str, Any] = {"EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None}, "ITEM_PIPELINES": {}}
FIELDS = (
    "headline",
    "authors",
    "published_at",
    "modified_at",
    "language",
    "section",
    "tags",
    "description",
    "canonical_url",
    "site_name",
    "is_accessible_for_free",
    "page_type",
)


class Command(ScrapyCommand):
    """Prints fields with their evidence, and the blocks with what dropped them."""

    requires_project = True

    def syntax(self) -> str:
        return "[options] <FILE | URL | ->"

    def short_desc(self) -> str:
        return "Show what extraction makes of a page: fields, kept and dropped blocks with reasons"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument(
            "--url", metavar="URL", help="the page's address, when a FILE (or - for standard input) is given"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        leave_out_inventory()
        assert self.settings is not None
        if not opts.loglevel:
            self.settings.set("LOG_LEVEL", "ERROR", priority="cmdline")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("give one file or one http(s) URL")
        try:
            html, url = self.page(args[0], opts.url)
        except CrawlerError as error:
            print(f"scrapy extract: {error}", file=sys.stderr)
            self.exitcode = 1
            return
        assert self.settings is not None
        found = extract(html, url, source=source_of(Path(self.settings["SEEDS_DIR"]), url) if url else None)
        if opts.json:
            print(json.dumps(plain(found), ensure_ascii=False, indent=2))
        else:
            show(found, Console())
        self.exitcode = 0 if found.body else 2

    def page(self, target: str, url: str | None) -> tuple[bytes, str | None]:
        """The page's bytes and address. Raises CrawlerError."""
        if target == "-":
            return sys.stdin.buffer.read(), url
        if target.startswith(("http://", "https://")):
            return self.fetched(target)
        try:
            return Path(target).read_bytes(), url
        except OSError as error:
            raise CrawlerError(f"cannot read {target}: {error.strerror}") from None

    def fetched(self, url: str) -> tuple[bytes, str]:
        assert self.crawler_process is not None
        look = Look()
        self.crawler_process.crawl(LookSpider, look=look, url=url)
        self.crawler_process.start()
        if look.error is not None or look.html is None:
            raise CrawlerError(f"{url} could not be fetched: {look.error}")
        return look.html, look.url


class Look:
    """What the spider leaves for the command."""

    html: bytes | None = None
    url: str = ""
    error: str | None = None


class LookSpider(Spider):
    """Fetches one page and stores nothing."""

    name = "look"
    custom_settings = LOOK

    def __init__(self, *, look: Look, url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.look, self.address = look, url

    async def start(self) -> Any:
        yield Request(
            self.address,
            callback=self.parse,
            errback=self.lost,
            meta={"handle_httpstatus_list": fetches.HANDLED_STATUSES},
        )

    def parse(self, response: Response) -> None:
        lost = fetches.judged(response)
        self.look.error = lost.detail if lost else None
        self.look.html, self.look.url = response.body, response.url

    def lost(self, failure: Failure) -> None:
        self.look.error = fetches.lost(failure).detail


def plain(found: Extraction) -> dict[str, Any]:
    """JSON's types; `body` first, as it is what people look for."""
    values = {"body": found.body, **asdict(found)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def show(found: Extraction, console: Console) -> None:
    """Fields, pictures, blocks: kept ones plain, dropped ones with a mark, a colour and a reason."""
    fields = Table(box=None, pad_edge=False, show_header=False)
    for name in FIELDS:
        value = getattr(found, name)
        shown = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        fields.add_row(Text(name, style="bold"), Text(shown or "–"), Text(found.evidence.get(name, ""), style="dim"))
    for image in found.images:
        words = " · ".join(filter(None, (image.url, image.caption, image.credit and f"credit: {image.credit}")))
        fields.add_row(Text("image", style="bold"), Text(words), "")
    console.print(fields)
    blocks = Table("", "kind", "text", "why", box=None, pad_edge=False, header_style="dim", title_justify="left")
    for block in found.blocks:
        why = "" if block.kept else f"{block.reason} ({block.rule})"
        style = "" if block.kept else "yellow"
        blocks.add_row("✓" if block.kept else "✗", block.kind, Text(block.text), Text(why), style=style)
    console.print(blocks)
    kept = sum(block.kept for block in found.blocks)
    console.print(
        f"{kept} blocks kept ({len(found.body)} characters), {len(found.blocks) - kept} dropped", style="bold"
    )
