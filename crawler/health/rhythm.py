"""How often a source publishes, by weekday and hour, and whether its silence is more than a pause.

Counts vary more than chance alone would have them: a spread is measured and taken into account (negative binomial), the
more so the less is known. And days of one source are not independent: small papers take a week off, offices close on
holidays. So there is a shortest silence as well, the longer the less a source publishes, and what has been its
next-longest pause is no alarm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from crawler.health.model import Day

HOUR = timedelta(hours=1)
LEAST_DAYS, LEAST_ARTICLES = 14, 5  # that have to be known
FALSE_A_YEAR = 0.02  # alarms of chance that a source may give
SPREAD = (0.03, 0.15)  # of the rate: bounds to what is measured
SHORTEST, LONGEST = timedelta(hours=8), timedelta(days=12)  # of silences that can be alarms
PATIENCE = 36  # articles' worth of an average day: the shortest silence of a source
PAUSE_AGAIN = 1.3  # times the next-longest pause
LONG, PAUSE_FAR = timedelta(days=42), 5  # so long, and so many times the next-longest pause: whatever chance would say


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """Articles to expect in each hour of the week."""

    rates: tuple[tuple[float, ...], ...]  # weekday -> hour -> articles
    daily: float
    spread: float
    pause: float  # articles that were to be expected in its next-longest pause

    def expected(self, start: datetime, end: datetime) -> float:
        """Articles to expect between two instants."""
        found, at = 0.0, start
        while at < end:
            following = min(end, at.replace(minute=0, second=0, microsecond=0) + HOUR)
            found += self.rates[at.weekday()][at.hour] * ((following - at) / HOUR)
            at = following
        return found

    @property
    def shortest(self) -> timedelta:
        """The shortest silence that can be an alarm."""
        return max(SHORTEST, min(LONGEST, timedelta(days=PATIENCE / self.daily))) if self.daily else LONGEST

    def chance(self, expected: float) -> float:
        """Of no article at all where so many are to be expected."""
        return math.exp(-math.log1p(self.spread * expected) / self.spread)

    def is_silence(self, start: datetime, end: datetime) -> bool:
        """Whether no article in this time is more than a pause."""
        if end - start < self.shortest:
            return False
        expected = self.expected(start, end)
        if end - start > LONG and expected > PAUSE_FAR * max(1.0, self.pause):
            return True
        return expected > PAUSE_AGAIN * self.pause and self.chance(expected) < FALSE_A_YEAR / (self.daily * 365)


def observed(past: Sequence[Day]) -> list[Day]:
    """The days on which somebody looked."""
    return [day for day in past if day.observed]


def rhythm(past: Sequence[Day]) -> Rhythm | None:
    """Of these days; None: too little is known yet."""
    days = observed(past)
    counts = [day.fresh for day in days]
    total = sum(counts)
    if len(days) < LEAST_DAYS or total < LEAST_ARTICLES:
        return None
    daily = min(total / len(days), sum(counts[-28:]) / len(counts[-28:]))  # of a source that does less by and by
    if not daily:
        return None
    mean = total / len(days)
    weekdays = []
    for weekday in range(7):
        its = [count for day, count in zip(days, counts, strict=True) if day.day.weekday() == weekday]
        weekdays.append((sum(its) + mean) / (len(its) + 1) / mean * daily)
    hours = [0.5] * 24
    for day in days:
        for hour, count in enumerate(day.by_hour):
            hours[hour] += count
    shares = [count / sum(hours) for count in hours]
    rates = tuple(tuple(level * share for share in shares) for level in weekdays)
    spread = _spread(counts, [weekdays[day.day.weekday()] for day in days]) + 1 / total
    made = Rhythm(rates=rates, daily=daily, spread=spread, pause=0.0)
    return Rhythm(rates=rates, daily=daily, spread=spread, pause=_pause(days, made))


def _spread(counts: Sequence[int], expected: Sequence[float]) -> float:
    beyond = sum((count - mean) ** 2 - mean for count, mean in zip(counts, expected, strict=True))
    return min(SPREAD[1], max(SPREAD[0], beyond / sum(mean**2 for mean in expected)))


def _pause(days: Sequence[Day], rhythm: Rhythm) -> float:
    """What was to be expected in the next-longest pause: the longest may have been an outage."""
    pauses, so_far = [0.0, 0.0], 0.0
    for day in days:
        rates = rhythm.rates[day.day.weekday()]
        if not day.fresh:
            so_far += sum(rates)
            continue
        for count, rate in zip(day.by_hour, rates, strict=True):
            if count:
                pauses.append(so_far)
                so_far = 0.0
            else:
                so_far += rate
    return sorted(pauses)[-2]


def last_article(days: Sequence[Day]) -> datetime | None:
    """The end of the last hour with an article."""
    for day in reversed(days):
        for hour in range(len(day.by_hour) - 1, -1, -1):
            if day.by_hour[hour]:
                return midnight(day) + (hour + 1) * HOUR
    return None


def midnight(day: Day) -> datetime:
    """With which a day begins."""
    return datetime(day.day.year, day.day.month, day.day.day, tzinfo=UTC)
