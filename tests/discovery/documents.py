"""What the tests of discovery share: a source, and where its documents are said to come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from crawler.sources import Source

FEED_URL = "https://herald.example/news/rss.xml"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True)
class _Source:
    id: str = "herald"
    max_age_days: int | None = None
    unwanted: str = "/video/"

    def wants(self, url: str) -> bool:
        return self.unwanted not in url


def source(max_age_days: int | None = None) -> Source:
    """The part of a source that discovery asks for."""
    return cast("Source", _Source(max_age_days=max_age_days))
