from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.dates import find_instant, parse_instant

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MORNING = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-11-23T10:30:00Z",
        "2026-11-23T10:30:00.000Z",
        "2026-11-23T10:30:00.000000000Z",
        "2026-11-23T11:30:00+0100",
        "2026-11-23T11:30:00+01:00",
        "2026-11-23T11:30+01",
        "2026-11-23 11:30:00 +0100",
        "2026-11-23T11:30:00+01:00[Europe/Berlin]",
        "2026-11-23T11:30:00&#43;01:00",
        "20261123T103000Z",
        "Mon, 23 Nov 2026 10:30:00 GMT",
        "Mon, 23 Nov 2026 10:30:00 +0000",
        "Mon, 23 Nov 2026 05:30:00 EST",
        "Mon, 23 Nov 2026 05:30 ET",
        "Mon, 23 Nov 2026 11:30:00 CET",
        "23 Nov 26 10:30 UT",
        "lun., 23 nov. 2026 11:30:00 +0100",
        "Mon Nov 23 2026 11:30:00 GMT+0100 (Central European Standard Time)",
        "Mon Nov 23 05:30:00 EST 2026",
        "Mon Nov 23 10:30:00 +0000 2026",
        "November 23, 2026 5:30 AM EST",
        "1795429800",
        "1795429800000",
        "  2026-11-23T10:30:00Z\n",
    ],
)
def test_instants_with_a_zone(raw: str) -> None:
    found = parse_instant(raw, now=NOW)
    assert found is not None
    assert (found.at, found.raw, found.zone_assumed, found.day_only) == (MORNING, raw, False, False)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-11-23T10:30",
        "2026-11-23 10:30:00",
        "2026/11/23 10:30",
        "20261123103000",
        "202611231030",
        "23.11.2026 10:30",
        "23.11.2026, 10.30 Uhr",
        "23/11/2026 - 10h30",
        "23. November 2026, 10:30 Uhr",
        "23 de noviembre de 2026 10:30",
        "2026年11月23日 10:30",
        "\u200e23\u200e.\u200e11\u200e.\u200e2026\u00a010:30",
        "November 23, 2026 at 10:30 a.m.",
        "Mon Nov 23 10:30:00 2026",
    ],
)
def test_instants_without_a_zone(raw: str) -> None:
    found = parse_instant(raw, now=NOW)
    assert found is not None
    assert (found.at, found.zone_assumed, found.day_only) == (MORNING, True, False)


@pytest.mark.parametrize(
    "raw", ["2026-11-23", "20261123", "23.11.2026", "11/23/2026", "23 November 2026", "Nov 23rd, 2026", "23 nov. 2026"]
)
def test_days(raw: str) -> None:
    found = parse_instant(raw, now=NOW)
    assert found is not None
    assert (found.at, found.zone_assumed, found.day_only) == (MIDNIGHT, True, True)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "yesterday",
        "2026",
        "Nov 2026",
        "10:30",
        "23 November",
        "03/04/2026",
        "2026-02-31",
        "2026-13-01",
        "2026-11-23T25:00:00Z",
        "2026-11-23T10:30:00+9900",
        "0000-00-00",
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1989-12-31",
        "2026-11-27",
        "9999-12-31T23:59:59Z",
        "0",
        "99999999999999999999",
        "\x00",
        "2026-11-23\x00",
        "2026-11-23 (\ud800)",
        "2026-11-23" + " " * 500,
    ],
)
def test_what_is_no_date(raw: str | None) -> None:
    assert parse_instant(raw, now=NOW) is None


@pytest.mark.parametrize(
    ("month", "name"),
    list(enumerate(("janv.", "février", "März", "abril", "maggio", "juin", "juillet", "août"), start=1)),
)
def test_months_in_other_languages(month: int, name: str) -> None:
    found = parse_instant(f"5 {name} 2025", now=NOW)
    assert found is not None
    assert found.at == datetime(2025, month, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "name"),
    [
        (1, "stycznia"), (2, "лютого"), (3, "Mart"), (4, "апреля"), (5, "mája"), (6, "června"), (7, "července"),
        (7, "lipca"), (8, "Ağustos"), (9, "Σεπτεμβρίου"), (10, "październik"), (11, "marraskuuta"), (12, "ديسمبر"),
    ],
)  # fmt: skip
def test_months_in_more_languages(month: int, name: str) -> None:
    found = parse_instant(f"5 {name} 2025", now=NOW)
    assert found and found.at == datetime(2025, month, 5, tzinfo=UTC)


def test_the_named_zone_is_kept() -> None:
    found = parse_instant("2026-11-23T00:30:00+02:00", now=NOW)
    assert found and found.at.day == 23 and found.at.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(("day_first", "month"), [(True, 4), (False, 3), (None, None)])
