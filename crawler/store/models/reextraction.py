"""Today's rules over stored pages: what that would change, until it is applied (see reextractions.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

REEXTRACTED = ("changed", "new", "rejected", "failed")


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
    articles_done: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Articles up to this id are looked at"
    )
    urls_done: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Pages without an article up to this id (urls) are looked at"
    )
    applied: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Changes that are applied")
    revised: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Of these, with a revision")
    skipped: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Changes that were not, since a crawl was faster"
    )


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
        Index(None, "run_id", "outcome", "id"),
    )
