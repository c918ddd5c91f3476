"""A stretch of time that somebody asked for: `since` and `until`, each a date or an instant, either left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crawler.dates import parse_instant
from crawler.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From `since` on and before `until`; both in UTC, None: open."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


def period(since: str | None, until: str | None) -> Period:
    """`until` a day includes that day. Raises ConfigurationError for what is no date, or for none at all in between."""
    start, end = _read("since", since), _read("until", until, whole_day=True)
    if start and end and start >= end:
        raise ConfigurationError(f"since={since} is not before until={until}")
    return Period(since=start, until=end)


def _read(name: str, raw: str | None, *, whole_day: bool = False) -> datetime | None:
    if raw is None or not raw.strip():
        return None
    found = parse_instant(raw)
    if found is None:
        raise ConfigurationError(f"{name}={raw} is no date; write 2026-11-23 or 2026-11-23T10:30Z")
    at = found.at.astimezone(UTC)
    return at + timedelta(days=1) if whole_day and found.day_only else at
