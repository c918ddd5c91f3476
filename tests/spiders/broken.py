"""A pipeline with a fault, for the crawl that has to survive it."""

from __future__ import annotations

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
