"""Who works off the queue, and what went wrong there. The queue itself is procrastinate's (its schema)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

JOB_FAILURES = ("failed", "dropped", "lost")


class Worker(Base):
    """A `scrapy worker`. It is alive while its process holds the advisory lock of its id (see workers.py)."""

    __tablename__ = "workers"
    id: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="Number of the worker, also in procrastinate's tables",
    )
    host: Mapped[str] = mapped_column(Text, comment="Machine it runs on")
    pid: Mapped[int] = mapped_column(Integer, comment="Its process there")
    version: Mapped[str] = mapped_column(Text, comment="Version of the crawler")
    crawls: Mapped[int] = mapped_column(Integer, comment="How many jobs it does at once")
    connections: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Connections that it and its processes take at most"
    )
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it began")
    seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it last said that it lives")
    lost_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="Since when its lock is free; null: it is not, or nobody has looked"
    )
    stopped_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it ended or was found dead; null: it runs"
    )
    note: Mapped[str | None] = mapped_column(Text, comment="Why it ended, or what it waits for")
    __table_args__ = (Index("ix_workers_running", "id", postgresql_where=text("stopped_at IS NULL")),)


class JobFailure(Base):
    """An attempt at a queued job that came to nothing, and why. Kept as long as the job."""

    __tablename__ = "job_failures"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the failure"
    )
    job_id: Mapped[int] = mapped_column(BigInteger, comment="The job, in procrastinate.procrastinate_jobs")
    worker_id: Mapped[int | None] = mapped_column(BigInteger, comment="The worker that had it")
    at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it failed")
    kind: Mapped[str] = mapped_column(
        Text, comment="failed, dropped (not to be done any more), or lost (its worker vanished)"
    )
    reason: Mapped[str | None] = mapped_column(Text, comment="Why, in words")
    crawl_id: Mapped[int | None] = mapped_column(BigInteger, comment="The run in `crawls`, if one had begun")
    instead: Mapped[int | None] = mapped_column(BigInteger, comment="The job that does it now, if another waited")
    __table_args__ = (
        CheckConstraint(one_of("kind", JOB_FAILURES), name="kind"),
        Index("ix_job_failures_job_id", "job_id"),
        Index("ix_job_failures_at", "at"),
    )
