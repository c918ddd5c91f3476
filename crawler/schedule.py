"""When a source is crawled next: pure, from its schedule, its past and the database's now.

A schedule is five fields of cron (in UTC, or in a zone named after them), an interval, `never`, or `auto`: learned from
how often the source publishes. `auto` knows how many articles to expect in each hour of the week (Rhythm) and crawls
when about EXPECTED are to be expected since the last crawl, but not more often than every SHORTEST and not more seldom
than once in LONGEST. Nothing comes out of chance: a source's own moment (`moment`) keeps a thousand apart.

Decisions, 2026-11, by simulation (benchmarks/rhythm.py has the figures): at one expected article a third of the crawls
finds nothing and the median lag is 3 minutes; as many crawls by an interval have a lag of 15. At half an article it is
half of the crawls. The hours of the week save an eighth of the crawls that the mean alone would make.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

HOURS = 168  # of a week
WINDOW = timedelta(days=28)  # what is learned from
SHORTEST, LONGEST = timedelta(minutes=5), timedelta(days=1)  # between crawls under `auto`
LEAST_INTERVAL, MOST_INTERVAL = timedelta(minutes=1), timedelta(days=31)  # that a seed may name
EXPECTED = 1.0  # new articles that make a crawl worth while
SPREAD = 0.1  # of an interval under `auto`, by which sources differ
PRIOR_HOURS = 6.0  # a source of which nothing is known is taken for one that gave an article an hour for so long
PRIOR_WEEKS = 1.0  # with so much weight an hour of the week is drawn towards the mean
PATIENCE = 3  # crawls that failed in a row; from there on `auto` backs off
FIRST_PAUSE = timedelta(minutes=30)  # doubled with each further failure
AFTER_QUIET = 300  # seconds after the end of quiet hours, over which the sources spread

CRON_FIELDS = {"minute": (0, 59), "hour": (0, 23), "day of month": (1, 31), "month": (1, 12), "day of week": (0, 7)}
_CRON_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/[1-9]\d?)?")
_RANGE_OF_ONE = re.compile(r"\b0?(\d+)-0?\1(?:/\d+)?\b")  # croniter takes 9-9 for every value
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_INTERVAL = re.compile(r"([1-9]\d{0,4})([mhd])")
_MEANT = re.compile(r"(?:every\s+)?(\d+)\s*(m|h|d)(?:in|ins|inutes?|ours?|rs?|ays?)?", re.IGNORECASE)
_WORDS = {"hourly": "1h", "daily": "1d", "weekly": "7d", "always": "auto", "automatic": "auto", "none": "never"}
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_QUIET = re.compile(r"(\d{1,2}:\d{2})\s*[-–]\s*(\d{1,2}:\d{2})(?:\s+(\S+))?")
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields of cron, as the clocks of `zone` show them."""

    fields: str
    zone: str = "UTC"

    def __str__(self) -> str:
        minute, hour, *days = self.fields.split()
        where = "" if self.zone == "UTC" else f" {self.zone}"
        if minute.isdigit() and hour.isdigit() and days[:2] == ["*", "*"]:
            if days[2] == "*":
                return f"daily at {int(hour):02}:{int(minute):02}{where}"
            if days[2].isdigit():
                return f"{DAYS[int(days[2])]}s at {int(hour):02}:{int(minute):02}{where}"
        if minute.isdigit() and hour == "*" and days == ["*"] * 3:
            return f"hourly at :{int(minute):02}{where}"
        if minute.startswith("*/") and hour == "*" and days == ["*"] * 3 and 60 % int(minute[2:]) == 0:
            return f"every {int(minute[2:])} min"
        return f"cron {self.fields}{where}"


@dataclass(frozen=True, slots=True)
class Every:
    """An interval."""

    interval: timedelta

    def __str__(self) -> str:
        return f"every {lasting(self.interval)}"


