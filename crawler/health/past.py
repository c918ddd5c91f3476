"""What a source's days tell together, and what is no chance any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from crawler.health.model import Day, Present
from crawler.health.rhythm import FALSE_A_YEAR

PAST = timedelta(days=56)  # what a source is held against
RECENT = 40  # articles that are looked at one by one
LIMIT = 1e-6  # of the chance that it is chance
LEAST_PAGES = 20  # of the past, for a share to be known
LEAST_ROW = 6  # pages or articles in a row
GOOD_LISTS = frozenset(("read", "not_modified"))


def days_before(past: Sequence[Day], present: Present, *kinds: str) -> Sequence[Day]:
    """The days before any of these was found: what is wrong is not what is usual."""
    opened = [present.open[kind] for kind in kinds if kind in present.open]
    return [day for day in past if day.day < min(opened).date()] if opened else past


def up_to_the_last_good(days: Sequence[Day], good: Callable[[Day], bool]) -> Sequence[Day]:
    """The days up to the last good one: what goes on since then is not what is usual."""
    last = max((index for index, day in enumerate(days) if good(day)), default=-1)
    return days[: last + 1]


def chance_limit(number: int, days: Sequence[Day]) -> float:
    """What is no chance any more: where little happens, chance has fewer occasions in a year."""
    return min(1e-3, max(LIMIT / 10, FALSE_A_YEAR / 365 * len(days) / max(1, number)))


def row_of(days: Sequence[Day], name: str, ends: Callable[[Day], bool]) -> int:
    """What failed in a row over the last days."""
    found = 0
    for day in reversed(days):
        found += getattr(day, name)
        if ends(day):
            break
    return found


def words_of(days: Sequence[Day], wanted: Callable[[str], bool], *, lists: bool = False) -> dict[str, int]:
    """How often which of these outcomes, the most frequent first."""
    found: dict[str, int] = {}
    for day in days:
        for word, number in (day.lists if lists else day.outcomes).items():
            if wanted(word):
                found[word] = found.get(word, 0) + number
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
