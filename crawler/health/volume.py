"""Whether much less is published than usual: a feed of several that broke, a section that is gone.

Whole weeks are held against such weeks of the past, so that no weekday weighs more. How weeks differ is measured. Of a
week only the best days count, so that a long weekend is none of it; and a week off is a silence, if it is anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from crawler.health.chance import at_most_spread
from crawler.health.model import Day, Finding, Present
from crawler.health.past import days_before
from crawler.health.rhythm import FALSE_A_YEAR, Rhythm, midnight, observed, rhythm
from crawler.health.wording import counted, rounded

WEEK = 7  # days
WINDOWS = (WEEK, 2 * WEEK)  # the shortest that tells is told
SHARE = 0.65  # of what is usual: more than that is no trouble
AGAIN = 0.8  # of what is usual, and it is over
NEXT_WORST = 0.75  # times the worst such time of the past
DIFFER = 0.015  # spread of weeks, at least: seasons, holidays
BEST = 3 / 7  # of the days
KNOWN = 28  # days in such times of the past, at least
SEEN = 0.7  # of the days, on which somebody looked
CRAWLED = 0.25  # of the crawls of a usual day, and somebody looked
LEAST = 10  # articles to be expected: of fewer, none at all may be chance
LIMIT = FALSE_A_YEAR / 365 / len(WINDOWS)


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
    opened = "fewer" in present.open
    before = days_before(past, present, "fewer")
    for length in WINDOWS:
        first = present.today.day - timedelta(days=length)
        basis = [day for day in before if day.day < first]
        days = _looked_at(basis, [day for day in past if day.day >= first])
        if len(days) < SEEN * length or not (opened or _may_be_fewer(days, basis, length)):
            continue
        usual = rhythm(basis)
        blocks = _blocks(basis, usual, length) if usual else []
        if usual is None or len(blocks) * length < KNOWN:
            continue
        best = sum(one.found for one in blocks) / sum(one.expected for one in blocks)  # the best days are better
        now, *blocks = (replace(one, expected=one.expected * best) for one in (_best(days, usual, length), *blocks))
        of_days = _spread([_sum([day], usual) for day in observed(basis)]) / length
        if now.share < AGAIN if opened else _is_fewer(now, blocks, of_days):
            return [_finding(_sum(days, usual), days, present)]
        if opened:
            break
    return []


def _finding(whole: Sum, days: Sequence[Day], present: Present) -> Finding:
    sentence = f"{counted(whole.found, 'article')} in {len(days)} days; usually {rounded(whole.expected)} in as many"
    if failing := [one for one in present.listings if one.failures]:
        sentence += f"; cannot be read: {failing[0].url} ({failing[0].outcome})"
    return Finding(kind="fewer", severity="warn", sentence=sentence, since=midnight(days[0]))


def _may_be_fewer(days: Sequence[Day], basis: Sequence[Day], length: int) -> bool:
    """A short look, for most sources need no other."""
    usual = sum(day.fresh for day in basis) / max(1, sum(day.observed for day in basis))
    return usual * length * BEST >= LEAST and sum(day.fresh for day in days) < AGAIN * usual * len(days)


def _is_fewer(now: Sum, past: Sequence[Sum], spread: float) -> bool:
    if now.share > min(SHARE, NEXT_WORST * min(one.share for one in past)):
        return False
    return at_most_spread(now.found, now.expected, max(_spread(past), spread, DIFFER)) < LIMIT


def _blocks(basis: Sequence[Day], usual: Rhythm, length: int) -> list[Sum]:
    """Such times of the past, one after the other."""
    known = observed(basis)
    found = (_best(known[end - length : end], usual, length) for end in range(len(known), length - 1, -length))
    return [one for one in found if one.expected]


def _spread(sums: Sequence[Sum]) -> float:
    """Of the rate, beyond that of chance alone."""
    squares = sum(one.expected**2 for one in sums)
    return sum((one.found - one.expected) ** 2 - one.expected for one in sums) / squares if squares else 0.0


def _sum(days: Sequence[Day], usual: Rhythm) -> Sum:
    return Sum(found=sum(day.fresh for day in days), expected=sum(sum(usual.rates[day.day.weekday()]) for day in days))


def _best(days: Sequence[Day], usual: Rhythm, length: int) -> Sum:
    """Of the best days, the longest stretch without any article apart."""
    longest, start = range(0), 0
    for index, day in enumerate(days):
        if day.fresh:
            start = index + 1
        elif index + 1 - start > len(longest):
            longest = range(start, index + 1)
    kept = [day for index, day in enumerate(days) if index not in longest]
    kept.sort(key=lambda day: _sum([day], usual).share, reverse=True)
    return _sum(kept[: math.ceil(length * BEST)], usual)


def _looked_at(basis: Sequence[Day], days: Sequence[Day]) -> list[Day]:
    """Without days on which the crawler hardly ran."""
    known = observed(basis)
    usual = sum(day.crawls for day in known) / max(1, len(known))
    return [day for day in observed(days) if day.crawls >= CRAWLED * usual]
