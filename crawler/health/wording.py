"""Numbers and times, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from crawler.health.rhythm import HOUR


def listed(words: Mapping[str, int]) -> str:
    """The first of them: no_body 4, forbidden 2."""
    return ", ".join(f"{word} {number}" for word, number in list(words.items())[:3])


def span(time: timedelta) -> str:
    """50 min, 26 h, 12 days."""
    hours = time / HOUR
    if hours < 2:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


def rounded(value: float) -> str:
    """12, 3.4."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def percent(share: float) -> str:
    """87 %."""
    return f"{max(0.0, share) * 100:.0f} %"


def counted(number: int, what: str) -> str:
    """1 crawl, 3 crawls."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
