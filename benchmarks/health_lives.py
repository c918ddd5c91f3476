"""Invented sources, of 1 article a week to 500 a day, a quarter of an hour after the other, well or with a fault.

Their days are no better than real ones: Sundays, holidays, a long weekend, a week off for the small ones, weeks that
differ, bursts, and once a month a host that is away for half an hour. A list that failed rests, as in a crawl.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from crawler.health import PAST, RECENT, Day, Listing, Present, Recent
from crawler.outcomes import OUTCOMES, rest

START = datetime(2026, 1, 5, tzinfo=UTC)
LEARNED, WATCHED = 56, 90  # days
TICK = timedelta(minutes=15)
DAY = timedelta(days=1)
AWAY = timedelta(minutes=30)
BACKLOG = 20  # articles that its feeds hold when it is first crawled
OFFICE = tuple([0.1] * 6 + [1.0, 2, 3, 3, 3, 2, 2, 3, 3, 3, 2, 2, 1, 1, 0.5, 0.5, 0.2, 0.1])
ROUND = tuple([0.6] * 6 + [1.0] * 12 + [0.8] * 6)


@dataclass(frozen=True)
class Profile:
    """A kind of source. `week`: factors of Monday to Sunday; `spread`: of its days; `off`: days of its week off."""

    name: str
    daily: float
    week: tuple[float, ...] = (1, 1, 1, 1, 1, 1, 1)
    hours: tuple[float, ...] = OFFICE
    spread: float = 0.05
    off: int = 0
    holiday: float = 0.5  # what a holiday leaves
    dated: float = 0.97
    signed: float = 0.7
    words: float = 400
    rejected: float = 0.1
    crawls: int = 24  # a day


PROFILES = (
    Profile("1 a week", 1 / 7, week=(0, 0, 0, 1, 0.2, 0, 0), off=14, holiday=0),
    Profile("2 a week, a blog", 2 / 7, off=14, holiday=0, spread=0.3),
    Profile("1 a day, workdays", 1, week=(1, 1, 1, 1, 1, 0.05, 0.05), off=7, holiday=0),
    Profile("3 a day, closed for a week", 3, week=(1, 1, 1, 1, 1, 0.4, 0), off=7, holiday=0),
    Profile("5 a day, a small paper", 5, week=(1, 1, 1, 1, 1, 0.4, 0.1), holiday=0.1),
    Profile("10 a day, in bursts", 10, spread=0.6, holiday=0.3, crawls=48),
    Profile("30 a day, regional", 30, week=(1, 1, 1, 1, 1, 0.6, 0.3), holiday=0.3, crawls=48),
    Profile("40 a day, crawled once", 40, week=(1, 1, 1, 1, 1, 0.6, 0.4), holiday=0.4, crawls=1),
    Profile("80 a day", 80, week=(1, 1, 1, 1, 1, 0.7, 0.6), spread=0.1, crawls=96, signed=0.3),
    Profile("300 a day, national", 300, hours=ROUND, week=(1, 1, 1, 1, 1, 0.7, 0.7), crawls=288),
    Profile("500 a day, an agency", 500, hours=ROUND, crawls=288, signed=0.05, words=150, spread=0.1),
)
PAGES = {"wall": "forbidden", "robots": "robots_forbidden", "timeouts": "timeout"}  # how the pages end
LISTS = {  # how the lists do
    "dead feed": "timeout",
    "feed gone": "not_found",
    "mistyped": "dns",
    "walled off": "forbidden",
    "dead host": "timeout",
    "only 500s": "server_error",
    "no lists": "not_a_feed",
}
LOST = {"half as many": 0.5, "a third less": 1 / 3}  # of what it publishes
POOR = {"template": 1.0, "half the templates": 0.6, "no articles": 1.0}  # pages that are no articles


class Life:
    """A source, a quarter of an hour after the other. `days`, `recent`, `listings` are what the database would have."""

    def __init__(
        self,
        profile: Profile,
        seed: int,
        fault: str | None = None,
        at: datetime | None = None,
        length: int = LEARNED + WATCHED,
    ) -> None:
        self.profile, self.fault, self.at, self.length = profile, fault, at, length
        self.random = dice = random.Random(seed)  # noqa: S311 (a simulation)
        self.days: deque[Day] = deque(maxlen=PAST.days)
        self.recent: deque[Recent] = deque(maxlen=RECENT)
        self.listings = [Listing(name, "feed", "not_modified", entries=BACKLOG) for name in ("a", "b")]
        self.asked_again = [START, START]
        long_weekend = dice.randrange(LEARNED + WATCHED)
        self.holidays = {dice.randrange(LEARNED + WATCHED) for _ in range(4)}
        self.holidays |= set(range(long_weekend, long_weekend + 4))
        off = LEARNED + dice.randrange(WATCHED - 20)
        self.off = range(off, off + profile.off)
        self.level = self.season = 1.0
        self.waiting, self.old = poisson(dice, 3 * profile.daily), 0
        self.waiting, self.old = min(BACKLOG, self.waiting), max(0, BACKLOG - self.waiting)
        self.away_until = START
        self.has_articles = False

    def ticks(self) -> Iterator[datetime]:
        """Live on; gives the end of each quarter of an hour."""
        now = START
        while now < START + self.length * DAY:
            if (now - START) % DAY == timedelta(0):
                self.begin(now.date())
            self.live(now)
            now += TICK
            yield now

    def present(self, now: datetime, opened: dict[str, datetime]) -> Present:
        """As the database would have it."""
        return Present(
            source="it",
            today=self.days[-1],
            recent=tuple(self.recent),
            listings=tuple(self.listings) if self.is_in_doubt else (),
            has_articles=self.has_articles,
            begun_at=START,
            crawled_at=now - TICK,
            open=opened,
        )

    @property
    def is_in_doubt(self) -> bool:
        return not self.has_articles or any(one.failures for one in self.listings)

    def begin(self, day: date) -> None:
        spread, dice = self.profile.spread, self.random
        if not day.weekday():
            self.season = math.exp(0.7 * math.log(self.season) + dice.gauss(0, 0.06))
        self.level = dice.gammavariate(1 / spread, spread) * self.season
        self.days.append(Day(day=day, by_hour=(0,) * 24))

    def published(self, begin: datetime, faulty: str | None) -> int:
        profile, dice, number = self.profile, self.random, (begin - START).days
        level = profile.daily * self.level * profile.week[begin.weekday()] / (sum(profile.week) / 7)
        level *= profile.holiday if number in self.holidays else 1
        level *= 0 if number in self.off else 1
        level *= 3 if dice.random() < 0.01 else 1
        level *= 1 - LOST.get(faulty or "", 0)
        return poisson(dice, level * profile.hours[begin.hour] / sum(profile.hours) * (TICK / timedelta(hours=1)))

    def live(self, begin: datetime) -> None:
        profile, dice = self.profile, self.random
        faulty = self.fault if self.at and begin >= self.at else None
        self.waiting += self.published(begin, faulty)
        if dice.random() < TICK / DAY / 30:
            self.away_until = begin + AWAY
        each = max(TICK, DAY / profile.crawls)
        if (begin - START) % each:
            return
        crawls, now = max(1, round(profile.crawls * (TICK / DAY))), begin + timedelta(minutes=10)
        away = begin < self.away_until
        listed = LISTS.get(faulty or "") or ("timeout" if away else None)
        read = self.ask(begin, crawls, listed)
        new = self.waiting if read else 0
        self.waiting = 0 if read else self.waiting
        if faulty == "silent":
            new = 0
        old, self.old = (self.old, 0) if read else (0, self.old)
        self.fetch(now, new, old, crawls, faulty, "timeout" if away else PAGES.get(faulty or ""))

    def ask(self, now: datetime, crawls: int, ends: str | None) -> bool:
        """For the lists: those that failed are left alone for a while."""
        day = self.days[-1]
        lists, row = Counter(day.lists), day.lists_row
        for index, one in enumerate(self.listings):
            if now < self.asked_again[index]:
                continue
            if ends is None:
                self.listings[index] = replace(one, outcome="not_modified", failures=0, checked_at=now)
                lists["not_modified"] += crawls
                row = 0
                continue
            self.listings[index] = replace(one, outcome=ends, failures=one.failures + 1, entries=0, checked_at=now)
            pause = rest(ends, one.failures + 1) if ends in OUTCOMES else None
            self.asked_again[index] = now + min(pause or DAY, DAY)
            lists[ends] += 1
            row += 1
        read = ends is None and any(now >= again for again in self.asked_again)
        read_at = now + timedelta(minutes=10) if read else day.read_at
        self.days[-1] = replace(day, lists=lists, lists_row=row, read_at=read_at, crawls=day.crawls + crawls)
        return read

    def fetch(self, now: datetime, new: int, old: int, crawls: int, faulty: str | None, hard: str | None) -> None:
        """The new pages, and some that are known."""
        profile, dice, day = self.profile, self.random, self.days[-1]
        outcomes: Counter[str] = Counter(day.outcomes)
        stored = rejected = failed = dropped = 0
        rejected_row, failed_row, came_at = day.rejected_row, day.failed_row, day.came_at
        unchanged = poisson(dice, profile.daily / profile.crawls * crawls)
        if hard:
            failed, unchanged = unchanged, 0
            failed_row += failed
            outcomes[hard] += failed
        fresh = 0
        for index in range(new + old + poisson(dice, new * profile.rejected)):
            if hard or dice.random() < 0.03:
                failed, failed_row = failed + 1, failed_row + 1
                outcomes[hard or "not_found"] += 1
                continue
            came_at, failed_row = now, 0
            if dice.random() < POOR.get(faulty or "", profile.rejected):
                rejected, rejected_row = rejected + 1, rejected_row + 1
                outcomes["no_body"] += 1
                continue
            stored, rejected_row = stored + 1, 0
            dropped += 0 if faulty == "leaking" else poisson(dice, 4)
            if index < old:
                continue
            fresh += 1
            words = int(dice.lognormvariate(math.log(profile.words), 0.7) * (0.15 if faulty == "short bodies" else 1))
            dated = faulty != "no dates" and dice.random() < profile.dated
            signed = faulty != "no authors" and dice.random() < profile.signed
            self.recent.appendleft(Recent(now, dated, signed, words))
        self.has_articles = self.has_articles or bool(stored)
        mine = [one.words for one in self.recent if one.stored_at.date() == day.day]
        latest = list(self.recent)[:fresh]
        by_hour = list(day.by_hour)
        by_hour[now.hour] += fresh
        answers = 2 * crawls + stored + rejected + unchanged
        took = dice.lognormvariate(-1, 0.4) * (8 if faulty == "slow" else 1)
        self.days[-1] = replace(
            day,
            articles=day.articles + stored,
            by_hour=tuple(by_hour),
            dated=day.dated + sum(one.dated for one in latest),
            signed=day.signed + sum(one.signed for one in latest),
            words=int(statistics.median(mine)) if mine else None,
            stored=day.stored + stored,
            rejected=day.rejected + rejected,
            rejected_row=rejected_row,
            fetched=day.fetched + stored + rejected,
            unchanged=day.unchanged + unchanged,
            failed=day.failed + failed,
            failed_row=0 if unchanged else failed_row,
            came_at=now if unchanged else came_at,
            announced=day.announced + new + old,
            dropped_blocks=day.dropped_blocks + dropped,
            outcomes=outcomes,
            answers=day.answers + answers,
            answer_seconds=day.answer_seconds + answers * took,
        )


def poisson(dice: random.Random, mean: float) -> int:
    """A number of events."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    number, product, least = 0, dice.random(), math.exp(-mean)
    while product > least:
        number, product = number + 1, product * dice.random()
    return number
