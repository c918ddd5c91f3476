"""A spider per seed file: `scrapy crawl bbc` needs no Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scrapy import Request, Spider
from scrapy.settings import BaseSettings
from scrapy.utils.misc import load_object

from crawler.errors import CrawlerError
from crawler.sources import source_names

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
        return type(f"{spider_name.title().replace('_', '')}Spider", (_general("news"),), {"name": spider_name})

    def find_by_request(self, request: Request) -> Sequence[str]:
        return ["page"]


def _general(name: str) -> type[Spider]:
    spider: type[Spider] = load_object(GENERAL[name])
    return spider
