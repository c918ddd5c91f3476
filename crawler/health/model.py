"""What is known of a source, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Severity = Literal["warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong: one sentence with the figures, and since when, as far as known."""

    kind: str
    severity: Severity
    sentence: str
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What a source did on a day (UTC): as the columns of `source_days` say, which have the same names."""

    day: date
    articles: int = 0
    by_hour: tuple[int, ...] = ()
    dated: int = 0
    signed: int = 0
    words: int | None = None
    stored: int = 0
    rejected: int = 0
    rejected_row: int = 0
    fetched: int = 0
    unchanged: int = 0
    failed: int = 0
    failed_row: int = 0
    came_at: datetime | None = None
    announced: int = 0
    dropped_blocks: int = 0
    leaked: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    lists: Mapping[str, int] = field(default_factory=dict)
    lists_row: int = 0
    read_at: datetime | None = None
    answers: int = 0
    answer_seconds: float = 0.0
    crawls: int = 0
    crawls_failed: int = 0
    failed_why: str | None = None

    @property
    def fresh(self) -> int:
        """Articles of that day that were not old already."""
        return sum(self.by_hour)

    @property
    def observed(self) -> bool:
        """Whether anybody looked: a day without a crawl is no day without articles."""
        return bool(self.crawls or self.articles or self.lists)


@dataclass(frozen=True, slots=True)
class Recent:
    """One of the articles that were stored last."""

    stored_at: datetime
    dated: bool
    signed: bool
    words: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A feed, sitemap, section or home page, as last asked for. `failures`: in a row."""

    url: str
    kind: str
    outcome: str
    failures: int = 0
    entries: int = 0
    checked_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """How a source stands now. `recent`: newest first. `open`: what was found before and is not over: kind -> since.

    `listings` are known where they are looked at: of a source that never had an article, or of which no list is read.
    """

    source: str
    today: Day
    recent: tuple[Recent, ...] = ()
    listings: tuple[Listing, ...] = ()
    has_articles: bool = True  # whether one was ever stored
    begun_at: datetime | None = None  # when a crawl first asked for its lists; known where it has no article
    crawled_at: datetime | None = None
    due_at: datetime | None = None
    disabled: bool = False
    retired: bool = False  # its seed is gone, or says `enabled: false`: nobody is to crawl it
    seed_lost: str | None = None  # why its seed cannot be read any more
    job_failed: str | None = None  # what its last job that was given up failed of
    job_failed_at: datetime | None = None
    crawling_since: datetime | None = None
    moved_at: datetime | None = None  # when that crawl last did something
    open: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether nobody is to crawl it."""
        return self.disabled or self.retired


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """How the whole stands. `overdue`: sources that nobody has queued or crawled since `due_since`.

    `ticked_at`: when a scheduler last queued what was due; None: none ever has, on this database.
    """

    overdue: int = 0
    due_since: datetime | None = None
    ticked_at: datetime | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
    workers: int = 0  # alive
    lost: tuple[str, ...] = ()  # workers that vanished
    lost_since: datetime | None = None
    schedulers_lost: tuple[str, ...] = ()  # that led, and vanished
    scheduler_lost_at: datetime | None = None
    restarted_at: datetime | None = None  # the database, while workers or a scheduler ran
    trouble: tuple[str, ...] = ()  # what the scheduler cannot do
    connections: int = 0
    most_connections: int = 0
    hanging: tuple[str, ...] = ()  # crawls that do nothing
    hanging_since: datetime | None = None
