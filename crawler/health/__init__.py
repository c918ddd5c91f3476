"""Is a source well? Each is held against its own past. Pure: values in, findings out.

A template that changed (pages come, and no articles are made of them, or poorer ones) is told apart from silence (its
lists are read, and name nothing), from a dead feed, a wall and a host that does not answer: whichever explains the
others is told, and they are not. What was found before is held to be over only when it clearly is (`Present.open`).
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crawler.health.chance import DOUBT, at_most, has_fallen
from crawler.health.model import Day, Finding, Present, Recent, Severity, System
from crawler.health.rhythm import (
    FALSE_A_YEAR,
    HOUR,
    LEAST_DAYS,
    SHORTEST,
    Rhythm,
    last_article,
    midnight,
    observed,
    rhythm,
)

__all__ = [
    "HANGING",
    "KINDS",
    "NEEDED",
    "PAST",
    "RECENT",
    "Day",
    "Finding",
    "Present",
    "Recent",
    "System",
    "judge",
    "judge_system",
    "known",
]

NEEDED = LEAST_DAYS  # days that have to be known
PAST = timedelta(days=56)  # what a source is held against
RECENT = 40  # articles that are looked at one by one
LIMIT = 1e-6  # of the chance that it is chance
LEAST_PAGES = 20  # of the past, for a share to be known
LEAST_ROW = 6  # pages or articles in a row
AGAIN = 6  # of the latest articles: half of them as usual, and what was missing is back
SHORT = 0.5  # of the bodies of a poor day
SLOW, SLOW_SECONDS = 3.0, 2.0  # times what is usual, and seconds an answer
DROPPED = 0.2  # of the blocks that are usually dropped
LATE, LATE_LEAST = 3, timedelta(hours=2)  # times the usual distance between crawls
DUE_LATE = timedelta(hours=1)
HANGING = timedelta(minutes=20)  # without doing anything
SCHEDULER_LATE, NO_WORKER_LATE, QUEUE_LATE = timedelta(minutes=5), timedelta(minutes=5), timedelta(hours=1)
CONNECTIONS = 0.9  # of those that the database allows

WALLS = frozenset(("forbidden", "bot_challenge", "consent_wall", "rate_limited"))
ROBOTS = frozenset(("robots_forbidden",))
EMPTY = frozenset(("listing", "no_content", "no_body", "no_headline", "not_an_article", "soft_404"))
EXPLAINS = frozenset(("template_changed", "blocked", "errors"))  # why there are no new articles
NOT_FAILED = frozenset(
    ("article", "live_blog", "video", "gallery", "paywall_stub", "not_modified", "duplicate", "moved", "listing_url")
)
KINDS = {
    "silent": "its lists are read and name nothing new, for longer than any usual pause",
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
            *_run(past, present, now),
        ]
    running = _run(past, present, now)
    reach = list(_reach(past, present, now))
    made = list(_made(past, present, now)) if not reach else []
    explained = bool(reach) or any(one.kind in EXPLAINS for one in made)
    quiet = [] if explained else _silent(past, present, now)
    found = [*running, *reach, *made, *quiet, *_slow(past, present), *_leaking(past, present)]
    return list({one.kind: one for one in reversed(found)}.values())[::-1]  # one of a kind, the first


# -- whether it is crawled -----------------------------------------------------------------------------------------


def _run(past: Sequence[Day], present: Present, now: datetime) -> list[Finding]:
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
    if present.due_at is not None and now - present.due_at > DUE_LATE:
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


# -- whether pages and lists come ----------------------------------------------------------------------------------


def _reach(past: Sequence[Day], present: Present, now: datetime) -> Iterator[Finding]:
    days = [*past, present.today]
    if lists := _lists(past, days, present, now):
        yield lists
    before = _until(
        _before(past, present, "errors", "blocked", "robots"), lambda day: bool(day.fetched or day.unchanged)
    )
    came = sum(day.fetched + day.unchanged for day in before)
    failed = sum(day.failed for day in before)
    row = _row(days, "failed_row", lambda day: bool(day.fetched or day.unchanged))
    if came + failed < LEAST_PAGES:
        return
    usual, opened = came / (came + failed), {"errors", "blocked", "robots"} & present.open.keys()
    today = present.today
    now_came, now_failed = today.fetched + today.unchanged, today.failed
    fallen = has_fallen(now_came, now_came + now_failed, usual, LIMIT)
    in_a_row = usual > 0.2 and row >= LEAST_ROW and (1 - DOUBT * usual) ** row < _limit(came + failed, before)
    still = opened and (row > 0 or now_came < 0.5 * usual * (now_came + now_failed))
    if not (fallen or in_a_row or still):
        return
    words = _words(days[-2:] if row > today.failed else [today], lambda word: word not in NOT_FAILED | EMPTY)
    kind, severity = _kind_of(words)
    since = max((day.came_at for day in days if day.came_at), default=None)
    sentence = (
        f"{row} pages in a row did not come"
        if in_a_row or (still and row)
        else f"{now_failed} of {now_came + now_failed} pages did not come today"
    )
    sentence += f" ({_listed(words)}); usually {_percent(1 - usual)} do not" if words else ""
    yield Finding(kind=kind, severity=severity, sentence=sentence, since=since)


def _lists(past: Sequence[Day], days: Sequence[Day], present: Present, now: datetime) -> Finding | None:
    row = _row(days, "lists_row", lambda day: day.read_at is not None)
    read_at = max((day.read_at for day in days if day.read_at), default=None)
    if not row or read_at is None:
        return None
    read = sum(day.lists.get("read", 0) + day.lists.get("not_modified", 0) for day in past)
    usual = read / max(1, sum(sum(day.lists.values()) for day in past))
    opened = {"feeds_failing", "blocked", "robots"} & present.open.keys()
    if not opened and (row < 3 or (1 - DOUBT * usual) ** row > 1e-3 or now - read_at < 2 * HOUR):
        return None
    words = _words(days[-2:], lambda word: word not in ("read", "not_modified"), lists=True)
    kind, _ = _kind_of(words)
    sentence = f"no feed, sitemap or section could be read for {span(now - read_at)} ({row} requests: {_listed(words)})"
    return Finding(
        kind=kind if kind in ("blocked", "robots") else "feeds_failing",
        severity="fail",
        sentence=sentence,
        since=read_at,
    )


def _kind_of(words: Mapping[str, int]) -> tuple[str, Severity]:
    """What most of these outcomes mean."""
    groups = {
        "blocked": sum(number for word, number in words.items() if word in WALLS),
        "robots": sum(number for word, number in words.items() if word in ROBOTS),
    }
    groups["errors"] = sum(words.values()) - sum(groups.values())
    return max(groups, key=lambda kind: groups[kind]), "fail"


# -- what is made of the pages -------------------------------------------------------------------------------------


def _made(past: Sequence[Day], present: Present, now: datetime) -> Iterator[Finding]:
    if no_articles := _rejected(past, present):
        yield no_articles
        return
    poorer = [
        one
        for one in (_missing(past, present, "dated"), _missing(past, present, "signed"), _short(past, present))
        if one
    ]
    if len(poorer) > 1 or (poorer and "template_changed" in present.open):
        sentence = "its articles have changed: " + "; ".join(one.sentence for one in poorer)
        since = min((one.since for one in poorer if one.since), default=None)
        yield Finding(kind="template_changed", severity="fail", sentence=sentence, since=since)
    else:
        yield from poorer


def _rejected(past: Sequence[Day], present: Present) -> Finding | None:
    days = [*past, present.today]
    before = _until(_before(past, present, "template_changed", "blocked"), lambda day: bool(day.stored))
    good, bad = sum(day.stored for day in before), sum(day.rejected for day in before)
    if good + bad < LEAST_PAGES:
        return None
    usual, today = good / (good + bad), present.today
    row = _row(days, "rejected_row", lambda day: bool(day.stored))
    in_a_row = usual > 0.1 and row >= LEAST_ROW and (1 - DOUBT * usual) ** row < _limit(good + bad, before)
    fallen = has_fallen(today.stored, today.stored + today.rejected, usual, LIMIT)
    still = {"template_changed", "blocked"} & present.open.keys() and row > 0
    if not (in_a_row or fallen or still):
        return None
    words = _words(days[-2:], lambda word: word in EMPTY | WALLS or word.startswith("extraction_"))
    walls = sum(number for word, number in words.items() if word in WALLS)
    broken = sum(number for word, number in words.items() if word.startswith("extraction_"))
    kind = "blocked" if 2 * walls > sum(words.values()) else "template_changed"
    kind = "errors" if 2 * broken > sum(words.values()) else kind
    told = (
        f"{row} pages in a row were"
        if in_a_row or still
        else f"{today.rejected} of today's {today.stored + today.rejected} new pages were"
    )
    sentence = f"{told} no articles ({_listed(words)}); usually {_percent(1 - usual)} are none"
    return Finding(kind=kind, severity="fail", sentence=sentence, since=last_article(days))


def _missing(past: Sequence[Day], present: Present, what: str) -> Finding | None:
    kind = {"dated": "missing_dates", "signed": "missing_authors"}[what]
    has = [bool(getattr(one, what)) for one in present.recent]
    row = next((index for index, one in enumerate(has) if one), len(has))
    if not row:
        return None
    before = _before(past, present, kind, "template_changed")
    usual = _share(before, present.recent[row - 1].stored_at, what)
    whole = _share(before, present.recent[-1].stored_at, what)
    since = present.recent[row - 1].stored_at
    limit = _limit(sum(day.fresh for day in before), before)
    if usual is not None and usual > 0.1 and row >= LEAST_ROW and (1 - DOUBT * usual) ** row < limit:
        found, share = row, usual
    elif whole is not None and has_fallen(sum(has), len(has), whole, LIMIT):
        found, share, since = len(has) - sum(has), whole, present.recent[-1].stored_at
    elif {kind, "template_changed"} & present.open.keys() and usual and sum(has[:AGAIN]) < 0.5 * usual * AGAIN:
        found, share = row, usual
    else:
        return None
    told = f"the last {row} articles" if found == row else f"{found} of the last {len(has)} articles"
    word = "date" if what == "dated" else "author"
    sentence = f"{told} have no {word}; usually {_percent(1 - share)} have none"
    return Finding(kind=kind, severity="warn", sentence=sentence, since=since)


def _share(days: Sequence[Day], until: datetime, what: str) -> float | None:
    """Of the fresh articles before that day; None: too few."""
    chosen = [day for day in days if day.day < until.date()]
    number = sum(day.fresh for day in chosen)
    return sum(getattr(day, what) for day in chosen) / number if number >= LEAST_PAGES else None


def _short(past: Sequence[Day], present: Present) -> Finding | None:
    recent = present.recent[: RECENT // 2]
    if len(recent) < 10:
        return None
    before = _before(past, present, "short_bodies", "template_changed")
    medians = sorted(day.words for day in before if day.words and day.day < recent[-1].stored_at.date())
    if len(medians) < LEAST_DAYS // 2:
        return None
    usual, poor = statistics.median(medians), medians[len(medians) // 10]
    short = [one.words < SHORT * poor for one in recent]
    opened = {"short_bodies", "template_changed"} & present.open.keys()
    by_chance = at_most(len(short) - sum(short), len(short), 0.75)
    if by_chance > LIMIT and not (opened and 2 * sum(short[:AGAIN]) > AGAIN):
        row = next((index for index, one in enumerate(short) if not one), len(short))
        if row < 10 or 0.25**row > LIMIT:
            return None
    now = statistics.median(one.words for one in recent[:10])
    sentence = f"the last articles have {now:.0f} words; usually {usual:.0f}"
    return Finding(kind="short_bodies", severity="warn", sentence=sentence, since=recent[len(short) - 1].stored_at)


# -- whether anything is published ---------------------------------------------------------------------------------


def _silent(past: Sequence[Day], present: Present, now: datetime) -> list[Finding]:
    days = [*past, present.today]
    last = last_article(days)
    opened = present.open.get("silent")
    looked = max((day.read_at for day in days if day.read_at), default=present.crawled_at)
    if last is None or looked is None:
        return [_silence(None, None, now)] if opened and last is None else []
    if looked - last < SHORTEST and not (opened and last < opened):
        return []
    usual = rhythm(_until(_before(past, present, "silent"), lambda day: bool(day.fresh)))
    if not (opened and last < opened) and not (usual and usual.is_silence(last, min(looked, now))):
        return []
    return [_silence(usual, last, now)]


def _silence(usual: Rhythm | None, last: datetime | None, now: datetime) -> Finding:
    if usual is None or last is None:
        return Finding(kind="silent", severity="fail", sentence="no new article for weeks", since=last)
    sentence = f"0 articles in {span(now - last)}; usually {_number(usual.expected(last, now))} in that time"
    midnight_ = now.replace(hour=0, minute=0, second=0, microsecond=0)
    by_now = usual.expected(midnight_, now)
    if by_now >= 1 and last <= midnight_:
        sentence += f", {_number(by_now)} on a {now:%A} by this hour"
    return Finding(kind="silent", severity="fail", sentence=sentence, since=last)


# -- what it costs, what gets in -----------------------------------------------------------------------------------


def _slow(past: Sequence[Day], present: Present) -> list[Finding]:
    today = present.today
    before = _before(past, present, "slow")
    means = [day.answer_seconds / day.answers for day in before if day.answers >= 5]
    if len(means) < LEAST_DAYS // 2 or today.answers < 20:
        return []
    usual, now = statistics.median(means), today.answer_seconds / today.answers
    factor = SLOW / 2 if "slow" in present.open else SLOW
    if now < SLOW_SECONDS or now < factor * usual or now < 1.2 * sorted(means)[-2]:
        return []
    sentence = f"its answers take {now:.1f} s today; usually {usual:.1f} s"
    return [Finding(kind="slow", severity="warn", sentence=sentence, since=midnight(today))]


def _leaking(past: Sequence[Day], present: Present) -> list[Finding]:
    """What was dropped is dropped no more; or much had to be taken out again."""
    days, before = [*past[-2:], present.today], _before(past[:-2], present, "leaking")
    stored, articles = sum(day.stored for day in before), sum(day.stored for day in days)
    if stored < LEAST_PAGES or articles < 20:
        return []
    usual, now = sum(day.dropped_blocks for day in before) / stored, sum(day.dropped_blocks for day in days) / articles
    rows = [day.dropped_blocks / day.stored for day in before if day.stored >= 5]
    poor = sorted(rows)[1] if len(rows) > 2 else 0.0
    factor = 2 if "leaking" in present.open else 1
    if usual >= 1 and now < DROPPED * factor * usual and now < 0.5 * factor * poor:
        sentence = f"{now:.1f} blocks dropped an article; usually {usual:.1f}: what was dropped may now get in"
        return [Finding(kind="leaking", severity="warn", sentence=sentence, since=midnight(days[0]))]
    leaked, before_leaked = sum(day.leaked for day in days), sum(day.leaked for day in before) / stored
    if leaked > 30 and leaked > articles / factor and leaked > 5 / factor * before_leaked * articles:
        sentence = (
            f"{leaked} blocks had got into stored articles and were taken out in 3 days; "
            f"usually {before_leaked * articles:.0f}"
        )
        return [Finding(kind="leaking", severity="warn", sentence=sentence, since=midnight(days[0]))]
    return []


# -- the whole -----------------------------------------------------------------------------------------------------


def judge_system(system: System, now: datetime) -> list[Finding]:
    """What is wrong with the whole."""
    found = []

    def add(kind: str, severity: Severity, sentence: str, since: datetime | None) -> None:
        found.append(Finding(kind=kind, severity=severity, sentence=sentence, since=since))

    if system.overdue and system.due_since and now - system.due_since > SCHEDULER_LATE:
        add(
            "no_scheduler",
            "fail",
            f"{_sources(system.overdue)} due and not queued for up to {span(now - system.due_since)}: "
            "does a `scrapy scheduler` run?",
            system.due_since,
        )
    waited = now - system.waiting_since if system.waiting and system.waiting_since else timedelta(0)
    if system.waiting and not system.workers and waited > NO_WORKER_LATE:
        add("no_worker", "fail", f"{system.waiting} jobs wait, and no worker is alive", system.waiting_since)
    elif waited > QUEUE_LATE:
        sentence = f"{system.waiting} jobs wait, the first for {span(waited)}; {system.workers} workers are alive"
        add("queue_behind", "warn", sentence, system.waiting_since)
    if system.lost:
        add("worker_lost", "warn", f"lost: {', '.join(system.lost[:5])}", system.lost_since)
    if system.trouble:
        add("trouble", "warn", "\n".join(system.trouble[:3]), None)
    if system.hanging:
        add("hanging", "warn", f"crawls that do nothing: {', '.join(system.hanging[:5])}", system.hanging_since)
    if system.most_connections and system.connections >= CONNECTIONS * system.most_connections:
        sentence = f"{system.connections} of the database's {system.most_connections} connections are taken"
        add("connections", "fail", sentence, None)
    return found


# -- words and rows ------------------------------------------------------------------------------------------------


def _before(past: Sequence[Day], present: Present, *kinds: str) -> Sequence[Day]:
    """The days before any of these was found: what is wrong is not what is usual."""
    opened = [present.open[kind] for kind in kinds if kind in present.open]
    return [day for day in past if day.day < min(opened).date()] if opened else past


def _until(days: Sequence[Day], good: Callable[[Day], bool]) -> Sequence[Day]:
    """The days up to the last good one: what goes on since then is not what is usual."""
    last = max((index for index, day in enumerate(days) if good(day)), default=-1)
    return days[: last + 1]


def _limit(number: int, days: Sequence[Day]) -> float:
    """What is no chance any more: where little happens, chance has fewer occasions in a year."""
    return min(1e-3, max(LIMIT / 10, FALSE_A_YEAR / 365 * len(days) / max(1, number)))


def _row(days: Sequence[Day], name: str, ends: Callable[[Day], bool]) -> int:
    """What failed in a row over the last days."""
    found = 0
    for day in reversed(days):
        found += getattr(day, name)
        if ends(day):
            break
    return found


def _words(days: Sequence[Day], wanted: Callable[[str], bool], *, lists: bool = False) -> dict[str, int]:
    found: dict[str, int] = {}
    for day in days:
        for word, number in (day.lists if lists else day.outcomes).items():
            if wanted(word):
                found[word] = found.get(word, 0) + number
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def _listed(words: Mapping[str, int]) -> str:
    return ", ".join(f"{word} {number}" for word, number in list(words.items())[:3])


def span(time: timedelta) -> str:
    """50 min, 26 h, 12 days."""
    hours = time / HOUR
    if hours < 2:
        return f"{max(1, round(hours * 60))} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _percent(share: float) -> str:
    return f"{max(0.0, share) * 100:.0f} %"


def _sources(number: int) -> str:
    return f"{number} source is" if number == 1 else f"{number} sources are"
