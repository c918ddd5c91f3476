"""Commands that are done by us, without a crawl of Scrapy's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from scrapy.commands import ScrapyCommand
from sqlalchemy.exc import SQLAlchemyError

from crawler.errors import CrawlerError
from crawler.store.engine import Database, open_database


class AnsweringCommand(ScrapyCommand):
    """The answer is on standard output, without a log. What fails is one line on standard error, and the exit status.

    `broken_off`: what is said when Ctrl-C ends it.
    """

    requires_project = True
    requires_crawler_process = False
    default_settings: ClassVar[dict[str, Any]] = {"LOG_ENABLED": False}
    broken_off = ""

    @contextmanager
    def refusals(self, action: str = "") -> Iterator[None]:
        """What fails in here is told. `action`: which of several was asked for."""
        try:
            yield
        except CrawlerError as error:
            self.refuse(error, action)
        except SQLAlchemyError as error:
            self.refuse(f"the database failed: {(str(error) or type(error).__name__).splitlines()[0]}", action)
        except KeyboardInterrupt:
            if not self.broken_off:
                raise
            self.refuse(self.broken_off, action)

    def refuse(self, why: Exception | str, action: str = "") -> None:
        """End with it."""
        name = type(self).__module__.rpartition(".")[2]  # as Scrapy finds a command's name
        print(f"scrapy {f'{name} {action}'.strip()}: {why}", file=sys.stderr)
        self.exitcode = self.status_of(why)

    def status_of(self, why: Exception | str) -> int:
        """The exit status."""
        return 1

    def database(self) -> Database:
        """Raises CrawlerError."""
        assert self.settings is not None
        return open_database(self.settings["DATABASE_URL"] or None, Path(self.settings["CRAWLER_DATA_DIR"]))
