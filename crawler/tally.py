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

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

WHAT = ("lists", "found", "known", "fetched", "stored", "updated", "unchanged", "rejected", "failed", "feed_errors")
GROUPS = ("rejected", "failed", "dropped", "outcome", "listing")
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds

# outcome, listing: as in GROUPS; dropped: blocks, words; answers: number, seconds, longest (of those whose latency is
# known); resting: how lists had ended where all rest for that, and none was asked for
OWN = ("outcome", "listing", "dropped", "answers", "resting")
PROGRESS = ("found", "fetched", "stored", "updated", "unchanged", "rejected")  # of WHAT
GOOD_LISTS = frozenset(("read", "not_modified"))
NOT_ASKED = frozenset(("crawl_closing", "source_disabled"))  # of a list: it was left to a later crawl


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


def unread(stats: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Sources of which lists were asked for and not one could be read: how these ended, the most frequent first."""
    return {source: ends for source, ends in _lists(stats, "listing").items() if not ends.keys() & GOOD_LISTS}


def resting(stats: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Sources of which no list was asked for, since all rest: how these had ended."""
    asked = _lists(stats, "listing")
    found = {source: ends for source, ends in _lists(stats, "resting").items() if source not in asked}
    return {source: {f"resting after {word}": n for word, n in ends.items()} for source, ends in found.items()}


def blind(stats: Mapping[str, Any]) -> dict[str, int]:
    """If no list of any source could be read, how they ended; else, and if there was none to read, empty."""
    found = unread(stats) | resting(stats)
    if found.keys() < _lists(stats, "listing").keys() | found.keys():
        return {}
    ends: Counter[str] = Counter()
    for counts in found.values():
        ends.update(counts)
    return dict(ends.most_common())


def came(stats: Mapping[str, Any]) -> int:
    """A number that grows with whatever comes: an answer but "later", an announcement, an article."""
    answers = sum(number for status, number in _statuses(stats).items() if not _is_later(status))
    return answers + sum(counts.get(what, 0) for counts in by_source(stats).values() for what in PROGRESS)


def has_read(stats: Mapping[str, Any]) -> bool:
    """Whether a page or a list has come at all."""
    pages = any(counts.get("fetched") or counts.get("unchanged") for counts in by_source(stats).values())
    return pages or bool(reasons(stats, "listing").keys() & GOOD_LISTS)


def put_off(stats: Mapping[str, Any]) -> dict[str, int]:
    """What came instead of answers: statuses that say "later", timeouts and other errors, the most frequent first."""
    found = Counter({status: number for status, number in _statuses(stats).items() if _is_later(status)})
    for name, number in _counted(stats, "downloader/exception_type_count/").items():
        if not name.startswith("crawler."):  # those are requests that we let go
            found["timeout" if "Timeout" in name else name.rpartition(".")[2]] += number
    return dict(found.most_common())


def _statuses(stats: Mapping[str, Any]) -> dict[str, int]:
    return _counted(stats, "downloader/response_status_count/")


def _is_later(status: str) -> bool:
    return status in ("408", "420", "429") or status >= "500"


def _lists(stats: Mapping[str, Any], kind: str) -> dict[str, dict[str, int]]:
    """By source, how many of its lists ended how, those left out that were left to a later crawl."""
    found = {}
    for source, counts in own(stats).items():
        ends = {word: number for (group, word), number in counts.items() if group == kind and word not in NOT_ASKED}
        if ends:
            found[source] = dict(sorted(ends.items(), key=lambda pair: (-pair[1], pair[0])))
    return found


def listed(counts: Mapping[str, int]) -> str:
    """In words: server_error 7, timeout 2."""
    return ", ".join(f"{word} {number}" for word, number in counts.items())


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
