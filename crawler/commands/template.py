"""`scrapy template <source>`: what recurs over a source's articles and is dropped for it, and why."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text
from scrapy.exceptions import UsageError
from sqlalchemy import Engine

from crawler.errors import ConfigurationError, UnknownSource
from crawler.extensions.answering import AnsweringCommand
from crawler.printing import printer
from crawler.recurrence import WITNESSES, rule_of
from crawler.sources import find_source
from crawler.store import taught
from crawler.store.taught import Taught
from crawler.text import one_line

SHOWN_EXAMPLES = 3


class Command(AnsweringCommand):
    """Shows it; `--forgive` and `--learn` change it."""

    def syntax(self) -> str:
        return "[options] <source>"

    def short_desc(self) -> str:
        return "Show the blocks that a source's articles share, which are dropped; forgive one; learn anew"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        changes = parser.add_mutually_exclusive_group()
        changes.add_argument(
            "--forgive",
            metavar="HASH",
            help="never drop this block again and put it back into the stored articles; "
            "its hash or the beginning of it, or its rule in `blocks`",
        )
        changes.add_argument(
            "--learn", action="store_true", help="forget what is not forgiven, and learn it from all stored articles"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        if len(args) != 1:
            raise UsageError("name one source; `scrapy list` shows them")
        with self.refusals(), self.database() as found:
            self.check(found.engine, args[0])
            said = self.change(found.engine, args[0], opts)
            self.show(found.engine, args[0], said, opts.json)

    def check(self, engine: Engine, source: str) -> None:
        """Raises UnknownSource for what neither a seed nor an earlier crawl knows."""
        with engine.connect() as connection:
            if taught.is_known(connection, source):
                return
        assert self.settings is not None
        try:
            find_source(Path(self.settings["SEEDS_DIR"]), source)
        except UnknownSource:
            raise
        except ConfigurationError as error:  # no seeds here, or a broken one
            raise UnknownSource(f"no source {source!r} was ever crawled, and {error}") from None

    def change(self, engine: Engine, source: str, opts: argparse.Namespace) -> dict[str, Any]:
        """Do what is asked for; returns what there is to say of it."""
        if opts.forgive is not None:
            block, changed = taught.forgive(engine, source, opts.forgive)
            return {"forgiven": block.key, "changed": changed}
        if opts.learn:
            read, changed = taught.relearn(engine, source)
            return {"read": read, "changed": changed}
        return {}

    def show(self, engine: Engine, source: str, said: dict[str, Any], as_json: bool) -> None:
        with engine.connect() as connection:
            blocks, articles = taught.taught(connection, source), taught.stored(connection, source)
        if as_json:
            shown = {"source": source, "articles": articles, **said, "blocks": [plain(block) for block in blocks]}
            print(json.dumps(shown, ensure_ascii=False, indent=2))
            return
        console = printer()
        if said:
            console.print(sentence(said))
        if not blocks:
            console.print(
                f"{source} has taught nothing yet: no block was seen in {WITNESSES} of its {articles} stored articles."
            )
        for block in blocks if "forgiven" not in said else ():
            print_block(console, block)


def sentence(said: dict[str, Any]) -> str:
    """What was done."""
    if "forgiven" in said:
        return f"{said['forgiven']} is forgiven for good; it went back into {articles_of(said['changed'])}."
    return f"Learned from {articles_of(said['read'])}; {articles_of(said['changed'])} changed."


def articles_of(number: int) -> str:
    return f"{number} stored article{'' if number == 1 else 's'}"


def plain(block: Taught) -> dict[str, Any]:
    """JSON's types, and the rule as it stands in `blocks`."""
    values = {"rule": rule_of(block.key), **asdict(block)}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def print_block(console: Console, block: Taught) -> None:
    """Its hash, state and figures; its text; articles that had it."""
    since = f"since {block.first_seen_at:%Y-%m-%d}, last {block.last_seen_at:%Y-%m-%d}"
    figures = f"seen in {block.articles} articles, {since}; taken out of {articles_of(block.cleaned)}"
    style = "yellow" if block.state == "learned" else "green"
    console.print(Text.assemble((block.key, "bold"), "  ", (block.state, style), f"  {figures}"))
    console.print(
        Padding(Text(block.text if console.is_terminal else one_line(block.text) or ""), (0, 0, 0, 2), expand=False)
    )
    for example in block.evidence[:SHOWN_EXAMPLES]:
        words = Text(f"{example.id}  {example.headline or '–'}  {example.url}", style="dim")
        console.print(Padding(words, (0, 0, 0, 4), expand=False))
    console.print()
