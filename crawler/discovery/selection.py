"""Which candidates are worth following: what the source wants, each once, none too old or outside a backfill."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from crawler.items import Candidate

if TYPE_CHECKING:
    from crawler.sources import Source


class Selection:
    """Says of each candidate of one document whether to take it: the first of its URL, wanted, not known as too old."""

    def __init__(self, source: Source, now: datetime | None = None) -> None:
        self._wants = source.wants
        self._seen: set[str] = set()
        self._oldest = _days_before(now or datetime.now(UTC), source.max_age_days)

    def takes(self, candidate: Candidate) -> bool:
        if candidate.url in self._seen or self._is_old(candidate) or not self._wants(candidate.url):
            return False
        self._seen.add(candidate.url)
        return True

    def _is_old(self, candidate: Candidate) -> bool:
        # The date of publication goes first: some sites touch every page's modification date daily.
        hint = candidate.published_at or candidate.modified_at
        return hint is not None and self._oldest is not None and hint < self._oldest


def _days_before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


_IN_URL = re.compile(r"/((?:19|20)\d\d)[/-]?(0[1-9]|1[0-2])(?:[/-]?(0[1-9]|[12]\d|3[01]))?(?=[/_.-]|$)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A backfill's time: from `since` to before `until`; either may be open. False when both are."""

    since: datetime | None = None
    until: datetime | None = None

    def __bool__(self) -> bool:
        return self.since is not None or self.until is not None

    def within(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that may lie in it: what has no date, neither by its feed nor in its address, may."""
        return [one for one in candidates if self._holds(one)] if self else list(candidates)

    def may_hold(self, modified_at: datetime | None) -> bool:
        """Whether a document that was last changed then may list something of it."""
        return self.since is None or modified_at is None or modified_at >= self.since

    def reaches(self, candidates: Sequence[Candidate]) -> bool:
        """Whether a page of a section, the newest first, may be followed by one that still lies in it."""
        dates = [dated[0] for one in candidates if (dated := _dated(one))]
        return bool(candidates) and (self.since is None or not dates or max(dates) >= self.since)

    def _holds(self, candidate: Candidate) -> bool:
        dated = _dated(candidate)
        if dated is None:  # a date of change alone says that it is no newer
            changed = candidate.modified_at
            return self.since is None or changed is None or changed >= self.since
        first, last = dated
        return (self.since is None or last >= self.since) and (self.until is None or first < self.until)


def _dated(candidate: Candidate) -> tuple[datetime, datetime] | None:
    """The earliest and the latest instant at which it can have been published."""
    if candidate.published_at:
        return candidate.published_at, candidate.published_at
    match = _IN_URL.search(candidate.url)
    if match is None:
        return None
    try:
        first = datetime(int(match[1]), int(match[2]), int(match[3] or 1), tzinfo=UTC)
    except ValueError:
        return None
    # Any zone's day, and a month has at most 31 of them.
    return first - timedelta(hours=14), first + timedelta(days=1 if match[3] else 31, hours=12)
