"""Whether much less is published than usual: a feed of several that broke, a section that is gone.

Whole weeks are held against such weeks of the past, so that no weekday weighs more. How weeks differ is measured. Of a
week only the best days count, so that a long weekend is none of it; and a week off is a silence, if it is anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from crawler.health.chance import at_most_spread
from crawler.health.model import Day, Finding, Present
from crawler.health.past import days_before
from crawler.health.rhythm import FALSE_A_YEAR, Rhythm, midnight, observed, rhythm
from crawler.health.wording import counted, rounded

WEEK = 7  # days
WINDOWS = (WEEK, 2 * WEEK)  # the shortest that tells is told
SHARE = 0.7  # of what is usual: more than that is no trouble
AGAIN = 0.8  # of what is usual, and it is over
NEXT_WORST = 0.8  # times the worst such time of the past
DIFFER = 0.008  # spread of weeks, at least: seasons, holidays
BEST = 3 / 7  # of the days
BLOCKS = 3  # such times in the past, at least
SEEN = 0.7  # of the days, on which somebody looked
CRAWLED = 0.25  # of the crawls of a usual day, and somebody looked
LIMIT = FALSE_A_YEAR / 52 / len(WINDOWS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """Of some days: articles, and how many were to be expected."""

    found: int
    expected: float

    @property
    def share(self) -> float:
        return self.found / self.expected if self.expected else 1.0


def fewer(past: Sequence[Day], present: Present) -> list[Finding]:
    """What is told of a source that publishes, and much less than usual."""
    opened = present.open.get("fewer")
    before = days_before(past, present, "fewer")
    for length in WINDOWS:
        first = present.today.day - timedelta(days=length)
        basis = [day for day in before if day.day < first]
        days = _looked_at(basis, [day for day in past if day.day >= first])
        if len(days) < SEEN * length or not (opened or _may_be_fewer(days, basis)):
            continue
        usual = rhythm(basis)
        if usual is None:
            continue
        now = _sum(days, usual, length)
        if opened and length == WEEK and now.share >= AGAIN:
            return []
        if (opened and length == WEEK) or _is_fewer(now, basis, usual, length):
            return [_finding(now, len(days), present, midnight(days[0]))]
    return []


def _finding(now: Sum, days: int, present: Present, since: datetime) -> Finding:
    sentence = f"{counted(now.found, 'article')} in {days} days; usually {rounded(now.expected)} in as many"
    if failing := [one for one in present.listings if one.failures]:
        sentence += f"; cannot be read: {failing[0].url} ({failing[0].outcome})"
    return Finding(kind="fewer", severity="warn", sentence=sentence, since=since)


def _may_be_fewer(days: Sequence[Day], basis: Sequence[Day]) -> bool:
    """A short look, for most sources need no other."""
    known = observed(basis)
    usual = sum(day.fresh for day in known) / max(1, len(known))
    return sum(day.fresh for day in days) < AGAIN * usual * len(days)


def _is_fewer(now: Sum, basis: Sequence[Day], usual: Rhythm, length: int) -> bool:
    known = observed(basis)
    blocks = [_sum(known[end - length : end], usual, length) for end in range(len(known), length - 1, -length)]
    blocks = [block for block in blocks if block.expected]
    if len(blocks) < BLOCKS:
        return False
    best = sum(block.found for block in blocks) / sum(block.expected for block in blocks)  # the best days are better
    if now.share > best * min(SHARE, NEXT_WORST * min(block.share for block in blocks) / best):
        return False
    scaled = [Sum(found=block.found, expected=block.expected * best) for block in blocks]
    spread = max(_spread(scaled), usual.spread / length, DIFFER)
    return at_most_spread(now.found, now.expected * best, spread) < LIMIT


def _spread(sums: Sequence[Sum]) -> float:
    """Of the rate, beyond that of chance alone."""
    squares = sum(one.expected**2 for one in sums)
    return sum((one.found - one.expected) ** 2 - one.expected for one in sums) / squares if squares else 0.0


def _sum(days: Sequence[Day], usual: Rhythm, length: int) -> Sum:
    """Of the best days, the longest stretch without any article apart."""
    longest, start = range(0), 0
    for index, day in enumerate(days):
        if day.fresh:
            start = index + 1
        elif index + 1 - start > len(longest):
            longest = range(start, index + 1)
    kept = [(day.fresh, sum(usual.rates[day.day.weekday()])) for n, day in enumerate(days) if n not in longest]
    best = sorted(kept, key=lambda one: one[0] / one[1], reverse=True)[: math.ceil(length * BEST)]
    return Sum(found=sum(found for found, _ in best), expected=sum(expected for _, expected in best))


def _looked_at(basis: Sequence[Day], days: Sequence[Day]) -> list[Day]:
    """Without days on which the crawler hardly ran."""
    known = observed(basis)
    usual = sum(day.crawls for day in known) / max(1, len(known))
    return [day for day in observed(days) if day.crawls >= CRAWLED * usual]
