"""Sources held against their own past: what is wrong is told apart, and what is only quiet is not wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.health import MEANT, watched
from benchmarks.health_lives import PROFILES, START, Life
from crawler.health import NEEDED, Day, Finding, Listing, Present, Recent, System, judge, judge_system
from crawler.health.chance import at_most
from crawler.health.losses import WorkerLife, unreplaced
from crawler.health.rhythm import rhythm

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)  # a Thursday
HOURS = (0,) * 6 + (2,) * 16 + (0,) * 2
LISTS = {"read": 20, "not_modified": 28}


def a_day(ago: int = 0, **changes: Any) -> Day:
    """One of a source with 32 articles a day, as it should be."""
    at = NOW - timedelta(days=ago)
    day = Day(
        day=at.date(),
        articles=32,
        by_hour=HOURS,
        dated=31,
        signed=24,
        words=400,
        stored=32,
        rejected=3,
        fetched=40,
        unchanged=20,
        failed=1,
        came_at=at,
        announced=36,
        dropped_blocks=120,
        outcomes={"article": 32, "not_found": 1, "listing": 3, "not_modified": 20},
        lists=LISTS,
        read_at=at - timedelta(minutes=10),
        answers=100,
        answer_seconds=40.0,
        crawls=48,
    )
    return replace(day, **changes)


def past(days: int = 56, **changes: Any) -> list[Day]:
    return [a_day(ago, **changes) for ago in range(days, 0, -1)]


def recent(number: int = 40, **changes: Any) -> tuple[Recent, ...]:
    """Its latest articles, two an hour."""
    values: dict[str, Any] = {"dated": True, "signed": True, "words": 400} | changes
    return tuple(Recent(NOW - timedelta(hours=index / 2), **values) for index in range(number))


def present(today: Day | None = None, **changes: Any) -> Present:
    by_hour = tuple(n if hour < NOW.hour else 0 for hour, n in enumerate(HOURS))
    given: dict[str, Any] = {"today": today or a_day(by_hour=by_hour), "recent": recent(), "crawled_at": NOW} | changes
    return Present(source="herald", **given)


def kinds(found: list[Finding]) -> list[str]:
    return [one.kind for one in found]


def test_as_usual() -> None:
    assert judge(past(), present(), NOW) == []


def test_silence_says_what_was_to_be_expected() -> None:
    morning = tuple(n if hour < 10 else 0 for hour, n in enumerate(HOURS))
    quiet = [*past()[:-1], a_day(1, by_hour=morning)]
    nothing = a_day(by_hour=(0,) * 24, stored=0)
    (one,) = judge(quiet, present(nothing), NOW)
    assert (one.kind, one.severity) == ("silent", "fail")
    assert one.sentence == "0 articles in 28 h; usually 37 in that time, 16 on a Thursday by this hour"
    assert one.since == datetime(2026, 11, 25, 10, tzinfo=UTC)


def test_nobody_looked_is_no_silence() -> None:
    nothing = a_day(by_hour=(0,) * 24, stored=0, articles=0, lists={}, crawls=0, read_at=None)
    assert judge(past(), present(nothing, crawled_at=NOW - timedelta(hours=1)), NOW) == []


def test_what_is_too_little_known_is_not_judged() -> None:
    nothing = a_day(by_hour=(0,) * 24, stored=0)
    for days in (0, 3, NEEDED - 1):
        assert "silent" not in kinds(judge(past(days), present(nothing), NOW))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("template_changed", {"rejected": 20, "rejected_row": 20, "outcomes": {"no_body": 20}}),
        ("blocked", {"rejected": 20, "rejected_row": 20, "outcomes": {"bot_challenge": 18, "no_body": 2}}),
        ("errors", {"rejected": 20, "rejected_row": 20, "outcomes": {"extraction_crashed": 20}}),
        ("errors", {"failed": 20, "failed_row": 20, "fetched": 0, "unchanged": 0, "outcomes": {"timeout": 20}}),
        ("blocked", {"failed": 20, "failed_row": 20, "fetched": 0, "unchanged": 0, "outcomes": {"forbidden": 20}}),
        ("robots", {"failed": 9, "failed_row": 9, "fetched": 0, "unchanged": 0, "outcomes": {"robots_forbidden": 9}}),
        ("feeds_failing", {"lists": {"server_error": 30}, "lists_row": 30}),
        ("robots", {"lists": {"robots_forbidden": 30}, "lists_row": 30}),
    ],
)
def test_what_explains_the_silence_is_told_instead(kind: str, changes: dict[str, Any]) -> None:
    """A source without a new article for a day: for each of these reasons it is that, and nothing else."""
    quiet = [*past()[:-1], a_day(1, by_hour=(0,) * 24, articles=0, stored=0, rejected=0, fetched=0, read_at=None)]
    today = a_day(by_hour=(0,) * 24, articles=0, stored=0, came_at=None)
    today = replace(today, **{"read_at": None} | changes if "lists" in changes else changes)
    found = judge(quiet, present(today), NOW)
    assert kinds(found) == [kind]
    assert str(max(changes[name] for name in changes if name.endswith("_row"))) in found[0].sentence


def test_what_is_missing() -> None:
    assert kinds(judge(past(), present(recent=recent(dated=False)), NOW)) == ["missing_dates"]
    assert kinds(judge(past(), present(recent=recent(signed=False)), NOW)) == ["missing_authors"]
    assert kinds(judge(past(), present(recent=recent(words=60)), NOW)) == ["short_bodies"]
    (both,) = judge(past(), present(recent=recent(signed=False, words=60)), NOW)
    assert both.kind == "template_changed"
    assert "have no author; usually 25 % have none; the last articles have 60 words; usually 400" in both.sentence


def test_it_is_over_when_it_clearly_is() -> None:
    """Of the last six articles one has an author: not yet. Four: over."""
    opened = {"missing_authors": NOW - timedelta(days=2)}
    few = (*recent(1), *recent(39, signed=False))
    assert kinds(judge(past(), present(recent=few, open=opened), NOW)) == []
    none = (*recent(1, signed=False), *recent(1), *recent(38, signed=False))
    assert kinds(judge(past(), present(recent=none, open=opened), NOW)) == ["missing_authors"]
    most = (*recent(4), *recent(36, signed=False))
    assert judge(past(), present(recent=most, open=opened), NOW) == []


def test_slow_and_leaking() -> None:
    by_hour = present().today.by_hour
    assert kinds(judge(past(), present(a_day(by_hour=by_hour, answer_seconds=400.0)), NOW)) == ["slow"]
    assert judge(past(answer_seconds=300.0), present(a_day(by_hour=by_hour, answer_seconds=400.0)), NOW) == []
    days = past()[:-2] + [a_day(ago, dropped_blocks=4) for ago in (2, 1)]
    assert kinds(judge(days, present(a_day(by_hour=by_hour, dropped_blocks=4)), NOW)) == ["leaking"]
    (leak,) = judge(past(leaked=1), present(a_day(by_hour=by_hour, leaked=300)), NOW)
    assert leak.sentence == "302 blocks had got into stored articles and were taken out in 3 days; usually 3"


def test_late_failing_hanging_broken() -> None:
    hours = timedelta(hours=1)
    assert kinds(judge(past(), present(crawled_at=NOW - 4 * hours), NOW)) == ["late"]
    assert kinds(judge(past(), present(due_at=NOW - 2 * hours, crawled_at=NOW - 3 * hours), NOW)) == ["late"]
    assert judge(past(), present(due_at=NOW - 2 * hours, crawling_since=NOW, moved_at=NOW), NOW) == []
    by_cron = present(due_at=NOW - 200 * hours, crawled_at=NOW - hours)
    assert judge(past(), by_cron, NOW) == [], "due since a scheduler was last there, and crawled all the same"
    assert kinds(judge(past(), present(crawled_at=NOW - 4 * hours, retired=True), NOW)) == []
    few = [*past()[:-1], a_day(1, crawls=2)]
    failed = present(a_day(crawls=5, crawls_failed=4, failed_why="its process is gone"), crawled_at=NOW - 9 * hours)
    (one,) = judge(few, failed, NOW)
    assert (one.kind, one.sentence) == ("failing", "4 of its last 7 crawls failed, the last: its process is gone")
    given_up = present(job_failed="no host", job_failed_at=NOW, crawled_at=NOW - hours)
    assert kinds(judge(past(), given_up, NOW)) == ["failing"]
    still = present(crawling_since=NOW - 3 * hours, moved_at=NOW - hours)
    (one,) = judge(past(), still, NOW)
    assert one.sentence == "a crawl runs for 3 h and has done nothing for 60 min"
    assert kinds(judge(past(), present(seed_lost="herald.yaml: no homepage"), NOW)) == ["broken_seed"]
    assert judge(past(), present(disabled=True, seed_lost="x", job_failed_at=NOW), NOW) == []


def test_the_whole() -> None:
    at, hour = NOW - timedelta(minutes=20), NOW - timedelta(hours=2)
    assert judge_system(System(connections=5, most_connections=97, waiting=3, waiting_since=at, workers=2), NOW) == []
    found = judge_system(
        System(
            overdue=3,
            due_since=at,
            ticked_at=at,
            waiting=3,
            waiting_since=at,
            workers=0,
            connections=95,
            most_connections=97,
            lost=("a (process 7)",),
            schedulers_lost=("b (process 8)",),
            scheduler_lost_at=at,
            restarted_at=at,
            trouble=("seeds: x",),
        ),
        NOW,
    )
    told = ["no_scheduler", "no_worker", "worker_lost", "scheduler_lost", "restarted", "trouble", "connections"]
    assert kinds(found) == told
    assert "3 sources are due and not queued for up to 20 min" in found[0].sentence
    for ticked_at in (NOW, None):  # one that ticks is there; or none was ever meant to be
        assert judge_system(System(overdue=3, due_since=hour, ticked_at=ticked_at), NOW) == []
    assert kinds(judge_system(System(waiting=9, waiting_since=hour, workers=1), NOW)) == ["queue_behind"]


@pytest.mark.parametrize(
    ("lives", "missing"),
    [
        ("a+0 b+1 a!9", "a"),  # the other is nobody's successor
        ("a+0 b+1 b!9", "b"),
        ("a+0 b+1 a!9 c+10", ""),
        ("a+0 b+1 a!9 b!10 c+11", "a"),
        ("a+0 b+1 a!9 b-10 c+11", "a"),  # the other was started anew
        ("a+0 b+1 a-9 b!10 c+11", ""),  # one of two was stopped for good
        ("a+0 a!9 c+10 c-12", ""),  # replaced, and that one stopped
        ("a+0 a!9 c+10 c!12", "c"),
    ],
)
def test_a_worker_is_lost_until_one_is_started_in_its_place(lives: str, missing: str) -> None:
    moments = {one[:2]: NOW + timedelta(minutes=int(one[2:])) for one in lives.split()}
    found = [
        WorkerLife(
            host="vm",
            pid=ord(name),
            started_at=moments[f"{name}+"],
            gone_at=moments.get(f"{name}!") or moments.get(f"{name}-"),
            vanished=f"{name}!" in moments,
        )
        for name in sorted({one[0] for one in moments})
    ]
    elsewhere = WorkerLife(host="other", pid=1, started_at=NOW + timedelta(hours=1))
    assert "".join(chr(one.pid) for one in unreplaced([*found, elsewhere])) == missing


def test_less_than_usual_for_a_week() -> None:
    """A feed of two broke: it is told after whole days, names what cannot be read, and is over when most is back."""
    half = tuple(number // 2 for number in HOURS)
    (listing,) = broken = (Listing("https://x/b", "feed", "not_found", 9, 0, NOW),)
    for days, expected in ((3, []), (14, ["fewer"])):
        weeks = [*past(56)[:-days], *(a_day(ago, by_hour=half) for ago in range(days, 0, -1))]
        found = judge(weeks, present(listings=broken), NOW)
        assert kinds(found) == expected
    (one,) = found
    assert (one.severity, one.since) == ("warn", datetime(2026, 11, 12, tzinfo=UTC))
    assert one.sentence == f"224 articles in 14 days; usually 448 in as many; cannot be read: {listing.url} (not_found)"
    opened = {"fewer": NOW - timedelta(days=1)}
    assert kinds(judge(weeks, present(open=opened), NOW)) == ["fewer"]
    back = [*weeks[4:], *(a_day(ago) for ago in range(4, 0, -1))]
    back = [replace(day, day=(NOW - timedelta(days=len(back) - index)).date()) for index, day in enumerate(back)]
    assert judge(back, present(open=opened), NOW) == []
    hidden = present(open={}, job_failed="no host", job_failed_at=NOW, crawled_at=NOW - timedelta(hours=1))
    assert kinds(judge(weeks, hidden, NOW)) == ["failing"], "explained by what is told already"


@pytest.mark.parametrize(
    ("off", "changes"),
    [
        (range(1, 5), {"by_hour": (0,) * 20 + (1,) * 4}),  # a long weekend
        (range(1, 8), {"by_hour": (0,) * 24, "articles": 0}),  # a week off, which is a silence if it is anything
        (range(1, 8), {"by_hour": (0,) * 20 + (1,) * 4, "crawls": 2}),  # the crawler hardly ran
    ],
)
def test_what_is_not_less_than_usual(off: Sequence[int], changes: dict[str, Any]) -> None:
    weeks = [a_day(ago, **changes) if ago in off else a_day(ago) for ago in range(56, 0, -1)]
    assert "fewer" not in kinds(judge(weeks, present(), NOW))


def never(age: timedelta, crawls: int, *listings: Listing, **today: Any) -> list[Finding]:
    """What is found of a source without an article, that was first crawled so long ago."""
    days = max(0, (NOW.date() - (NOW - age).date()).days)
    blank: dict[str, Any] = dict.fromkeys(("articles", "stored", "rejected", "fetched", "unchanged", "failed"), 0)
    blank |= {"by_hour": (0,) * 24, "outcomes": {}, "lists": {}, "read_at": None, "came_at": None, "crawls": 0}
    before = [a_day(ago, **blank) for ago in range(days, 0, -1)]
    now = present(
        a_day(**{**blank, "crawls": crawls, **today}),
        recent=(),
        listings=listings,
        has_articles=False,
        begun_at=NOW - age,
    )
    return judge(before, now, NOW)


MINUTES, DAYS = timedelta(minutes=1), timedelta(days=1)
DEAD = Listing("https://x/rss", "feed", "timeout", 2)
EMPTY = Listing("https://x/rss", "feed", "read")
BARE = Listing("https://x/", "homepage", "read")
FULL = Listing("https://x/rss", "feed", "read", 0, 20)
BAD = {"rejected": 9, "outcomes": {"no_body": 9}}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (never(5 * MINUTES, 1, DEAD), None),  # a minute ago
        (never(49 * MINUTES, 9, DEAD), None),  # the host may be away
        (never(50 * MINUTES, 2, DEAD), None),
        (never(50 * MINUTES, 3, DEAD), "none of its lists can be read (feed https://x/rss: timeout)"),
        (never(1 * DAYS, 1, DEAD), None),
        (never(1 * DAYS, 2, DEAD), "none of its lists can be read (feed https://x/rss: timeout)"),
        (never(60 * MINUTES, 5, FULL, **BAD), "no page of 9 became an article (no_body 9)"),
        (never(60 * MINUTES, 5, FULL, rejected=3, outcomes={"no_body": 3}), None),  # of so few it may be chance
        (
            never(5 * DAYS, 5, FULL, rejected=3, outcomes={"no_body": 3}),
            "no page of 3 became an article (no_body 3)",
        ),
        (never(60 * MINUTES, 5, BARE), "its lists name no article (homepage https://x/: read)"),
        (never(60 * MINUTES, 5, EMPTY), None),  # a news sitemap on a long weekend
        (never(5 * DAYS, 5, EMPTY), "its lists name no article (feed https://x/rss: read)"),
        (never(60 * MINUTES, 5, FULL), None),
        (never(5 * DAYS, 5, FULL, outcomes={"duplicate": 20}), "its pages ended as duplicate 20"),
        (never(60 * MINUTES, 5, DEAD, articles=1), None),
    ],
)
def test_a_source_that_never_worked(found: list[Finding], why: str | None) -> None:
    if why is None:
        assert found == []
        return
    (one,) = found
    assert (one.kind, one.severity) == ("never_worked", "fail")
    assert one.sentence.startswith("nothing was ever stored, in ") and one.sentence.endswith(f": {why}")


def test_lists_that_fail_are_told_whatever_the_past_once_they_were_seen_to_for_a_while() -> None:
    """The first day of a source, whose feeds rest after each failure: two requests in an hour and ten minutes."""
    read_at = NOW - 70 * MINUTES
    today = a_day(read_at=read_at, lists={"read": 9, "server_error": 6}, lists_row=6)
    for checked_at, failures, expected in (
        (NOW - 55 * MINUTES, 2, []),  # and not since
        (NOW - 5 * MINUTES, 1, []),
        (NOW - 5 * MINUTES, 3, ["feeds_failing"]),
    ):
        feeds = [Listing(f"https://x/{name}", "feed", "server_error", failures, 0, checked_at) for name in "ab"]
        section = Listing("https://x/news", "section", "read", 0, 9, NOW - 3 * DAYS)
        assert kinds(judge([], present(today, listings=(*feeds, section)), NOW)) == expected
        assert judge([], present(today, listings=(feeds[0], replace(feeds[1], failures=0))), NOW) == []


@pytest.mark.parametrize("name", ["1 a day, workdays", "3 a day, closed for a week", "10 a day, in bursts"])
def test_sundays_holidays_and_a_week_off_raise_nothing(name: str) -> None:
    """90 days of an invented life; benchmarks/health.py does many more."""
    (profile,) = [one for one in PROFILES if one.name == name]
    assert list(watched(Life(profile, 7))) == []


def test_a_fault_is_seen_as_what_it_is() -> None:
    (profile,) = [one for one in PROFILES if one.name == "30 a day, regional"]
    at = START + timedelta(days=58, hours=9)
    for fault in ("silent", "template", "wall", "dead feed"):
        (found,) = watched(Life(profile, 7, fault, at), MEANT[fault])
        assert found[1].kind == MEANT[fault]
        assert at < found[0] < at + timedelta(hours=36)


def test_new_lives() -> None:
    """Well from the first minute, and nothing is told; with a fault, and it is told within the hour or two."""
    (profile,) = [one for one in PROFILES if one.name == "30 a day, regional"]
    assert list(watched(Life(profile, 3, length=14), since=0)) == []
    for fault in ("mistyped", "no articles"):
        (found,) = watched(Life(profile, 3, fault, START, length=1), "never_worked", since=0)
        assert found[0] - START < timedelta(hours=2)
    at = START + timedelta(days=3)
    for fault in ("short bodies", "no dates"):
        (found,) = watched(Life(profile, 3, fault, at, length=7), MEANT[fault], since=0)
        assert found[1].kind == MEANT[fault]


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_chances(number: int, share: float) -> None:
    chances = [at_most(hits, number, share) for hits in range(number + 1)]
    assert chances == sorted(chances)
    assert chances[-1] == pytest.approx(1.0)


@given(
    st.lists(
        st.builds(
            Day,
            day=st.dates(datetime(2026, 1, 1).date(), datetime(2026, 12, 1).date()),
            articles=st.integers(0, 5),
            by_hour=st.one_of(st.just(()), st.lists(st.integers(0, 9), min_size=24, max_size=24).map(tuple)),
            dated=st.integers(0, 9),
            words=st.none() | st.integers(0, 900),
            stored=st.integers(0, 50),
            rejected=st.integers(0, 50),
            rejected_row=st.integers(0, 50),
            fetched=st.integers(0, 50),
            failed_row=st.integers(0, 50),
            lists_row=st.integers(0, 9),
            outcomes=st.dictionaries(st.sampled_from(["timeout", "no_body", "article"]), st.integers(0, 9)),
            crawls=st.integers(0, 3),
            crawls_failed=st.integers(0, 3),
            read_at=st.none() | st.just(NOW),
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_whatever_the_past_it_can_be_judged(days: list[Day], opened: bool) -> None:
    *before, today = [*days, Day(day=NOW.date())]
    open_ = dict.fromkeys(("silent", "template_changed", "errors", "slow"), NOW - timedelta(days=3)) if opened else {}
    for one in judge(before, Present(source="x", today=today, recent=recent(12), open=open_), NOW):
        assert one.sentence
    made = rhythm(before)
    assert made is None or made.expected(NOW, NOW + timedelta(days=7)) == pytest.approx(7 * made.daily, rel=0.9)
