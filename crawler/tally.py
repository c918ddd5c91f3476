"""The names under which a crawl counts, in one place.

The progress display, the closing table and `crawls.stats` read them.

news/<source>/<what>      what became of the source's URLs: one of WHAT
news/rejected/<reason>    pages that are no articles
news/failed/<reason>      URLs that could not be fetched
news/dropped/<kind>       blocks of stored articles that are not the article
news/outcome/<outcome>    how the fetches of pages ended, in the words of outcomes.py
news/listing/<outcome>    the same of feeds, sitemaps and sections

archive/<what>            of a crawl of WARC files: files, files_passed, files_known, files_taken, records, bytes
archive/skipped/<reason>  records that are no pages, or none that was asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

WHAT = ("lists", "found", "known", "fetched", "stored", "updated", "unchanged", "rejected", "failed", "feed_errors")

GROUPS = ("rejected", "failed", "dropped", "outcome", "listing")


class Stats(Protocol):
    """What is used of Scrapy's stats collector."""

    def inc_value(self, key: str, count: int = 1) -> None: ...


def count(stats: Stats | None, group: str, what: str, number: int = 1) -> None:
    """Add to `news/<group>/<what>`; group is a source or one of GROUPS."""
    if stats is not None and number:
        stats.inc_value(f"news/{group}/{what}", count=number)


def by_source(stats: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """source -> what -> number."""
    found: dict[str, dict[str, int]] = {}
    for key, value in stats.items():
        parts = key.split("/")
        if len(parts) == 3 and parts[0] == "news" and parts[1] not in GROUPS:
            found.setdefault(parts[1], {})[parts[2]] = value
    return found


def reasons(stats: Mapping[str, Any], group: str) -> dict[str, int]:
    """reason -> number for one of GROUPS, the most frequent first."""
    return _counted(stats, f"news/{group}/")


def skipped(stats: Mapping[str, Any]) -> dict[str, int]:
    """reason -> records of archives that are no pages, the most frequent first."""
    return _counted(stats, "archive/skipped/")


def _counted(stats: Mapping[str, Any], prefix: str) -> dict[str, int]:
    found = {key.removeprefix(prefix): value for key, value in stats.items() if key.startswith(prefix)}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
