"""Whether a source is crawled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from crawler.health.model import Day, Finding, Present
from crawler.health.rhythm import LEAST_DAYS
from crawler.health.wording import span

LATE, LATE_LEAST = 3, timedelta(hours=2)  # times the usual distance between crawls
DUE_LATE = timedelta(hours=1)
HANGING = timedelta(minutes=20)  # without doing anything


def crawling(past: Sequence[Day], present: Present, now: datetime) -> list[Finding]:
    """What is told of its crawls: late, failing, hanging."""
    found = []
    if present.crawling_since and now - (present.moved_at or present.crawling_since) > HANGING:
        idle = now - (present.moved_at or present.crawling_since)
        sentence = f"a crawl runs for {span(now - present.crawling_since)} and has done nothing for {span(idle)}"
        found.append(Finding(kind="hanging", severity="warn", sentence=sentence, since=present.moved_at))
    if failing := _failing(past, present):
        found.append(failing)
    elif late := _late(past, present, now):
        found.append(late)
    return found


def _failing(past: Sequence[Day], present: Present) -> Finding | None:
    after = present.crawled_at
    if present.job_failed_at and (after is None or present.job_failed_at > after):
        sentence = f"its job was given up: {present.job_failed or 'no reason is known'}"
        return Finding(kind="failing", severity="fail", sentence=sentence, since=present.job_failed_at)
    days = [*past[-1:], present.today]
    failed = sum(day.crawls_failed for day in days)
    ended = sum(day.crawls for day in days)
    if failed >= 3 and 2 * failed > ended:
        why = next((day.failed_why for day in reversed(days) if day.failed_why), None)
        sentence = f"{failed} of its last {ended} crawls failed, the last: {why or 'no reason is known'}"
        return Finding(kind="failing", severity="fail", sentence=sentence, since=after)
    return None


def _late(past: Sequence[Day], present: Present, now: datetime) -> Finding | None:
    """By its schedule, or by what it is used to where a cron elsewhere is its schedule."""
    crawled_since = present.due_at and present.crawled_at and present.crawled_at >= present.due_at  # by whomever
    if present.due_at and now - present.due_at > DUE_LATE and not (crawled_since or present.crawling_since):
        sentence = f"its crawl has been due for {span(now - present.due_at)}"
        return Finding(kind="late", severity="warn", sentence=sentence, since=present.due_at)
    days = past[-LEAST_DAYS:]
    crawls = sum(day.crawls for day in days)
    if present.retired or present.crawled_at is None or present.crawling_since or len(days) < LEAST_DAYS:
        return None
    if (
        not all(day.crawls for day in days[: LEAST_DAYS // 2])
        or sum(map(bool, (d.crawls for d in days))) < LEAST_DAYS - 4
    ):
        return None  # no daily habit
    usual = timedelta(days=sum(1 for day in days if day.crawls) / crawls)
    late = now - present.crawled_at
    if late <= max(LATE * usual, LATE_LEAST) or (usual > timedelta(hours=12) and late < timedelta(days=3)):
        return None
    sentence = f"no crawl of it has ended for {span(late)}; usually one every {span(usual)}"
    return Finding(kind="late", severity="warn", sentence=sentence, since=present.crawled_at)
