"""When a source is due: cron and its clocks, intervals, quiet hours, and `auto` with its bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.schedule import (
    AFTER_QUIET,
    HOURS,
    LONGEST,
    SHORTEST,
    Auto,
    Past,
    Quiet,
    Rhythm,
    Schedule,
    backoff,
    lasting,
    moment,
    next_due,
    parse_quiet,
    parse_schedule,
    quiet_for,
    until_expected,
)

NOW = datetime(2026, 11, 26, 4, 30, tzinfo=UTC)  # a Thursday
FIRST = "s317"  # a source whose moment is next to 0
COUNTS = st.lists(st.integers(0, 400), min_size=HOURS, max_size=HOURS)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.replace(tzinfo=UTC))
SOURCES = st.from_regex(r"[a-z0-9_]{1,12}", fullmatch=True)
CLOCKS = st.times().map(lambda time: time.replace(second=0, microsecond=0, tzinfo=None))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


def times(schedule: str, start: str, number: int, zone: str = "Europe/Berlin") -> list[str]:
    """The next times, as the clocks of the zone show them, without the seconds of the source's moment."""
    at, found = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC), []
    for _ in range(number):
        due = next_due(parse_schedule(schedule), None, FIRST, at, Past()).at
        assert due is not None and due > at
        found.append(f"{due.astimezone(ZoneInfo(zone)):%d %H:%M%z}")
        at = due
    return found


def due(schedule: Schedule, now: datetime = NOW, past: Past | None = None, source: str = FIRST) -> timedelta:
    at = next_due(schedule, None, source, now, past or Past()).at
    assert at is not None
    return at - now


# -- cron ------------------------------------------------------------------------------------------------------------


def test_cron_is_utc_unless_a_zone_is_named() -> None:
    assert times("30 6 * * *", "2026-11-26", 1, "UTC") == ["26 06:30+0000"]
    assert times("30 6 * * * Europe/Berlin", "2026-11-26", 1, "UTC") == ["26 05:30+0000"]


def test_cron_is_read_as_vixie_reads_it() -> None:
    twice = ["26 13:00+0000", "27 09:00+0000", "27 13:00+0000"]
    assert times("0 13-13,09-9 * * *", "2026-11-26T09:20", 3, "UTC") == twice
    assert times("30 9 * * 1-1", "2026-11-26", 2, "UTC") == ["30 09:30+0000", "07 09:30+0000"], "Mondays"
    assert times("0 5-5/2 * * *", "2026-11-26", 2, "UTC") == ["26 05:00+0000", "27 05:00+0000"]
    assert str(parse_schedule("30 9-9 * * *")) == "daily at 09:30"
    for names, numbers in (("* mon-fri", "* 1-5"), ("* Sat-Sun,wed", "* 6-7,3"), ("jan,JUN-dec/2 *", "1,6-12/2 *")):
        assert parse_schedule(f"0 9 * {names} Europe/Berlin") == parse_schedule(f"0 9 * {numbers} Europe/Berlin")
    with pytest.raises(ValueError, match="there is no such day"):
        parse_schedule("0 0 31-31 2 *")
    both, either = "0 0 */10 * 1", "0 0 1,11,21,31 * 1"
    assert times(both, "2026-11-26", 2, "UTC") == ["21 00:00+0000", "11 00:00+0000"], "both: Monday the 1st, 11th, …"
    assert times(either, "2026-11-26", 2, "UTC") == ["30 00:00+0000", "01 00:00+0000"], "one of the two"


def test_a_time_that_the_clocks_skip_comes_right_after() -> None:
    found = times("30 2 * * * Europe/Berlin", "2026-03-28T12:00", 2)
    assert found == ["29 03:00+0200", "30 02:30+0200"]
    assert times("0 * * * * Europe/Berlin", "2026-03-29T00:30", 3) == [
        "29 01:00+0100",
        "29 03:00+0200",
        "29 04:00+0200",
    ]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    found = times("30 2 * * * Europe/Berlin", "2026-10-24T12:00", 2)
    assert found == ["25 02:30+0200", "26 02:30+0100"]


