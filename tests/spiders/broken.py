"""A pipeline and a middleware with a fault, for the crawl that has to survive it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from scrapy.http import Response

from crawler.items import Record


class BrokenPipeline:
    """Fails on the first page that it sees."""

    def __init__(self) -> None:
        self.has_failed = False

    def process_item(self, record: Record) -> Record:
        if not self.has_failed:
            self.has_failed = True
            raise KeyError("a fault of ours")
        return record


class BrokenAnswers:
    """Fails on the first page that a callback gives."""

    def __init__(self) -> None:
        self.has_failed = False

    async def process_spider_output(self, response: Response, result: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for one in result:
            if isinstance(one, Record) and not self.has_failed:
                self.has_failed = True
                raise KeyError("a fault of ours")
            yield one
