"""`scrapy diff ARTICLE`: what was changed in a stored article, edit by edit."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from scrapy.exceptions import UsageError

from crawler.errors import CrawlerError
from crawler.extensions.answering import AnsweringCommand
from crawler.extensions.quiet import end_with_the_reader
from crawler.printing import printer
from crawler.store import reading
from crawler.store.reading import StoredArticle, StoredEdit
from crawler.web.edits import plain, show


class Command(AnsweringCommand):
    """Reads, and changes nothing."""

    def syntax(self) -> str:
        return "[options] <ARTICLE ID | URL>"

    def short_desc(self) -> str:
        return "Show what was changed in a stored article since it was first seen: fields and paragraphs, word by word"

    def long_desc(self) -> str:
        return (
            f"{self.short_desc()}. Any address that leads to the article will do. Piped, a change is one line that "
            "begins with - (before), + (after) or > (moved). Ends with 0, also for an article that was never changed; "
            "with 1 if there is none."
        )

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        super().add_options(parser)
        parser.add_argument("--revision", metavar="N", type=int, help="only how version N became the next one")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead")

    def run(self, args: Sequence[str], opts: argparse.Namespace) -> None:
        end_with_the_reader()
        if len(args) != 1:
            raise UsageError("give the id of one stored article, or its URL")
        with self.refusals():
            stored, edits = self.read(args[0], opts.revision)
            if opts.json:
                print(json.dumps(plain(stored, edits), ensure_ascii=False, indent=2))
            else:
                show(stored, edits, printer())

    def read(self, target: str, revision: int | None) -> tuple[StoredArticle, list[StoredEdit]]:
        """Raises CrawlerError."""
        with self.database() as database, database.engine.connect() as connection:
            stored = reading.find(connection, target)
            return stored, chosen(stored, reading.edits(connection, stored), revision)


def chosen(stored: StoredArticle, edits: list[StoredEdit], revision: int | None) -> list[StoredEdit]:
    """Raises CrawlerError for a version that did not become another one."""
    if revision is None:
        return edits
    if found := [edit for edit in edits if edit.revision == revision]:
        return found
    versions = f"versions 1 to {stored.revision}" if edits else "one version only"
    raise CrawlerError(f"no version {revision} of article {stored.id} became another one: it has {versions}")
