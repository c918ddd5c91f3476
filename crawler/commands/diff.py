"""`scrapy diff ARTICLE`: what was changed in a stored article, edit by edit."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from scrapy.commands import ScrapyCommand
from scrapy.exceptions import UsageError
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import CrawlerError, StoreError
from crawler.extensions.quiet import end_with_the_reader
from crawler.store import reading
from crawler.store.engine import open_database
from crawler.store.reading import StoredArticle, StoredEdit
from crawler.web.edits import plain, show


class Command(ScrapyCommand):
    """Reads, and changes nothing."""

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, Any]] = {"LOG_ENABLED": False}

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
        try:
            stored, edits = self.read(args[0], opts.revision)
        except CrawlerError as error:
            print(f"scrapy diff: {error}", file=sys.stderr)
            self.exitcode = 1
            return
        if opts.json:
            print(json.dumps(plain(stored, edits), ensure_ascii=False, indent=2))
        else:
            show(stored, edits, Console(highlight=False))

    def read(self, target: str, revision: int | None) -> tuple[StoredArticle, list[StoredEdit]]:
        """Raises CrawlerError."""
        assert self.settings is not None
        with open_database(self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"])) as database:
            try:
                with database.engine.connect() as connection:
                    stored = reading.find(connection, target)
                    return stored, chosen(stored, reading.edits(connection, stored), revision)
            except SQLAlchemyError as error:
                raise StoreError(f"the article could not be read: {str(error).splitlines()[0]}") from None


def chosen(stored: StoredArticle, edits: list[StoredEdit], revision: int | None) -> list[StoredEdit]:
    """Raises CrawlerError for a version that did not become another one."""
    if revision is None:
        return edits
    if found := [edit for edit in edits if edit.revision == revision]:
        return found
    versions = f"versions 1 to {stored.revision}" if edits else "one version only"
    raise CrawlerError(f"no version {revision} of article {stored.id} became another one: it has {versions}")
