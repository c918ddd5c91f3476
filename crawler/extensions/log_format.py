"""One line per event: Scrapy's own formatter prints whole items, and ours hold a page's bytes.

Versions, settings and lists of middlewares are for who debugs (`-L DEBUG`): 80 lines at the start of every log.
"""

from __future__ import annotations

import logging
from typing import Any, Self

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy.http import Response
from scrapy.logformatter import LogFormatter, LogFormatterResult
from scrapy.settings import BaseSettings
from twisted.python.failure import Failure

from crawler import json_log
from crawler.errors import DatabaseUnreachable
from crawler.items import Record

# What starts a run says at INFO.
INVENTORY = ("alembic.runtime.migration", "scrapy.addons", "scrapy.crawler", "scrapy.middleware", "scrapy.utils.log")


def leave_out_inventory() -> None:
    """Filters, since Scrapy's configure_logging() resets the levels of its loggers."""
    for name in INVENTORY:
        logging.getLogger(name).addFilter(_tells_of_trouble)


def _tells_of_trouble(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def set_up_json(settings: BaseSettings) -> None:
    """Log in JSON where LOG_JSON asks for it. What starts crawls does it by itself; other commands call this."""
    if not settings.getbool("LOG_JSON") or not settings.getbool("LOG_ENABLED"):
        return
    settings.set("LOG_INSTALL_ROOT_HANDLER", False, priority="cmdline")  # ours is there
    json_log.install(settings["LOG_LEVEL"], settings["LOG_FILE"], append=settings.getbool("LOG_FILE_APPEND"))


class JsonLog:
    """An add-on, for these are asked before Scrapy sets up its log."""

    def __init__(self, spider: str) -> None:
        self.spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(crawler.spidercls.name)

    @classmethod
    def update_pre_crawler_settings(cls, settings: BaseSettings) -> None:
        set_up_json(settings)

    def update_settings(self, settings: BaseSettings) -> None:
        """In the task of a crawl that begins: all that it starts inherits the context, and other crawls do not."""
        json_log.about.set({**json_log.about.get(), "spider": self.spider})


class ShortLogFormatter(LogFormatter):
    """Names an item by its address."""

    def scraped(
        self, item: Any, response: Response | Failure | None, spider: Spider | None = None
    ) -> LogFormatterResult:
        return _line(logging.DEBUG, "stored: %(url)s", item, "")

    def dropped(
        self, item: Any, exception: BaseException, response: Response | Failure | None, spider: Spider | None = None
    ) -> LogFormatterResult:
        return _line(logging.INFO, "no article (%(detail)s): %(url)s", item, str(exception))

    def item_error(
        self, item: Any, exception: BaseException, response: Response | Failure | None, spider: Spider | None = None
    ) -> LogFormatterResult:
        level = _level(exception)
        return _line(level, "%(url)s: %(detail)s", item, f"{type(exception).__name__}: {exception}")

    def spider_error(
        self, failure: Failure, request: Request, response: Response | Failure, spider: Spider
    ) -> LogFormatterResult:
        return {**super().spider_error(failure, request, response, spider), "level": _level(failure.value)}

    def download_error(
        self, failure: Failure, request: Request, spider: Spider, errmsg: str | None = None
    ) -> LogFormatterResult:
        return {**super().download_error(failure, request, spider, errmsg), "level": _level(failure.value)}


def _level(error: BaseException | None) -> int:
    """A database that is given up ends the crawl with one line; every page on its way would say it again."""
    return logging.DEBUG if isinstance(error, DatabaseUnreachable) else logging.ERROR


def _line(level: int, message: str, item: Any, detail: str) -> LogFormatterResult:
    url = item.page.url if isinstance(item, Record) else getattr(item, "url", type(item).__name__)
    return {"level": level, "msg": message, "args": {"url": url, "detail": detail}}