def test_every_hour_is_every_hour() -> None:
    found = times("0 * * * * Europe/Berlin", "2026-10-25T01:30", 3)
    assert found == ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]


def test_every_second_hour_comes_once_where_the_clocks_show_it_twice() -> None:
    found = times("0 */2 * * * Europe/Berlin", "2026-10-24T21:30", 3, "UTC")
    assert found == ["24 22:00+0000", "25 00:00+0000", "25 03:00+0000"]


def test_sources_of_one_cron_line_spread_over_its_minute() -> None:
    at = [next_due(parse_schedule("0 7 * * *"), None, f"s{n}", NOW, Past()).at for n in range(200)]
    assert {f"{one:%H:%M}" for one in at if one} == {"07:00"}
    assert len(set(at)) > 50


# -- intervals, never --------------------------------------------------------------------------------------------------


@given(SOURCES, st.sampled_from(["1m", "30m", "2h", "1d", "31d"]), INSTANTS)
def test_an_interval_keeps_its_beat(source: str, text: str, now: datetime) -> None:
    schedule = parse_schedule(text)
    length = schedule.interval  # type: ignore[union-attr]
    at, beats = now, []
    for _ in range(4):
        beats.append(at := at + due(schedule, at + timedelta(0), source=source))
    assert length / 2 <= beats[0] - now + timedelta(milliseconds=1) <= length * 1.5 + timedelta(milliseconds=2)
    assert all(abs(later - earlier - length) < timedelta(milliseconds=1) for earlier, later in pairwise(beats))


def test_what_was_never_crawled_is_due_now_and_never_never() -> None:
    new = Past(crawled=False)
    assert due(Auto(), past=new) == due(parse_schedule("1d"), past=new) == timedelta(0)
    assert due(parse_schedule("0 5 * * *"), past=new) >= timedelta(minutes=30)
    assert next_due(parse_schedule("never"), None, "a", NOW, new).at is None


# -- quiet hours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "at"),
    [
        ("03:00-02:00 Europe/Berlin", "2026-03-28T20:00"),  # the only hour that is not quiet is skipped
        ("13:30-02:45 US/Alaska", "2026-03-08T08:00"),  # their end is skipped
        ("22:00-02:30 Europe/Berlin", "2026-10-24T22:00"),  # their end comes twice
        ("01:45-02:15 Australia/Lord_Howe", "2026-10-03T15:20"),  # half an hour is skipped
    ],
)
def test_quiet_hours_end_at_the_first_minute_that_is_not_quiet(quiet: str, at: str) -> None:
    hours, now = parse_quiet(quiet), datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert hours
    minutes = (now + timedelta(minutes=number) for number in range(3 * 24 * 60))
    assert hours.over(now) == next(minute for minute in minutes if not hours.holds(minute))


@given(INSTANTS, CLOCKS, CLOCKS, ZONES)
def test_quiet_hours_push_to_their_end_only(at: datetime, start: object, end: object, zone: str) -> None:
    if start == end:
        return
    quiet = Quiet(start, end, zone)  # type: ignore[arg-type]
    later = quiet.over(at)
    assert not quiet.holds(later)
    assert later == at if not quiet.holds(at) else at < later <= at + timedelta(hours=49)
    assert not quiet.holds(at) or quiet.holds(later - timedelta(microseconds=1)) or zone != "UTC"


def test_a_night_in_berlin() -> None:
    quiet = parse_quiet("23:00-06:00 Europe/Berlin")
    found = next_due(parse_schedule("15m"), quiet, FIRST, NOW, Past())  # it is 05:30 there
    assert found.at and timedelta(0) <= found.at - datetime(2026, 11, 26, 5, 0, tzinfo=UTC) < timedelta(
        seconds=AFTER_QUIET
    )
    assert found.why == "every 15 min; after the quiet hours 23:00-06:00 Europe/Berlin"


def test_whose_quiet_hours_hold() -> None:
    night, noon = "23:00-06:00", "12:00-13:00"
    assert quiet_for(None, None, "") is None
    assert quiet_for("30m", None, night) == parse_quiet(night)
    assert quiet_for("30m", noon, night) == parse_quiet(noon)
    assert quiet_for("30m", "none", night) is None
    assert quiet_for("0 3 * * *", None, night) is None, "who names three o'clock means it"
    assert quiet_for("0 3 * * *", noon, night) == parse_quiet(noon)


