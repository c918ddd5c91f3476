"""Instants out of what publishers write for them.

Numbers that can be read in two ways (03/04/2026) are not guessed, and neither are dates without a year.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from dateutil import parser as dateutil_parser

from crawler.months import month

MAX_LENGTH = 100
FIRST_YEAR = 1990
AHEAD = timedelta(days=2)  # an embargo or a clock that is wrong, no more


@dataclass(frozen=True, kw_only=True, slots=True)
class Instant:
    """A moment as the publisher gave it.

    `zone_assumed`: no zone was named, so the default one was taken. `day_only`: no time of day either, so `at` is the
    day's first moment in that zone.
    """

    at: datetime  # aware, in the zone that the publisher named, so that its day is the publisher's
    raw: str
    zone_assumed: bool
    day_only: bool


def parse_instant(
    raw: str | None, *, default_zone: tzinfo = UTC, now: datetime | None = None, day_first: bool | None = None
) -> Instant | None:
    """Read one date, or None if it is none, names no year, is impossible, before 1990 or over two days ahead.

    `now` is aware; the present by default. `day_first` says how 03/04/2026 is meant, if that is known. Raises nothing.
    """
    text = _one_line(raw) if raw and len(raw) <= 3 * MAX_LENGTH else ""
    if raw is None or not 0 < len(text) <= MAX_LENGTH or not text.isprintable():
        return None
    try:
        found = _epoch(text) or _match(text, default_zone, day_first) or _last_resort(text, default_zone)
        return _instant(found, raw, default_zone, now) if found else None
    except (ValueError, OverflowError):  # the 31st of February, an offset of 99 hours, year 0
        return None


def find_instant(
    text: str, *, default_zone: tzinfo = UTC, now: datetime | None = None, day_first: bool | None = None
) -> Instant | None:
    """The first date within running text ("Published on 5 March 2026, 10:30 by …"), or None. Raises nothing."""
    line = _one_line(text[: 3 * MAX_LENGTH])
    if not _DIGITS.search(line):
        return None
    matches = sorted((m for pattern in _WITHIN if (m := pattern.search(line))), key=lambda m: m.start())
    for match in matches:
        try:
            found = _build(match.groupdict(), default_zone, day_first)
            if found and (instant := _instant(found, match[0].strip(), default_zone, now)):
                return instant
        except (ValueError, OverflowError):
            continue
    return None


def _instant(found: _Found, raw: str, default_zone: tzinfo, now: datetime | None) -> Instant | None:
    at = found.local if found.zone else found.local.replace(tzinfo=default_zone)
    if at.astimezone(UTC).year < FIRST_YEAR or at > (now or datetime.now(UTC)) + AHEAD:
        return None
    return Instant(at=at, raw=raw, zone_assumed=not found.zone, day_only=found.day_only)


@dataclass(frozen=True, slots=True)
class _Found:
    local: datetime  # aware if `zone`
    zone: bool
    day_only: bool = False


def _one_line(raw: str) -> str:
    """Without the invisible marks that some browsers put around the parts of a date."""
    return " ".join("".join(char for char in html.unescape(raw) if unicodedata.category(char) != "Cf").split())


# --- numbers -------------------------------------------------------------------------------------------------------

_EPOCH = re.compile(r"(?P<seconds>\d{9,10})(?:\.\d+)?|(?P<milli>\d{12,13})|(?P<micro>\d{16})", re.ASCII)


def _epoch(text: str) -> _Found | None:
    match = _EPOCH.fullmatch(text)
    if match is None or (len(text) == 12 and text.startswith("20")):  # 202611231030 is a date
        return None
    divisor = {"seconds": 1, "milli": 1_000, "micro": 1_000_000}[match.lastgroup or "seconds"]
    value = float(text) / divisor
    return _Found(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value), zone=True)


# --- written dates -------------------------------------------------------------------------------------------------

_WEEKDAY = r"(?:[^\W\d]{2,13}\.?,?\s+)?"
_MONTH = r"(?P<name>[^\W\d]{3,12})\.?"
_HALF = "오전|오후|午前|午後|上午|下午"
# Between day and hour: "T", a comma, a dash, "at", "um", "à", "a las", "kl.", "klo", "alle ore", …
_CLOCK = (
    rf"(?:(?:T|\s*[-\u2013|,/·•]?\s*(?:(?!{_HALF})[^\W\d]{{1,5}}\.?\s+){{0,2}})(?P<before>{_HALF})?\s*"
    r"(?P<hour>\d{1,2})(?:[:.h시時时点點]\s?)?(?P<minute>[0-5]\d)(?!\d{3})[분分]?"
    r"(?::?(?P<second>\d\d)(?:[.,:](?P<fraction>\d+))?)?\s*(?P<half>[ap]\.?m\b\.?)?)?"
)
_CLOCK_WITHIN = _CLOCK.replace("點]\\s?)?", "點]\\s?)")  # 1234 may count anything
_ZONE = r"\s*(?P<zone>(?:GMT|UTC|UT)?\s*[+\-\u2212]\d{1,2}(?::?\d\d)?|[a-z]{1,5})?\s*(?:\(.*\)|\[.*\])?"
_ZONE_WITHIN = r"(?:\s*(?P<zone>(?:GMT|UTC)?\s?[+\-\u2212]\d\d:?\d\d|(?-i:[A-Z]{2,5})\b))?"
_SHAPES = (
    # 2026-11-23T10:30:00.123+01:00, 2026/11/23 10:30, 2026年11月23日
    r"(?P<year>\d{4})\s?[-/.年년]\s?(?P<month>\d{1,2})\s?[-/.月월]\s?(?P<day>\d{1,2})(?:[.日일])?"
    r"(?:\s*[(（][^\W\d]{1,4}[)）])?",
    # 20261123, 20261123T103000Z
    r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)",
    # Mon, 23 Nov 2026 10:30:00 +0100, 23. November 2026, 23 de noviembre de 2026
    r"(?P<day>\d{1,2})(?:\.|st|nd|rd|th|er|º)?[\s-]*(?:del?\s+|of\s+|d['’])?" + _MONTH
    + r",?[\s-]*(?:del?\s+)?(?P<year>\d{4}|\d\d\b)(?:\s?г\.?)?",
    # Nov 23, 2026 10:30 AM EST, Mon Nov 23 2026 10:30:00 GMT+0100 (Central European Time)
    _MONTH + r"\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})",
    # 23.11.2026 10:30, 11/23/2026
    r"(?P<first>\d{1,2})(?P<mark>[./-])\s?(?P<second_number>\d{1,2})(?P=mark)\s?(?P<year>\d{4})",
    # 2026. november 23., 2026 Nov 23
    r"(?P<year>\d{4})[.\s-]{1,2}" + _MONTH + r"[\s-](?P<day>\d{1,2})\b\.?",
)  # fmt: skip
# 11:11 PM EST Nov 19, 2019; 10:30 Uhr, Montag, 23. November 2026
_CLOCK_FIRST = (
    r"(?=\d{1,2}(?::|\.\d\d\s?[ap]\.?m))(?P<hour>\d{1,2})[:.](?P<minute>[0-5]\d)(?::(?P<second>\d\d))?"
    r"\s?(?P<half>[ap]\.?m\b\.?)?(?:\s?(?:Uhr|h)\b)?" + _ZONE_WITHIN + r"\s?[,|·•\u2013-]?\s?(?:on\s)?" + _WEEKDAY
)
_NO_CLOCK = r"(?!\D{0,8}\d{1,2}[:.h][0-5]\d)"  # an hour behind the date is the date's own
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for shape in _SHAPES
    for pattern in (_WEEKDAY + shape + _CLOCK + _ZONE, _CLOCK_FIRST + shape)
)
_WITHIN_CLOCK_FIRST = tuple(
    re.compile(r"(?<![\w./:-])" + _CLOCK_FIRST + shape + r"(?!\d|[/.-]\d)" + _NO_CLOCK, re.IGNORECASE)
    for index, shape in enumerate(_SHAPES)
    if index != 1
)
_WITHIN = _WITHIN_CLOCK_FIRST + tuple(
    re.compile(r"(?<![\w./-])" + shape + r"(?![\d/.-]\d)" + _CLOCK_WITHIN + _ZONE_WITHIN, re.IGNORECASE)
    for index, shape in enumerate(_SHAPES)
    if index != 1  # a number of eight digits may be anything
)
_DIGITS = re.compile(r"\d{4}|\d\d\b")

_HOURS: dict[str, float] = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "met": 1, "mez": 1, "cest": 2,
    "mest": 2, "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "trt": 3, "wat": 1, "cat": 2, "sast": 2, "eat": 3, "idt": 3,
    "gst": 4, "irst": 3.5, "pkt": 5, "ist": 5.5, "npt": 5.75, "ict": 7, "wib": 7, "hkt": 8, "sgt": 8, "myt": 8,
    "pht": 8, "awst": 8, "jst": 9, "kst": 9, "acst": 9.5, "acdt": 10.5, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13,
    "nst": -3.5, "ndt": -2.5, "ast": -4, "adt": -3, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6,
    "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10, "brt": -3, "art": -3, "clt": -4,
}  # fmt: skip
_REGIONS = {"et": "America/New_York", "ct": "America/Chicago", "mt": "America/Denver", "pt": "America/Los_Angeles"}


def _match(text: str, default_zone: tzinfo, day_first: bool | None) -> _Found | None:
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            return _build(match.groupdict(), default_zone, day_first)
    return None


def _build(parts: dict[str, str | None], default_zone: tzinfo, day_first: bool | None) -> _Found | None:
    month_and_day = _month_and_day(parts, day_first)
    if month_and_day is None:
        return None
    local = datetime(_year(parts["year"] or ""), *month_and_day) + _time_of_day(parts)
    zone = _zone(parts["zone"], local, default_zone)
    return _Found(local.replace(tzinfo=zone), zone=zone is not None, day_only=parts["hour"] is None)


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) == 4 else year + (2000 if year < 50 else 1900)  # RFC 2822, 4.3


def _month_and_day(parts: dict[str, str | None], day_first: bool | None) -> tuple[int, int] | None:
    if name := parts.get("name"):
        number = month(name)
        return (number, int(parts["day"] or 0)) if number else None
    if parts.get("mark") is None:
        return int(parts["month"] or 0), int(parts["day"] or 0)
    first, second = int(parts["first"] or 0), int(parts["second_number"] or 0)
    if parts["mark"] == "." or first > 12:
        return second, first
    if second > 12 or first == second:
        return first, second
    if day_first is None:
        raise ValueError(f"{first} and {second}: either may be the month")
    return (second, first) if day_first else (first, second)


def _time_of_day(parts: dict[str, str | None]) -> timedelta:
    """Hour 24 is the next day's first; a leap second is taken as it comes."""
    hour, second = int(parts["hour"] or 0), int(parts["second"] or 0)
    if half := parts["half"] or parts.get("before"):
        hour = hour % 12 + (12 if half[0] in "pP下" or half in ("오후", "午後") else 0)
    if hour > 24 or second > 60:
        raise ValueError("no time of day")
    micro = int((parts.get("fraction") or "0")[:6].ljust(6, "0"))
    return timedelta(hours=hour, minutes=int(parts["minute"] or 0), seconds=second, microseconds=micro)


