"""Is a source well? Each is held against its own past. Pure: values in, findings out.

A template that changed (pages come, and no articles are made of them, or poorer ones) is told apart from silence (its
lists are read, and name nothing), from a dead feed, a wall and a host that does not answer: whichever explains the
others is told, and they are not. What was found before is held to be over only when it clearly is (`Present.open`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from crawler.health.articles import leaks, poor_articles
from crawler.health.beginning import never_worked, so_far
from crawler.health.crawled import HANGING, crawling
from crawler.health.model import Day, Finding, Listing, Present, Recent, System
from crawler.health.past import PAST, RECENT
from crawler.health.reach import slow_answers, unreached
from crawler.health.rhythm import LEAST_DAYS, observed
from crawler.health.silence import silences
from crawler.health.volume import fewer
from crawler.health.whole import judge_system

__all__ = [
    "EXACT",
    "HANGING",
    "KINDS",
    "NEEDED",
    "PAST",
    "RECENT",
    "Day",
    "Finding",
    "Listing",
    "Present",
    "Recent",
    "System",
    "judge",
    "judge_system",
    "known",
    "so_far",
]

NEEDED = LEAST_DAYS  # days that have to be known

EXPLAINS = frozenset(("template_changed", "blocked", "errors"))  # why there are no new articles
EXACT = frozenset(("broken_seed",))  # no matter of chance: it is so, or it is not
STOPS = frozenset(("late", "failing"))  # why little is found of what is published
KINDS = {
    "never_worked": "nothing of it was ever stored, and that is no chance any more",
    "silent": "its lists are read and name nothing new, for longer than any usual pause",
    "fewer": "for days it has published far less than in such days before",
    "template_changed": "pages come as always, and no articles, or only poorer ones, are made of them",
    "missing_dates": "its new articles have no dates",
    "missing_authors": "its new articles have no authors",
    "short_bodies": "its new articles are much shorter than usual",
    "leaking": "what used to be dropped is not dropped any more, or had to be taken out of stored articles",
    "errors": "its pages cannot be fetched",
    "blocked": "it shows a wall instead of pages",
    "robots": "its robots.txt forbids now what it allowed",
    "feeds_failing": "none of its feeds, sitemaps and sections can be read",
    "slow": "its answers take much longer than usual",
    "late": "its crawls do not come when they should",
    "failing": "its crawls fail",
    "broken_seed": "its seed file cannot be read any more",
    "hanging": "a crawl of it runs and does nothing",
    "no_scheduler": "nobody queues what is due",
    "no_worker": "jobs wait and no worker is alive",
    "queue_behind": "jobs wait for too long",
    "worker_lost": "a worker vanished",
    "scheduler_lost": "the scheduler that led vanished, within the last hour",
    "restarted": "the database was started anew under workers or a scheduler, within the last hour",
    "trouble": "the scheduler cannot do something",
    "connections": "the database is nearly out of connections",
}


def known(past: Sequence[Day]) -> int:
    """How many days of those that a judgement needs (LEAST_DAYS) are known."""
    return min(LEAST_DAYS, len(observed(past)))


def judge(past: Sequence[Day], present: Present, now: datetime) -> list[Finding]:
    """What is wrong with a source. `past`: its days before today, oldest first."""
    if present.disabled:
        return []
    if present.seed_lost:
        first, _, more = present.seed_lost.partition("\n")
        sentence = f"{first} (and more)" if more else first
        return [
            Finding(kind="broken_seed", severity="fail", sentence=sentence, since=None),
            *crawling(past, present, now),
        ]
    running = crawling(past, present, now)
    if not present.has_articles:  # there is no past to hold it against, and one thing to tell
        never = None if any(one.kind == "failing" for one in running) else never_worked(past, present, now)
        return [*running, *filter(None, [never]), *slow_answers(past, present)]
    reach = list(unreached(past, present, now))
    made = list(poor_articles(past, present, now)) if not reach else []
    explained = bool(reach) or any(one.kind in EXPLAINS for one in made)
    quiet = [] if explained else silences(past, present, now)
    explained = explained or bool(quiet) or any(one.kind in STOPS for one in running)
    less = fewer(past, present) if "fewer" in present.open or not explained else []  # what is open is not over by that
    found = [*running, *reach, *made, *quiet, *less, *slow_answers(past, present), *leaks(past, present)]
    return list({one.kind: one for one in reversed(found)}.values())[::-1]  # one of a kind, the first
