"""Whether a source's pages and lists come, and what that costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crawler.health.chance import DOUBT, has_fallen
from crawler.health.model import Day, Finding, Present, Severity
from crawler.health.past import (
    GOOD_LISTS,
    LEAST_PAGES,
    LEAST_ROW,
    LIMIT,
    chance_limit,
    days_before,
    row_of,
    up_to_the_last_good,
    words_of,
)
from crawler.health.rhythm import HOUR, LEAST_DAYS, midnight
from crawler.health.wording import listed, percent, span

SLOW, SLOW_SECONDS = 3.0, 2.0  # times what is usual, and seconds an answer
AWAY = timedelta(minutes=50)  # for less, a host may be away
ALL_FAIL = 2  # times in a row, each of its lists
WALLS = frozenset(("forbidden", "bot_challenge", "consent_wall", "rate_limited"))
ROBOTS = frozenset(("robots_forbidden",))
NOT_FAILED = frozenset(
    ("article", "live_blog", "video", "gallery", "paywall_stub", "not_modified", "duplicate", "moved", "listing_url")
)
EMPTY = frozenset(("listing", "no_content", "no_body", "no_headline", "not_an_article", "soft_404"))


def unreached(past: Sequence[Day], present: Present, now: datetime) -> Iterator[Finding]:
    """What is told of pages and lists that do not come."""
    days = [*past, present.today]
    if lists := _lists(past, days, present, now):
        yield lists
    before = up_to_the_last_good(
        days_before(past, present, "errors", "blocked", "robots"), lambda day: bool(day.fetched or day.unchanged)
    )
    came = sum(day.fetched + day.unchanged for day in before)
    failed = sum(day.failed for day in before)
    row = row_of(days, "failed_row", lambda day: bool(day.fetched or day.unchanged))
    if came + failed < LEAST_PAGES:
        return
    usual, opened = came / (came + failed), {"errors", "blocked", "robots"} & present.open.keys()
    today = present.today
    now_came, now_failed = today.fetched + today.unchanged, today.failed
    fallen = has_fallen(now_came, now_came + now_failed, usual, LIMIT)
    since = max((day.came_at for day in days if day.came_at), default=None)
    in_a_row = (
        usual > 0.2
        and row >= LEAST_ROW
        and (1 - DOUBT * usual) ** row < chance_limit(came + failed, before)
        and (since is None or now - since >= AWAY)
    )
    still = opened and (row > 0 or now_came < 0.5 * usual * (now_came + now_failed))
    if not (fallen or in_a_row or still):
        return
    words = words_of(days[-2:] if row > today.failed else [today], lambda word: word not in NOT_FAILED | EMPTY)
    kind, severity = _kind_of(words)
    sentence = (
        f"{row} pages in a row did not come"
        if in_a_row or (still and row)
        else f"{now_failed} of {now_came + now_failed} pages did not come today"
    )
    sentence += f" ({listed(words)}); usually {percent(1 - usual)} do not" if words else ""
    yield Finding(kind=kind, severity=severity, sentence=sentence, since=since)


def _lists(past: Sequence[Day], days: Sequence[Day], present: Present, now: datetime) -> Finding | None:
    row = row_of(days, "lists_row", lambda day: day.read_at is not None)
    read_at = max((day.read_at for day in days if day.read_at), default=None)
    if not row or read_at is None:
        return None
    read = sum(day.lists.get(word, 0) for day in past for word in GOOD_LISTS)
    usual = read / max(1, sum(sum(day.lists.values()) for day in past))
    opened = {"feeds_failing", "blocked", "robots"} & present.open.keys()
    by_chance = row < 3 or (1 - DOUBT * usual) ** row > 1e-3 or now - read_at < 2 * HOUR
    if not opened and by_chance and not _all_fail(present, read_at):
        return None
    words = words_of(days[-2:], lambda word: word not in GOOD_LISTS, lists=True)
    kind, _ = _kind_of(words)
    sentence = f"no feed, sitemap or section could be read for {span(now - read_at)} ({row} requests: {listed(words)})"
    return Finding(
        kind=kind if kind in ("blocked", "robots") else "feeds_failing",
        severity="fail",
        sentence=sentence,
        since=read_at,
    )


def _all_fail(present: Present, read_at: datetime) -> bool:
    """Whether each list was seen to fail for a while, whatever the past: what failed is left alone for a time.

    Home pages and sections are asked seldom, so they tell only where there is nothing else.
    """
    feeds = [one for one in present.listings if one.kind in ("feed", "sitemap")] or present.listings
    seen = [one.checked_at - read_at for one in feeds if one.checked_at and one.failures >= ALL_FAIL]
    return bool(seen) and len(seen) == len(feeds) and min(seen) >= AWAY


def _kind_of(words: Mapping[str, int]) -> tuple[str, Severity]:
    """What most of these outcomes mean."""
    groups = {
        "blocked": sum(number for word, number in words.items() if word in WALLS),
        "robots": sum(number for word, number in words.items() if word in ROBOTS),
    }
    groups["errors"] = sum(words.values()) - sum(groups.values())
    return max(groups, key=lambda kind: groups[kind]), "fail"


def slow_answers(past: Sequence[Day], present: Present) -> list[Finding]:
    """What is told of a source whose answers take long."""
    today = present.today
    before = days_before(past, present, "slow")
    means = [day.answer_seconds / day.answers for day in before if day.answers >= 5]
    if len(means) < LEAST_DAYS // 2 or today.answers < 20:
        return []
    usual, now = statistics.median(means), today.answer_seconds / today.answers
    factor = SLOW / 2 if "slow" in present.open else SLOW
    if now < SLOW_SECONDS or now < factor * usual or now < 1.2 * sorted(means)[-2]:
        return []
    sentence = f"its answers take {now:.1f} s today; usually {usual:.1f} s"
    return [Finding(kind="slow", severity="warn", sentence=sentence, since=midnight(today))]
