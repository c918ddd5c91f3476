"""Which candidates are worth following: what the source wants, each once, none that is too old."""

from __future__ import annotations

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