def _zone(name: str | None, local: datetime, default_zone: tzinfo) -> tzinfo | None:
    """None if it is no zone. The default zone's own abbreviation goes first: IST means three things, CST two."""
    if not name:
        return None
    if match := re.search(r"([+\-\u2212])(\d{1,2}):?(\d\d)?$", name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(offset if match[1] == "+" else -offset)
    name = name.lower()
    if name == (default_zone.tzname(local) or "").lower():
        return default_zone
    if name in _REGIONS:
        return ZoneInfo(_REGIONS[name])
    return timezone(timedelta(hours=_HOURS[name])) if name in _HOURS else None


# --- anything else -------------------------------------------------------------------------------------------------

_HAS_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)", re.ASCII)
# dateutil fills what is missing from a default: what differs between these two was missing.
_DEFAULTS = (datetime(2000, 1, 1, 1), datetime(2004, 2, 2, 2))


def _last_resort(text: str, default_zone: tzinfo) -> _Found | None:
    if not _HAS_YEAR.search(text):
        return None

    def zone_of(name: str | None, offset: int | None) -> tzinfo | None:
        if offset is not None:
            return timezone(timedelta(seconds=offset))
        return _zone(name, _DEFAULTS[0], default_zone)

    try:
        one, two = (dateutil_parser.parse(text, default=default, tzinfos=zone_of) for default in _DEFAULTS)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None  # its grammar is loose, and so are its errors
    if one.date() != two.date():
        return None
    return _Found(one, zone=one.tzinfo is not None, day_only=one.hour != two.hour)
