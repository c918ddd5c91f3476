"""One page fetched for a look: nothing is stored; robots.txt, politeness and the address guard hold all the same."""

from __future__ import annotations

from typing import Any

from scrapy import Request, Spider
from scrapy.http import Response
from twisted.python.failure import Failure

from crawler.spiders import fetches


class Look:
    """What the spider leaves for who asked: the bytes and their address, or what went wrong."""

    html: bytes | None = None
    url: str = ""
    error: str | None = None


class LookSpider(Spider):
    """Fetches one page."""

    name = "look"
    custom_settings = {  # noqa: RUF012 (Scrapy declares it so)
        "EXTENSIONS": {"scrapy.extensions.logstats.LogStats": None},
        "ITEM_PIPELINES": {},
    }

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