@dataclass(frozen=True, slots=True)
class Auto:
    """As often as the source publishes."""

    def __str__(self) -> str:
        return "auto"


@dataclass(frozen=True, slots=True)
class Never:
    """On demand only."""

    def __str__(self) -> str:
        return "never"


Schedule = Cron | Every | Auto | Never


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the day in which no crawl is due, as the clocks of `zone` show them; they may span midnight."""

    start: time
    end: time
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}" + ("" if self.zone == "UTC" else f" {self.zone}")

    def holds(self, at: datetime) -> bool:
        clock = at.astimezone(_zone(self.zone)).time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def over(self, at: datetime) -> datetime:
        """`at`, or the end of the quiet hours in which it lies."""
        if not self.holds(at):
            return at
        zone = _zone(self.zone)
        today = at.astimezone(zone).date()
        days = [today + timedelta(days=days) for days in range(4)]  # where the only open hour is skipped, a day later
        ends = sorted(end for day in days for end in _shown(datetime.combine(day, self.end, zone)))
        return next(end for end in ends if end > at and not self.holds(end))


def _shown(clock: datetime) -> set[datetime]:
    """The instants at which a clock shows this: two where it is set back; the next there is where it skips this."""
    early, late = sorted(clock.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(clock.tzinfo).replace(tzinfo=None) == clock.replace(tzinfo=None):
        return {early, late}
    before = early.astimezone(clock.tzinfo).utcoffset()
    while late - early > timedelta(minutes=1):
        middle = early + (late - early) // 2
        early, late = (middle, late) if middle.astimezone(clock.tzinfo).utcoffset() == before else (early, middle)
    return {late.replace(second=0, microsecond=0)}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a source publishes: articles of the last weeks by the hour of the week (UTC, from Monday 00:00).

    `undated`: those without a time of day, by when they were found. `hours`: for how long the source was watched.
    """

    counts: Sequence[int] = (0,) * HOURS
    undated: int = 0
    hours: float = 0.0

    @property
    def mean(self) -> float:
        """Articles an hour. Nothing known: one."""
        return (sum(self.counts) + self.undated + PRIOR_HOURS) / (self.hours + PRIOR_HOURS)

    def rates(self) -> list[float]:
        """Articles to expect in each hour of the week. No rate falls when an article is added anywhere."""
        whole = self.hours + PRIOR_HOURS
        flat = (self.undated + PRIOR_HOURS) / whole
        dated = sum(self.counts) / whole
        weeks = self.hours / HOURS
        return [flat + (count + PRIOR_WEEKS * dated) / (weeks + PRIOR_WEEKS) for count in self.counts]


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a source."""

    rhythm: Rhythm = field(default_factory=Rhythm)
    failures: int = 0  # crawls that failed in a row
    crawled: bool = True  # ever


@dataclass(frozen=True, slots=True)
class Due:
    """When a crawl is due, and why; None: never by itself."""

    at: datetime | None
    why: str


RESTING = "forgotten as "  # begins the reason of a source whose publisher does not want it here


# -- what people write ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def parse_schedule(text: str) -> Schedule:
    """Raises ValueError that says what to write instead."""
    words = text.split()
    if text == "auto":
        return Auto()
    if text == "never":
        return Never()
    if match := _INTERVAL.fullmatch(text):
        interval = int(match[1]) * _UNITS[match[2]]
        if not LEAST_INTERVAL <= interval <= MOST_INTERVAL:
            raise ValueError(f"{text!r} must be between {lasting(LEAST_INTERVAL)} and {lasting(MOST_INTERVAL)}")
        return Every(interval)
    if len(words) in (5, 6) and any(character in text for character in "*0123456789"):
        numbered = (*words[:3], _numbered(words[3], _MONTHS, 1), _numbered(words[4], _DAYS))
        fields = _RANGE_OF_ONE.sub(r"\1", " ".join(numbered))
        cron = Cron(fields, words[5] if len(words) == 6 else "UTC")
        _check_cron(cron, text)
        return cron
    meant = _meant(text)
    raise ValueError(
        f"{text!r} is no schedule; {f'did you mean {meant}? ' if meant else ''}Write auto, never, an interval such as "
        f"30m, 2h or 1d, or the five fields of cron ({', '.join(CRON_FIELDS)}), with a zone after them if not UTC"
    )


def parse_quiet(text: str) -> Quiet | None:
    """None for `none`. Raises ValueError that says what to write instead."""
    if text == "none":
        return None
    match = _QUIET.fullmatch(text.strip())
    try:
        if not match:
            raise ValueError
        start, end = (time.fromisoformat(clock.zfill(5)) for clock in match.groups()[:2] if clock)
    except ValueError:
        raise ValueError(
            f"{text!r} are no quiet hours; write '23:00-06:00', with a zone if not UTC: '23:00-06:00 Europe/Berlin', "
            "or none"
        ) from None
    if start == end:
        raise ValueError(f"{text!r}: start and end are the same; for no crawls at all write schedule: never")
    zone = match[3] or "UTC"
    _zone(zone)
    return Quiet(start, end, zone)


def _numbered(field: str, names: Sequence[str], first: int = 0) -> str:
    """Names of months and days as numbers; a Sunday that ends a range is the seventh day."""
    field = re.sub(r"-sun\b", "-7", field, flags=re.IGNORECASE) if "sun" in names else field
    numbers = {name: str(number) for number, name in enumerate(names, first)}
    return re.sub(r"[a-z]+", lambda match: numbers.get(match[0].lower(), match[0]), field, flags=re.IGNORECASE)


def _check_cron(cron: Cron, text: str) -> None:
    for part, (name, (low, high)) in zip(cron.fields.split(), CRON_FIELDS.items(), strict=True):
        if not all(_is_cron_part(one, low, high) for one in part.split(",")):
            raise ValueError(f"{text!r}: {part!r} is not a valid {name} ({low} to {high}, or *)")
    _zone(cron.zone)
    try:
        _next_of(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except CroniterBadDateError:
        raise ValueError(f"{text!r}: there is no such day") from None


def _is_cron_part(part: str, low: int, high: int) -> bool:
    match = _CRON_PART.fullmatch(part)
    numbers = [int(number) for number in match.groups() if number] if match else []
    return match is not None and numbers == sorted(numbers) and all(low <= number <= high for number in numbers)


def _meant(text: str) -> str | None:
    if match := _MEANT.fullmatch(text.strip()):
        return f"{int(match[1])}{match[2].lower()}"
    return _WORDS.get(text.strip().lower().removeprefix("@"))


@lru_cache
def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # ZoneInfoNotFoundError is a KeyError
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Berlin or UTC") from None


# -- when -------------------------------------------------------------------------------------------------------------


def quiet_for(seed_schedule: str | None, seed_quiet: str | None, everywhere: str) -> Quiet | None:
    """A seed's own quiet hours hold; else those for everywhere, unless the seed names the hours by cron."""
    if seed_quiet is not None:
        return parse_quiet(seed_quiet)
    if not everywhere or (seed_schedule is not None and isinstance(parse_schedule(seed_schedule), Cron)):
        return None
    return parse_quiet(everywhere)


