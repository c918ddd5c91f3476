"""How often health cries wolf, and how soon it sees the wolf: invented sources of 1 article a week to 500 a day.

    python -m benchmarks.health

Each source lives for eight weeks and then 90 days more: with Sundays, holidays, a week off for the small ones, bursts
and quiet days, and is judged every two hours. Then the same with a fault from a random hour on.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from crawler.health import PAST, RECENT, Day, Finding, Present, Recent, judge

START = datetime(2026, 1, 5, tzinfo=UTC)
LEARNED, WATCHED = 56, 90  # days
STEP = 2  # hours between two judgements
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
    Profile("weekly", 1 / 7, week=(0, 0, 0, 1, 0.2, 0, 0), off=14, holiday=0),
    Profile("blog, 2 a week", 2 / 7, off=14, holiday=0, spread=0.3),
    Profile("1 a day, workdays", 1, week=(1, 1, 1, 1, 1, 0.05, 0.05), off=7, holiday=0),
    Profile("small paper, 3 a day", 3, week=(1, 1, 1, 1, 1, 0.4, 0), off=7, holiday=0),
    Profile("local, 8 a day", 8, week=(1, 1, 1, 1, 1, 0.5, 0.1), holiday=0.1, spread=0.1),
    Profile("10 a day in bursts", 10, spread=0.6, holiday=0.3, crawls=48),
    Profile("regional, 30 a day", 30, week=(1, 1, 1, 1, 1, 0.6, 0.3), holiday=0.3, crawls=48),
    Profile("40, once a day crawled", 40, week=(1, 1, 1, 1, 1, 0.6, 0.4), holiday=0.4, crawls=1),
    Profile("daily, 80 a day", 80, week=(1, 1, 1, 1, 1, 0.7, 0.6), spread=0.1, crawls=96, signed=0.3),
    Profile("national, 200 a day", 200, hours=ROUND, week=(1, 1, 1, 1, 1, 0.7, 0.7), crawls=288),
    Profile("agency, 500 a day", 500, hours=ROUND, crawls=288, signed=0.05, words=150, spread=0.1),
)
FAULTS = (
    *("silent", "template", "half the templates", "no dates", "no authors", "short bodies", "dead feed", "wall"),
    *("robots", "timeouts", "slow", "leaking"),
)
MEANT = {
    "silent": "silent",
    "template": "template_changed",
    "half the templates": "template_changed",
    "no dates": "missing_dates",
    "no authors": "missing_authors",
    "short bodies": "short_bodies",
    "dead feed": "feeds_failing",
    "wall": "blocked",
    "robots": "robots",
    "timeouts": "errors",
    "slow": "slow",
    "leaking": "leaking",
}
OUTCOMES = {"wall": "forbidden", "robots": "robots_forbidden", "timeouts": "timeout"}


class Life:
    """A source hour by hour. `days` and `recent` are what the database would have."""

    def __init__(self, profile: Profile, seed: int, fault: str | None = None, at: datetime | None = None) -> None:
        self.profile, self.fault, self.at = profile, fault, at
        self.random = random.Random(seed)  # noqa: S311 (a simulation)
        self.days: deque[Day] = deque(maxlen=PAST.days + 1)
        self.recent: deque[Recent] = deque(maxlen=RECENT)
        self.holidays = {self.random.randrange(LEARNED + WATCHED) for _ in range(4)}
        start = LEARNED + self.random.randrange(WATCHED - 20)
        self.off = range(start, start + profile.off)
        self.level, self.waiting = 1.0, 0

    def hours(self) -> Iterator[datetime]:
        """Live on; gives the end of each hour."""
        for number in range((LEARNED + WATCHED) * 24):
            begin = START + timedelta(hours=number)
            if begin.hour == 0:
                self.begin(begin.date(), number // 24)
            self.live(begin, number // 24)
            yield begin + timedelta(hours=1)

    def begin(self, day: date, number: int) -> None:
        spread = self.profile.spread
        self.level = self.random.gammavariate(1 / spread, spread)
        self.days.append(Day(day=day, by_hour=(0,) * 24))

    def live(self, begin: datetime, number: int) -> None:
        profile, dice = self.profile, self.random
        faulty = self.fault if self.at and begin >= self.at else None
        level = profile.daily * self.level * profile.week[begin.weekday()] / (sum(profile.week) / 7)
        level *= profile.holiday if number in self.holidays else 1
        level *= 0 if number in self.off else 1
        level *= 3 if dice.random() < 0.01 else 1
        self.waiting += poisson(dice, level * profile.hours[begin.hour] / sum(profile.hours))
        if profile.crawls < 24 and begin.hour % (24 // profile.crawls):
            return
        crawls, now = max(1, profile.crawls // 24), begin + timedelta(minutes=50)
        new, self.waiting = self.waiting, 0
        day = self.days[-1]
        blind = faulty in ("silent", "dead feed")
        if blind:
            new = 0
        lists: Counter[str] = Counter(day.lists)
        lists["timeout" if faulty == "dead feed" else "not_modified"] += 2 * crawls
        outcomes: Counter[str] = Counter(day.outcomes)
        stored = rejected = failed = dropped = 0
        rejected_row, failed_row, came_at = day.rejected_row, day.failed_row, day.came_at
        hard = faulty in OUTCOMES
        for _ in range(new + poisson(dice, new * profile.rejected)):
            if hard or dice.random() < 0.03:
                failed, failed_row = failed + 1, failed_row + 1
                outcomes[OUTCOMES[faulty or ""] if hard else "not_found"] += 1
                continue
            came_at, failed_row = now, 0
            bad = {"template": 1.0, "half the templates": 0.6}.get(faulty or "", profile.rejected)
            if dice.random() < bad:
                rejected, rejected_row = rejected + 1, rejected_row + 1
                outcomes["no_body"] += 1
                continue
            stored, rejected_row = stored + 1, 0
            dropped += 0 if faulty == "leaking" else poisson(dice, 4)
            words = int(dice.lognormvariate(math.log(profile.words), 0.7) * (0.15 if faulty == "short bodies" else 1))
            dated = faulty != "no dates" and dice.random() < profile.dated
            signed = faulty != "no authors" and dice.random() < profile.signed
            self.recent.appendleft(Recent(now, dated, signed, words))
        mine = [one for one in self.recent if one.stored_at.date() == day.day]
        latest = list(self.recent)[:stored]
        by_hour = list(day.by_hour)
        by_hour[begin.hour] += stored
        unchanged = 0 if hard else poisson(dice, profile.daily / profile.crawls)
        answers = 2 * crawls + stored + rejected + unchanged
        took = dice.lognormvariate(-1, 0.4) * (8 if faulty == "slow" else 1)
        self.days[-1] = replace(
            day,
            articles=day.articles + stored,
            by_hour=tuple(by_hour),
            dated=day.dated + sum(one.dated for one in latest),
            signed=day.signed + sum(one.signed for one in latest),
            words=int(statistics.median(one.words for one in mine)) if mine else None,
            stored=day.stored + stored,
            rejected=day.rejected + rejected,
            rejected_row=rejected_row,
            fetched=day.fetched + stored + rejected,
            unchanged=day.unchanged + unchanged,
            failed=day.failed + failed,
            failed_row=0 if unchanged else failed_row,
            came_at=now if unchanged else came_at,
            announced=day.announced + new,
            dropped_blocks=day.dropped_blocks + dropped,
            outcomes=outcomes,
            lists=lists,
            lists_row=day.lists_row + 2 * crawls if faulty == "dead feed" else 0,
            read_at=day.read_at if faulty == "dead feed" else now,
            answers=day.answers + answers,
            answer_seconds=day.answer_seconds + answers * took,
            crawls=day.crawls + crawls,
        )


def poisson(dice: random.Random, mean: float) -> int:
    """A number of events."""
    if mean > 50:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    number, product, least = 0, dice.random(), math.exp(-mean)
    while product > least:
        number, product = number + 1, product * dice.random()
    return number


def watched(life: Life, until: str | None = None) -> Iterator[tuple[datetime, Finding]]:
    """What is newly found; what is found stays open until it is not found any more. Ends with the kind `until`."""
    opened: dict[str, datetime] = {}
    for number, now in enumerate(life.hours()):
        if number < LEARNED * 24 or number % STEP:
            continue
        *past, today = life.days
        present = Present(
            source="it", today=today, recent=tuple(life.recent), open=opened, crawled_at=now - timedelta(hours=1)
        )
        found = judge(past, present, now)
        for one in found:
            if one.kind not in opened:
                yield now, one
                if one.kind == until:
                    return
        opened = {one.kind: opened.get(one.kind, now) for one in found}


def false_alarms(lives: int) -> None:
    print(f"False alarms, {lives} lives of {WATCHED} days for each source\n")
    print("| source | a source-year | kinds |\n|---|---|---|")
    for profile in PROFILES:
        found = Counter(one.kind for seed in range(lives) for _, one in watched(Life(profile, seed)))
        rate = sum(found.values()) / (lives * WATCHED / 365)
        print(
            f"| {profile.name} | {rate:.2f} | {', '.join(f'{kind} {n}' for kind, n in found.items()) or '–'} |",
            flush=True,
        )


def detection(lives: int) -> None:
    print(
        f"\nHours to detection: median of {lives} ('–': not within what was left of the {WATCHED} days; "
        "others: kinds found besides)\n"
    )
    print(f"| source | {' | '.join(FAULTS)} |\n|---|{'---|' * len(FAULTS)}")
    others: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for profile in PROFILES:
        cells = []
        for fault in FAULTS:
            hours = []
            for seed in range(lives):
                at = START + timedelta(days=LEARNED + 5, hours=random.Random(f"{seed}{fault}").randrange(24 * 7))  # noqa: S311
                hours.append(math.inf)
                for now, one in watched(Life(profile, 1000 + seed, fault, at), MEANT[fault]):
                    if now > at and one.kind == MEANT[fault]:
                        hours[-1] = (now - at) / timedelta(hours=1)
                    elif now > at:
                        others[fault][one.kind] += 1
            median = statistics.median(hours)
            cells.append("–" if math.isinf(median) else f"{median:.0f}")
        print(f"| {profile.name} | {' | '.join(cells)} |", flush=True)
    print()
    for fault, kinds in others.items():
        print(f"before {MEANT[fault]} of {fault}: {dict(kinds)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=12, help="of each source")
    parser.add_argument("--faulty", type=int, default=3, help="lives with each fault")
    given = parser.parse_args()
    started = time.monotonic()
    false_alarms(given.lives)
    detection(given.faulty)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
