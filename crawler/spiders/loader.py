"""A spider per seed file: `scrapy crawl bbc` needs no Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrapy import Request, Spider
from scrapy.settings import BaseSettings
from scrapy.utils.misc import load_object

from crawler.errors import CrawlerError
from crawler.sources import Source, source_names

GENERAL = {  # imported when they are to run: Scrapy makes a loader for commands that crawl nothing, too
    "archive": "crawler.spiders.archive.ArchiveSpider",
    "news": "crawler.spiders.news.NewsSpider",
    "page": "crawler.spiders.page.PageSpider",
}


class SeedSpiderLoader:
    """Scrapy's SpiderLoaderProtocol: lists the sources; loads those, `archive`, `news` and `page`.

    A seed is read only when its spider runs.
    """

    def __init__(self, seeds_dir: Path) -> None:
        self.seeds_dir = seeds_dir

    @classmethod
    def from_settings(cls, settings: BaseSettings) -> SeedSpiderLoader:
        return cls(Path(settings["SEEDS_DIR"]))

    def list(self) -> list[str]:
        try:
            return source_names(self.seeds_dir)
        except CrawlerError as error:  # `scrapy list` has no place to catch it
            raise SystemExit(f"scrapy: {error}") from None

    def load(self, spider_name: str) -> type[Spider]:
        """Raises KeyError for an unknown name, as Scrapy expects."""
        if spider_name in GENERAL:
            return _general(spider_name)
        try:
            known = spider_name in source_names(self.seeds_dir)
        except CrawlerError:
            known = False
        if not known:
            raise KeyError(f"no source {spider_name!r}; `scrapy list` shows those of {self.seeds_dir}")
        return _spider(spider_name)

    def find_by_request(self, request: Request) -> Sequence[str]:
        return ["page"]


def _general(name: str) -> type[Spider]:
    spider: type[Spider] = load_object(GENERAL[name])
    return spider


def queued_spider(source: Source, job: Mapping[str, Any]) -> type[Spider]:
    """The spider of a queued crawl, whose source comes out of the database. `job` goes into its `crawls.arguments`."""
    return _spider(source.id, given=source, job=job)


def queued_archive(seeds: Mapping[str, Source], job: Mapping[str, Any]) -> type[Spider]:
    """The same for WARC files, whose pages belong to these sources."""
    return type("QueuedArchiveSpider", (_general("archive"),), {"given": seeds, "job": job})


def _spider(name: str, **attributes: Any) -> type[Spider]:
    return type(f"{name.title().replace('_', '')}Spider", (_general("news"),), {"name": name, **attributes})
