"""Who schedules, and what has been learned of how often sources publish."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant


class Rhythm(Base):
    """How often a source with `schedule: auto` publishes, learned from the articles of four weeks (schedule.py)."""

    __tablename__ = "rhythms"
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id"), primary_key=True, comment="Whose rhythm: sources.id"
    )
    counts: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), comment="Articles by hour of the week in UTC, from Monday 00:00: 168 numbers"
    )
    undated: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Articles without a time of day, counted by when they were found"
    )
    since: Mapped[datetime | None] = mapped_column(
        Instant, comment="From when on it was crawled: what was published earlier is not counted; null: never crawled"
    )
    learned_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was learned")
    learn_at: Mapped[datetime | None] = mapped_column(
        Instant, server_default=NOW, comment="When it is to be learned anew; null: no more, the schedule is another"
    )
    __table_args__ = (Index(None, "learn_at"),)


class Scheduler(Base):
    """A process's time as the scheduler that acts. It leads while it holds an advisory lock (schedulers.py)."""

    __tablename__ = "schedulers"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the row")
    host: Mapped[str] = mapped_column(Text, comment="Machine it runs on")
    pid: Mapped[int] = mapped_column(Integer, comment="Its process there")
    version: Mapped[str] = mapped_column(Text, comment="Version of the crawler")
    led_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it began to lead")
    ticked_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When it last looked for what is due"
    )
    ended_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it stopped leading, or the next found it dead; null: it leads"
    )
    queued: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), comment="Crawls it has queued")
    trouble: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="What is wrong, by duty: broken seeds, a duty that failed"
    )
