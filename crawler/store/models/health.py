"""What each source did, day by day, and what was found wrong with it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

SEVERITIES = ("warn", "fail")
NONE = text("0")
NOTHING = text("'{}'")


class SourceDay(Base):
    """What a source did on one day (UTC): written as its crawls go on, counted in articles and in their statistics."""

    __tablename__ = "source_days"
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True, comment="Whose day: sources.id"
    )
    day: Mapped[date] = mapped_column(Date, primary_key=True, comment="The day in UTC")
    articles: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Articles first stored that day")
    by_hour: Mapped[list[int]] = mapped_column(
        ARRAY(Integer),
        server_default=NOTHING,
        comment="Of these, the fresh ones (no more than 3 days old, or undated) by the hour of storage, 24 of them",
    )
    dated: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Fresh ones with a publication date")
    signed: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Fresh ones with an author")
    words: Mapped[int | None] = mapped_column(
        Integer, comment="Median of the words of their bodies; null: no fresh one"
    )
    lag: Mapped[float | None] = mapped_column(
        Double, comment="Median of the seconds from their publication to their storage; null: none dated"
    )
    stored: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that were new articles")
    changed: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that were changed articles")
    unchanged: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that were what is stored")
    rejected: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that were no articles")
    rejected_row: Mapped[int] = mapped_column(
        Integer, server_default=NONE, comment="Of these, those since the last page that was a new article"
    )
    fetched: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that came")
    failed: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Pages that did not come")
    failed_row: Mapped[int] = mapped_column(
        Integer, server_default=NONE, comment="Of these, those since the last page that came"
    )
    came_at: Mapped[datetime | None] = mapped_column(Instant, comment="When a page last came")
    announced: Mapped[int] = mapped_column(
        Integer, server_default=NONE, comment="Addresses announced that were not known"
    )
    dropped_blocks: Mapped[int] = mapped_column(
        Integer, server_default=NONE, comment="Blocks dropped from new and changed articles"
    )
    dropped_words: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Words of these blocks")
    leaked: Mapped[int] = mapped_column(
        Integer,
        server_default=NONE,
        comment="Blocks that had got into stored articles and were taken out that day, once they were known to recur",
    )
    outcomes: Mapped[dict[str, int]] = mapped_column(
        JSONB, server_default=NOTHING, comment="How fetches of pages ended: how many by outcome (docs/crawling.md)"
    )
    lists: Mapped[dict[str, int]] = mapped_column(
        JSONB, server_default=NOTHING, comment="The same of feeds, sitemaps and sections"
    )
    lists_row: Mapped[int] = mapped_column(
        Integer, server_default=NONE, comment="Requests for these that failed since one was last answered well"
    )
    read_at: Mapped[datetime | None] = mapped_column(Instant, comment="When one of these was last answered well")
    answers: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Answers whose latency was measured")
    answer_seconds: Mapped[float] = mapped_column(Double, server_default=NONE, comment="Seconds they took, summed up")
    answer_max: Mapped[float] = mapped_column(Double, server_default=NONE, comment="Seconds that the slowest took")
    crawls: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Crawls of it that ended, however")
    crawls_failed: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Of these, failed or killed ones")
    failed_why: Mapped[str | None] = mapped_column(Text, comment="Why the last of these failed")
    __table_args__ = (Index(None, "day"),)


class Incident(Base):
    """Something found wrong with a source, or with the whole: opened once, told once, closed when it is over."""

    __tablename__ = "incidents"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the incident"
    )
    source: Mapped[str | None] = mapped_column(
        Text, ForeignKey("sources.id", ondelete="CASCADE"), comment="Whose: sources.id; null: the whole system's"
    )
    kind: Mapped[str] = mapped_column(Text, comment="What it is: silent, template_changed, … (docs/operations.md)")
    severity: Mapped[str] = mapped_column(Text, comment="warn or fail")
    detail: Mapped[str] = mapped_column(Text, comment="What was found, with the figures, when it was last seen")
    since: Mapped[datetime | None] = mapped_column(Instant, comment="When the trouble began, as far as known")
    opened_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first seen")
    last_seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was last seen")
    closed_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it was found to be over; null: it is open"
    )
    told_at: Mapped[datetime | None] = mapped_column(Instant, comment="When an alert told of it; null: none has yet")
    recovery_told_at: Mapped[datetime | None] = mapped_column(Instant, comment="When an alert told that it is over")
    told_via: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=NOTHING, comment="Receivers that have what is being told: webhook, email, command"
    )
    tries: Mapped[int] = mapped_column(Integer, server_default=NONE, comment="Alerts about it that failed, in a row")
    try_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="Until then it is somebody's who is telling it, or rests after a failure"
    )
    __table_args__ = (
        CheckConstraint(one_of("severity", SEVERITIES), name="severity"),
        Index(
            "ix_incidents_open",
            text("coalesce(source, '')"),
            "kind",
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
        Index(None, "source", "opened_at"),
        Index(None, "closed_at"),  # what is open, and what was over of late: all that there is to tell
    )