# -- auto --------------------------------------------------------------------------------------------------------------


@given(COUNTS, st.integers(0, 5_000), st.floats(0, 672), st.integers(0, 30), SOURCES, INSTANTS)
def test_auto_has_bounds_and_is_the_same_every_time(
    counts: list[int], undated: int, hours: float, failures: int, source: str, now: datetime
) -> None:
    past = Past(Rhythm(counts, undated, hours), failures)
    rest = due(Auto(), now, past, source)
    assert SHORTEST <= rest <= LONGEST
    assert rest == due(Auto(), now, past, source)


@given(COUNTS, st.lists(st.integers(0, HOURS - 1), min_size=1), st.booleans(), st.floats(0, 672), INSTANTS)
def test_who_publishes_more_is_not_crawled_later(
    counts: list[int], more: list[int], dated: bool, hours: float, now: datetime
) -> None:
    rhythm = Rhythm(counts, 3, hours)
    added = list(counts)
    for hour in more if dated else ():
        added[hour] += 1
    busier = Rhythm(added, 3 + (0 if dated else len(more)), hours)
    assert due(Auto(), now, Past(busier)) <= due(Auto(), now, Past(rhythm)) + timedelta(microseconds=5)


@given(COUNTS, st.integers(0, 500), st.floats(0, 672))
def test_the_hours_of_the_week_add_up_to_the_mean(counts: list[int], undated: int, hours: float) -> None:
    rhythm = Rhythm(counts, undated, hours)
    assert sum(rhythm.rates()) / HOURS == pytest.approx(rhythm.mean, rel=0.35)


@given(st.integers(0, 40), st.integers(0, 40))
def test_failures_only_make_it_rarer(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    past = Rhythm([9] * HOURS, 0, 672)
    assert backoff(fewer) <= backoff(more) <= LONGEST
    assert due(Auto(), past=Past(past, fewer)) <= due(Auto(), past=Past(past, more))


def test_a_new_source_starts_at_an_hour() -> None:
    assert until_expected(Rhythm().rates(), NOW) == timedelta(hours=1)


def test_nights_and_weekends_differ() -> None:
    """A newspaper of 40 articles on each working day, from 8 to 18."""
    counts = [16 if day < 5 and 8 <= hour < 18 else 0 for day in range(7) for hour in range(24)]
    past = Past(Rhythm(counts, 0, 672))
    thursday = datetime(2026, 11, 26, tzinfo=UTC)
    noon, evening, saturday = (
        thursday.replace(hour=12),
        thursday.replace(hour=20),
        datetime(2026, 11, 28, 12, tzinfo=UTC),
    )
    assert due(Auto(), noon, past) < timedelta(minutes=30)
    assert timedelta(hours=1) < due(Auto(), evening, past)
    assert due(Auto(), saturday, past) > 3 * due(Auto(), noon, past)


def test_a_thousand_sources_of_one_kind_do_not_come_together() -> None:
    rests = {
        round(due(Auto(), past=Past(Rhythm([400] * HOURS, 0, 672)), source=f"s{n}").total_seconds())
        for n in range(1000)
    }
    assert min(rests) == 300 and max(rests) == 330 and len(rests) == 31
    assert 0 <= moment("") <= moment(FIRST) < 1


def test_in_words() -> None:
    written = ["auto", "never", "90m", "1d", "*/15 * * * *", "5 * * * *", "30 6 * * 1 Europe/Berlin", "1 2 3 * *"]
    assert [str(parse_schedule(text)) for text in written] == [
        "auto",
        "never",
        "every 1 h 30 min",
        "every 1 d",
        "every 15 min",
        "hourly at :05",
        "Mondays at 06:30 Europe/Berlin",
        "cron 1 2 3 * *",
    ]
    assert [lasting(timedelta(seconds=s)) for s in (5, 59.6, 3599, 86_400, 90_000, 200_000)] == [
        "5 s", "1 min", "1 h", "1 d", "25 h", "2 d 8 h"
    ]  # fmt: skip
