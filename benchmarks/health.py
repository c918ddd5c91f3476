"""How often health cries wolf, and how soon it sees the wolf, by how much a source publishes.

    nice python -m benchmarks.health

Invented lives (health_lives.py), judged every two hours, and every quarter of an hour while they are new or a list of
theirs fails. Well ones: from their first minute on, and for 90 days after eight weeks. Then with a fault: from a random
hour on after eight weeks, in their first week, from their first minute on.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from benchmarks.health_lives import LEARNED, PROFILES, START, WATCHED, Life, Profile
from crawler.health import Finding, judge

HOUR = timedelta(hours=1)
STEP = 2 * HOUR  # between two judgements
NEW = timedelta(days=1)
FIRST_WEEKS, FIRST_WEEK = 21, 3  # days that a new life lasts; the day on which something breaks
MEANT = {
    "silent": "silent",
    "half as many": "fewer",
    "a third less": "fewer",
    "template": "template_changed",
    "half the templates": "template_changed",
    "no dates": "missing_dates",
    "no authors": "missing_authors",
    "short bodies": "short_bodies",
    "dead feed": "feeds_failing",
    "feed gone": "feeds_failing",
    "wall": "blocked",
    "robots": "robots",
    "timeouts": "errors",
    "slow": "slow",
    "leaking": "leaking",
}
EARLY = ("template", "no dates", "no authors", "short bodies", "dead feed", "feed gone", "wall")
NEVER = ("mistyped", "walled off", "dead host", "only 500s", "no lists", "no articles")


def watched(life: Life, until: str | None = None, since: int = LEARNED) -> Iterator[tuple[datetime, Finding]]:
    """What is newly found; what is found stays open until it is not found any more. Ends with the kind `until`."""
    opened: dict[str, datetime] = {}
    for now in life.ticks():
        if now < START + timedelta(days=since) or not (
            life.is_in_doubt or now - START < NEW or (now - START) % STEP == timedelta(0)
        ):
            continue
        *past, _ = life.days
        found = judge(past, life.present(now, opened), now)
        for one in found:
            if one.kind not in opened:
                yield now, one
                if one.kind == until:
                    return
        opened = {one.kind: opened.get(one.kind, now) for one in found}


def false_alarms(lives: int, profiles: Sequence[Profile]) -> None:
    print(f"False alarms: {lives} lives of each source, {WATCHED} days after {LEARNED}, and the first {FIRST_WEEKS}\n")
    print("| source | a source-year | kinds | a new source | kinds |\n|---|---|---|---|---|")
    for profile in profiles:
        late = Counter(one.kind for seed in range(lives) for _, one in watched(Life(profile, seed)))
        early = Counter(
            one.kind
            for seed in range(2 * lives)
            for _, one in watched(Life(profile, 500 + seed, length=FIRST_WEEKS), since=0)
        )
        rate, new = sum(late.values()) / (lives * WATCHED / 365), sum(early.values()) / (2 * lives)
        print(f"| {profile.name} | {rate:.2f} | {_kinds(late)} | {new:.3f} | {_kinds(early)} |", flush=True)


def _kinds(found: Counter[str]) -> str:
    return ", ".join(f"{kind} {number}" for kind, number in found.items()) or "–"


def detection(lives: int, faults: Sequence[str], profiles: Sequence[Profile], when: str) -> None:
    """`when`: late (after eight weeks), early (in the first week), never (it never worked)."""
    title = {"late": "after eight weeks", "early": f"on day {FIRST_WEEK}", "never": "from the first minute on"}[when]
    print(f"\nHours to notice, {title}: median of {lives} ('–': not within what was left)\n")
    print(f"| source | {' | '.join(faults)} |\n|---|{'---|' * len(faults)}")
    others: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for profile in profiles:
        cells = []
        for fault in faults:
            hours = [_noticed(profile, fault, seed, when, others[fault]) for seed in range(lives)]
            median = statistics.median(hours)
            cells.append("–" if math.isinf(median) else f"{median:.1f}" if median < 10 else f"{median:.0f}")
        print(f"| {profile.name} | {' | '.join(cells)} |", flush=True)
    print()
    for fault, kinds in others.items():
        if kinds:
            print(f"of {fault}, before what was meant: {_kinds(kinds)}")


def _noticed(profile: Profile, fault: str, seed: int, when: str, others: Counter[str]) -> float:
    meant = "never_worked" if when == "never" else MEANT[fault]
    at, since, length = START, 0, FIRST_WEEKS
    if when != "never":
        hours = random.Random(f"{seed}{fault}").randrange(24 * 7 if when == "late" else 24)  # noqa: S311
        at += timedelta(days=LEARNED + 5 if when == "late" else FIRST_WEEK, hours=hours)
    if when == "late":
        since, length = LEARNED, LEARNED + WATCHED
    for now, one in watched(Life(profile, 1000 + seed, fault, at, length), meant, since):
        if now > at and one.kind == meant:
            return (now - at) / HOUR
        if now > at:
            others[one.kind] += 1
    return math.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=12, help="of each source, well")
    parser.add_argument("--faulty", type=int, default=3, help="lives with each fault")
    parser.add_argument("--when", choices=("late", "early", "never"), help="only faults that begin then")
    parser.add_argument("--source", help="only sources with this in their name")
    parser.add_argument("--fault", help="only faults with this in their name")
    given = parser.parse_args()
    profiles = [one for one in PROFILES if (given.source or "") in one.name]
    started = time.monotonic()
    if given.lives:
        false_alarms(given.lives, profiles)
    for faults, when in ((tuple(MEANT), "late"), (EARLY, "early"), (NEVER, "never")):
        chosen = [fault for fault in faults if (given.fault or "") in fault]
        if given.faulty and chosen and given.when in (None, when):
            detection(given.faulty, chosen, profiles, when)
    print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
