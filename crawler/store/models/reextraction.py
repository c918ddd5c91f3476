"""Today's rules over stored pages: what that would change, until it is applied (see reextractions.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

REEXTRACTED = ("changed", "new", "rejected", "failed")
SLICES = ("articles", "urls")


class Reextraction(Base):
    """A run of `scrapy reextract`: how far it has come in looking at stored pages and in applying what it found."""

    __tablename__ = "reextractions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the run")
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="Which pages it was to look at; {}: all")
    rules: Mapped[str] = mapped_column(Text, comment="Fingerprint of the rules: program, libraries and seeds")
    version: Mapped[str] = mapped_column(Text, comment="Version of the crawler")
    host: Mapped[str] = mapped_column(Text, comment="Machine it was begun on")
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was begun")
    finished_at: Mapped[datetime | None] = mapped_column(Instant, comment="When all was looked at; null: not yet")
    applied_at: Mapped[datetime | None] = mapped_column(Instant, comment="When all was applied; null: not yet")
    seeds: Mapped[dict[str, Any]] = mapped_column(
        JSONB,
        server_default=text("'{}'"),
        comment="The seeds it was begun with: name -> seed; they are the same for all",
    )
    apply: Mapped[bool] = mapped_column(
        Boolean, server_default=text("false"), comment="Whether it is applied without asking once all was looked at"
    )
    applied: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Changes that are applied")
    revised: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Of these, with a revision")
    skipped: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Changes that were not, since a crawl was faster"
    )


class ReextractionSlice(Base):
    """A part of a run of `scrapy reextract`: a range of ids that one process at a time looks at (see slices.py)."""

    __tablename__ = "reextraction_slices"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the slice")
    run_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("reextractions.id", ondelete="CASCADE"), comment="The run: reextractions.id"
    )
    kind: Mapped[str] = mapped_column(Text, comment="Whose ids: articles, or urls (pages without an article)")
    last: Mapped[int] = mapped_column(BigInteger, comment="The last id of the range")
    reached: Mapped[int] = mapped_column(
        BigInteger, comment="Up to this id all are looked at; at first the id before the range"
    )
    pages: Mapped[int] = mapped_column(Integer, comment="Pages in it when the run was begun")
    looked_at: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Pages that are looked at")
    finished_at: Mapped[datetime | None] = mapped_column(Instant, comment="When all were looked at; null: not yet")
    __table_args__ = (CheckConstraint(one_of("kind", SLICES), name="kind"), Index(None, "run_id", "id"))


class ReextractedSource(Base):
    """What a run of `scrapy reextract` has found, counted by source."""

    __tablename__ = "reextracted_sources"
    run_id: Mapped[int] = mapped_column(
        BigInteger,
        ForeignKey("reextractions.id", ondelete="CASCADE"),
        primary_key=True,
        comment="The run: reextractions.id",
    )
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id"), primary_key=True, comment="Whose articles: sources.id"
    )
    found: Mapped[dict[str, int]] = mapped_column(JSONB, comment="What was counted: name -> number (gains.py)")


class Reextracted(Base):
    """A stored page of which today's rules make something else than is stored: a change that waits to be applied."""

    __tablename__ = "reextracted"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the row")
    run_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("reextractions.id", ondelete="CASCADE"), comment="The run: reextractions.id"
    )
    source: Mapped[str] = mapped_column(Text, comment="Whose page it is: sources.id")
    article_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="The article: articles.id; null: there was none of the page"
    )
    url_id: Mapped[int] = mapped_column(BigInteger, comment="The page's row in the frontier: urls.id")
    page_id: Mapped[int] = mapped_column(BigInteger, comment="The stored page: pages.id")
    fetched_at: Mapped[datetime] = mapped_column(Instant, comment="When that was fetched")
    outcome: Mapped[str] = mapped_column(
        Text,
        comment="changed, new (an article where there was none), rejected (none any more: it stays) or failed",
    )
    reason: Mapped[str | None] = mapped_column(Text, comment="Why it is rejected or has failed")
    weight: Mapped[int] = mapped_column(Integer, comment="Words of the body that go or come")
    content: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="The columns of the article that change, as they would be"
    )
    __table_args__ = (
        CheckConstraint(one_of("outcome", REEXTRACTED), name="outcome"),
        Index(None, "run_id", "source", "outcome", "id"),
    )