def test_a_slashed_date_needs_to_know_what_comes_first(day_first: bool | None, month: int | None) -> None:
    found = parse_instant("03/04/2026", now=NOW, day_first=day_first)
    assert (found.at.month if found else None) == month


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("By Nora Quill, 23 November 2026 10:30", "23 November 2026 10:30"),
        ("Mo., 23.11.2026 - 10:30 Uhr von Nora Quill", "23.11.2026 - 10:30"),
        ("입력 2026.11.23 오전 10:30", "2026.11.23 오전 10:30"),
        ("Updated Nov 23, 2026, 10:30 AM UTC and later", "Nov 23, 2026, 10:30 AM UTC"),
    ],
)
def test_a_date_within_text(text: str, raw: str) -> None:
    found = find_instant(text, now=NOW)
    assert found and (found.at, found.raw) == (MORNING, raw)


@pytest.mark.parametrize(
    "text", ["", "no date", "version 1.2.2024.1", "5 items 2026", "phone 0123-45-6789", "1234 views"]
)
def test_text_without_a_date(text: str) -> None:
    assert find_instant(text, now=NOW) is None


def test_a_number_behind_a_date_is_no_clock() -> None:
    found = find_instant("Nov 23, 2026 1234 views", now=NOW)
    assert found and found.day_only


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_no_text_raises_when_searched(raw: str) -> None:
    find_instant(raw, now=NOW)


def test_two_days_ahead_are_the_limit() -> None:
    assert parse_instant((NOW + timedelta(days=2)).isoformat(), now=NOW)
    assert parse_instant((NOW + timedelta(days=2, seconds=1)).isoformat(), now=NOW) is None


def test_the_present_is_the_default_now() -> None:
    assert parse_instant(datetime.now(UTC).isoformat())
    assert parse_instant((datetime.now(UTC) + timedelta(days=3)).isoformat()) is None


def test_the_default_zone_applies_where_none_is_named() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    summer = parse_instant("2026-07-01T12:00:00", default_zone=berlin, now=NOW)
    named = parse_instant("2026-07-01T12:00:00Z", default_zone=berlin, now=NOW)
    assert summer and summer.at == datetime(2026, 7, 1, 10, tzinfo=UTC) and summer.zone_assumed
    assert named and named.at == datetime(2026, 7, 1, 12, tzinfo=UTC) and not named.zone_assumed


def test_an_ambiguous_abbreviation_is_the_default_zones_own() -> None:
    raw = "Mon, 23 Nov 2026 10:30:00 IST"
    india, israel = (parse_instant(raw, default_zone=ZoneInfo(name), now=NOW) for name in ("UTC", "Asia/Jerusalem"))
    assert india and india.at == MORNING - timedelta(hours=5, minutes=30)
    assert israel and israel.at == MORNING - timedelta(hours=2)


def test_hour_24_and_the_leap_second() -> None:
    late, leap = parse_instant("2026-11-22T24:00:00Z", now=NOW), parse_instant("2016-12-31T23:59:60Z", now=NOW)
    assert late and late.at == MIDNIGHT
    assert leap and leap.at == datetime(2017, 1, 1, tzinfo=UTC)


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_no_text_raises(raw: str) -> None:
    parse_instant(raw, now=NOW)


@given(st.text("0123456789-/:.+ ,TZGMTAPmnov²٣", max_size=40))
def test_no_near_date_raises(raw: str) -> None:
    parse_instant(raw, now=NOW)


@given(st.datetimes(datetime(1991, 1, 1), datetime(2026, 11, 1), timezones=st.timezones()))
def test_iso_round_trip(moment: datetime) -> None:
    found = parse_instant(moment.astimezone(UTC).isoformat(), now=NOW)
    assert found and found.at == moment.astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "at", "zone_assumed"),
    [
        ("11:11 PM EST Nov 19, 2019", "2019-11-19T23:11:00-05:00", False),
        ("10.30 am GMT, Monday 5 May 2025", "2025-05-05T10:30:00+00:00", False),
        ("10:30 Uhr, Montag, 5. Mai 2025", "2025-05-05T10:30:00+00:00", True),
        ("10:30, 2025-05-05", "2025-05-05T10:30:00+00:00", True),
    ],
)
def test_the_hour_before_the_day(text: str, at: str, zone_assumed: bool) -> None:
    for found in (parse_instant(text, now=NOW), find_instant(f"Posted {text} by Nora Quill", now=NOW)):
        assert found is not None
        assert (found.at.isoformat(), found.zone_assumed, found.day_only) == (at, zone_assumed, False)


def test_an_hour_behind_the_day_outweighs_one_before_it() -> None:
    found = find_instant("12:45 | 5 May 2025 10:30", now=NOW)
    assert found is not None and found.at == datetime(2025, 5, 5, 10, 30, tzinfo=UTC)