def next_due(schedule: Schedule, quiet: Quiet | None, source: str, now: datetime, past: Past) -> Due:
    """When the next crawl is due, after one was queued or the schedule was changed at `now`."""
    due = _unquiet_due(schedule, source, now, past)
    if due.at is None or quiet is None or not quiet.holds(due.at):
        return due
    end = quiet.over(due.at) + timedelta(seconds=moment(source) * AFTER_QUIET)
    return Due(end if not quiet.holds(end) else quiet.over(due.at), f"{due.why}; after the quiet hours {quiet}")


def resting(name: str) -> Due:
    """Of a source that is not to be asked anything, until who allows it again has named this."""
    return Due(None, f"{RESTING}{name}: scrapy forget --undo {name} allows it again")


def moment(source: str) -> float:
    """From 0 to 1: a source's place among all, the same always and everywhere."""
    return zlib.crc32(source.encode()) / 2**32


def backoff(failures: int) -> timedelta:
    """How long a source rests at least that failed so many times in a row."""
    if failures < PATIENCE:
        return timedelta()
    doubled: int = 2 ** min(failures - PATIENCE, 10)
    return min(FIRST_PAUSE * doubled, LONGEST)


def until_expected(rates: Sequence[float], now: datetime, expected: float = EXPECTED) -> timedelta:
    """How long it takes until so many articles are to be expected, LONGEST at most."""
    utc = now.astimezone(UTC)
    within = utc.minute / 60 + utc.second / 3600
    hour = utc.weekday() * 24 + utc.hour
    waited, missing = 0.0, expected
    limit = LONGEST / timedelta(hours=1)
    while waited < limit:
        rate, span = rates[hour], 1 - within
        if rate * span >= missing:
            return min(timedelta(hours=waited + missing / rate), LONGEST)
        waited, missing = waited + span, missing - rate * span
        within, hour = 0.0, (hour + 1) % HOURS
    return LONGEST


