"""The options by which several commands choose stored articles or pages: their sources, and a stretch of time."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from scrapy.settings import BaseSettings

from crawler.spiders.selection import named

if TYPE_CHECKING:
    from crawler.reextraction.question import Question


def add_choice(parser: argparse.ArgumentParser, what: str = "articles", happened: str = "published") -> None:
    """`--source` (read by `named`), `--since` and `--until` (by `period`)."""
    add = parser.add_argument
    add("--source", metavar="A,B", help=f"only {what} of these sources")
    add("--since", metavar="DATE", help=f"only {what} that were {happened} on this day or later")
    add("--until", metavar="DATE", help=f"only {what} that were {happened} on this day or before")


def add_question(parser: argparse.ArgumentParser) -> None:
    """Which pages: of `scrapy reextract` and of `scrapy enqueue reextract`."""
    add_choice(parser)
    add = parser.add_argument
    add("--article", metavar="ID|URL", action="append", help="only this article; may be given more than once")
    add("--articles-only", action="store_true", help="leave out the pages that had given no article")
    add("--anew", action="store_true", help="look at all pages again, whatever an earlier run has found")


def is_question(opts: argparse.Namespace) -> bool:
    return bool(opts.source or opts.since or opts.until or opts.article or opts.articles_only or opts.anew)


def asked_by(opts: argparse.Namespace, settings: BaseSettings) -> Question:
    """Raises ConfigurationError."""
    from crawler.reextraction.question import question  # it imports extraction, which no export needs

    return question(
        Path(settings["SEEDS_DIR"]),
        sources=named(opts.source),
        since=opts.since,
        until=opts.until,
        articles=opts.article or (),
        articles_only=opts.articles_only,
        anew=opts.anew,
        slice_size=max(1, settings.getint("REEXTRACTION_SLICE")),
    )
