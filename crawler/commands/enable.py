"""`scrapy enable SOURCE`: what `scrapy disable` stopped may be crawled again."""

from __future__ import annotations

import argparse
from pathlib import Path

from scrapy.commands import ScrapyCommand
from sqlalchemy import Connection

from crawler.commands import disable
from crawler.commands.disable import known_to
from crawler.store import disabling


class Command(disable.Command):
    """Switches sources on."""

    def short_desc(self) -> str:
        return "Let a source be crawled again that was disabled"

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        ScrapyCommand.add_options(self, parser)

    def switch(self, connection: Connection, source: str, opts: argparse.Namespace) -> str:
        """Raises UnknownSource, ConfigurationError."""
        known_to(connection, source, Path(self.settings["SEEDS_DIR"]))  # type: ignore[index]
        disabling.refuse_forgotten(connection, source)
        return f"{source} is enabled" + ("" if disabling.enable(connection, source) else ", and was before")