def _unquiet_due(schedule: Schedule, source: str, now: datetime, past: Past) -> Due:
    match schedule:
        case Never():
            return Due(None, "never by itself")
        case Cron():
            offset = timedelta(seconds=int(moment(source) * 60))  # within the minute that is meant
            return Due(_next_of(schedule, now - offset) + offset, str(schedule))
        case Every() | Auto() if not past.crawled:
            return Due(now, f"{schedule}; never crawled yet")
        case Every(interval):
            return Due(_next_beat(interval, source, now), str(schedule))
        case Auto():
            return _learned_due(source, now, past)


def _next_of(cron: Cron, after: datetime) -> datetime:
    """A time that the clocks skip comes right after; one they show twice comes once, unless every hour is meant.

    Of two days, either will do, but both are wanted if one is a step such as */2: as Vixie's cron has it.
    """
    start = after.astimezone(_zone(cron.zone))
    times = croniter(cron.fields, start, ret_type=datetime, implement_cron_bug=True)
    once = cron.fields.split()[1] != "*"
    while (found := times.get_next()).fold and once:
        pass
    at: datetime = found.astimezone(UTC)
    return at


def _next_beat(interval: timedelta, source: str, now: datetime) -> datetime:
    """The source's own beat of this interval, the same in all weeks: the first that is no less than half of it away."""
    length = interval.total_seconds()
    phase = moment(source) * length
    beats = (now.timestamp() + length / 2 - phase) // length + 1
    return datetime.fromtimestamp(beats * length + phase, UTC)


def _learned_due(source: str, now: datetime, past: Past) -> Due:
    rest, pause = until_expected(past.rhythm.rates(), now), backoff(past.failures)
    shortest, longest = SHORTEST, LONGEST / (1 + SPREAD)
    wait = min(max(rest, shortest, pause), longest) * (1 + SPREAD * moment(source))
    if pause >= rest:
        return Due(now + wait, f"auto: failed {past.failures} times in a row")
    if not past.rhythm.hours:
        return Due(now + wait, "auto: nothing known of it yet")
    return Due(now + wait, f"auto: about {daily(past.rhythm.mean)} a day")


# -- in words ---------------------------------------------------------------------------------------------------------


def daily(an_hour: float) -> str:
    """Articles a day."""
    return f"{an_hour * 24:.0f}" if an_hour * 24 >= 10 else f"{an_hour * 24:.1f}"


def lasting(span: timedelta) -> str:
    """45 s, 30 min, 2 h, 1 h 20 min, 3 d."""
    seconds = round(span.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60 and minutes % 1440:
        return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days} d" + (f" {hours} h" if hours else "")
