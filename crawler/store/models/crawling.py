"""Sources, and the runs that crawled them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

CRAWL_OUTCOMES = ("running", "finished", "shutdown", "failed", "killed")


class Source(Base):
    """The seed as it was last loaded."""

    __tablename__ = "sources"
    id: Mapped[str] = mapped_column(Text, primary_key=True, comment="Name of the source: its seed file's stem")
    name: Mapped[str] = mapped_column(Text, comment="What the publication calls itself")
    homepage: Mapped[str] = mapped_column(Text, comment="Address of its home page")
    language: Mapped[str | None] = mapped_column(Text, comment="BCP 47 tag of its main language")
    country: Mapped[str | None] = mapped_column(Text, comment="ISO 3166 code of its country")
    seed: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="The seed as last loaded, without defaults")
    loaded_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When the seed was last loaded by a crawl"
    )
    crawled_at: Mapped[datetime | None] = mapped_column(Instant, comment="When a crawl of it last finished")
    seeded_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When a scheduler took up its seed as it is now; null: it has none, or the seed is gone"
    )
    due_at: Mapped[datetime | None] = mapped_column(Instant, comment="When its next crawl is due; null: on demand only")
    due_why: Mapped[str | None] = mapped_column(Text, comment="What made the crawl due then: the schedule, in words")
    queued_at: Mapped[datetime | None] = mapped_column(Instant, comment="When its last scheduled crawl was queued")
    disabled_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When a person disabled it for all workers (`scrapy disable`); null: it is not"
    )
    disabled_why: Mapped[str | None] = mapped_column(Text, comment="Why it was disabled")
    schedule: Mapped[str | None] = mapped_column(
        Text, comment="Its schedule: the seed's, or the scheduler's setting SCHEDULE; null: no scheduler has seen it"
    )
    seed_error: Mapped[str | None] = mapped_column(
        Text, comment="What is wrong with its seed file; the last good seed stays in force; null: nothing"
    )
    last_crawl: Mapped[int | None] = mapped_column(BigInteger, comment="Its last run: crawls.id")
    failures: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Runs of this source alone that failed or were killed, in a row"
    )
    __table_args__ = (Index("ix_sources_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),)


class Crawl(Base):
    """One run. It is alive while its process holds the advisory lock of its id (see crawls.py)."""

    __tablename__ = "crawls"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the run")
    spider: Mapped[str] = mapped_column(Text, comment="What was asked for: `scrapy crawl <spider>`")
    sources: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="The sources it was to crawl")
    arguments: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="What was given with -a"
    )
    host: Mapped[str] = mapped_column(Text, comment="Machine it ran on")
    pid: Mapped[int] = mapped_column(Integer, comment="Its process there")
    version: Mapped[str] = mapped_column(Text, comment="Version of the crawler")
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it began")
    finished_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it ended; null: it runs")
    outcome: Mapped[str] = mapped_column(
        Text,
        server_default="running",
        comment="running, finished, shutdown (stopped before its end), failed, or killed (its process vanished)",
    )
    reason: Mapped[str | None] = mapped_column(
        Text, comment="How it ended, in a word, and what it met: finished, time_max, no_list_read: server_error 7, …"
    )
    stats: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="Scrapy's and our counters, as at the end or a minute ago"
    )
    moved_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it was last seen to have done something: a minute passes between two looks"
    )
    lost_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="Since when its lock is free while it runs; null: it is not, or nobody has looked"
    )
    __table_args__ = (
        CheckConstraint(one_of("outcome", CRAWL_OUTCOMES), name="outcome"),
        Index(None, "started_at"),
        Index("ix_crawls_running", "id", postgresql_where=text("outcome = 'running'")),
        Index("ix_crawls_asked", "id", postgresql_where=text("arguments ? 'url'")),
    )
