"""The names under which a crawl counts, in one place.

The progress display, the closing table and `crawls.stats` read them.

news/<source>/<what>      what became of the source's URLs: one of WHAT
news/<source>/<group>/<word>   one of OWN by source: what its health is judged by
news/rejected/<reason>    pages that are no articles
news/failed/<reason>      URLs that could not be fetched
news/dropped/<kind>       blocks of stored articles that are not the article
news/outcome/<outcome>    how the fetches of pages ended, in the words of outcomes.py
news/listing/<outcome>    the same of feeds, sitemaps and sections

time/<what>/ms            what all took: `extraction` of pages, their wait included; `download`, to the first byte
time/<what>/le/<bound>    how many took at most so many seconds and more than the bound before: one of BOUNDS, or +Inf

archive/<what>            of a crawl of WARC files: files, files_passed, files_known, files_taken, records, bytes
archive/skipped/<reason>  records that are no pages, or none that was asked for
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

WHAT = ("lists", "found", "known", "fetched", "stored", "updated", "unchanged", "rejected", "failed", "feed_errors")
GROUPS = ("rejected", "failed", "dropped", "outcome", "listing")
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds

# outcome, listing: as in GROUPS; dropped: blocks, words; answers: number, seconds, longest (of those whose latency is
# known)
OWN = ("outcome", "listing", "dropped", "answers")


class Stats(Protocol):
    """What is used of Scrapy's stats collector."""

    def inc_value(self, key: str, count: int = 1) -> None: ...
    def max_value(self, key: str, value: float) -> None: ...


def count(stats: Stats | None, group: str, what: str, number: int = 1) -> None:
    """Add to `news/<group>/<what>`; group is a source or one of GROUPS."""
    if stats is not None and number:
        stats.inc_value(f"news/{group}/{what}", count=number)


def count_time(stats: Stats | None, what: str, seconds: float) -> None:
    """Add to the histogram of `time/<what>`."""
    if stats is not None:
        bound = next((f"{bound:g}" for bound in BOUNDS if seconds <= bound), "+Inf")
        stats.inc_value(f"time/{what}/le/{bound}")
        stats.inc_value(f"time/{what}/ms", count=round(seconds * 1000))


def times(stats: Mapping[str, Any], what: str) -> tuple[list[tuple[str, int]], float]:
    """`time/<what>` as Prometheus has it: (bound, how many took at most that), and the sum in seconds."""
    found, so_far = [], 0
    for bound in (*(f"{bound:g}" for bound in BOUNDS), "+Inf"):
        so_far += stats.get(f"time/{what}/le/{bound}", 0)
        found.append((bound, so_far))
    return found, stats.get(f"time/{what}/ms", 0) / 1000


def ended(stats: Stats | None, source: str, group: str, outcome: str, number: int = 1) -> None:
    """How requests of a source ended: in all, and by source. `group`: outcome (of pages) or listing."""
    count(stats, group, outcome, number)
    count(stats, source, f"{group}/{outcome}", number)


def answered(stats: Stats | None, source: str, seconds: float | None) -> None:
    """How long an answer took, as Scrapy measures it; None: what came from no host.

    Beside the histogram of `time/download`, which has every request of all sources (robots.txt, redirects, retries): a
    mean by source cannot be had from that one, nor a quantile from means. Buckets by source would serve both, at ten
    numbers a source in the stats of every crawl instead of three, and without the longest.
    """
    if stats is not None and seconds is not None:
        stats.inc_value(f"news/{source}/answers/number")
        stats.inc_value(f"news/{source}/answers/seconds", count=seconds)  # type: ignore[arg-type]
        stats.max_value(f"news/{source}/answers/longest", seconds)


def own(stats: Mapping[str, Any]) -> dict[str, dict[tuple[str, str], Any]]:
    """source -> (group, word) -> number: what is counted by source; ("", what) for WHAT."""
    found: dict[str, dict[tuple[str, str], Any]] = {}
    for key, value in stats.items():
        parts = key.split("/")
        if parts[0] != "news" or len(parts) not in (3, 4):
            continue
        if len(parts) == 4 and parts[2] in OWN:
            found.setdefault(parts[1], {})[parts[2], parts[3]] = value
        elif len(parts) == 3 and parts[1] not in GROUPS:
            found.setdefault(parts[1], {})["", parts[2]] = value
    return found


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
