"""What was made of the pages: articles, their earlier versions, what a source repeats in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, THIS_TRANSACTION, Base, Instant, one_of

DAY = "(coalesce(published_at, stored_at) AT TIME ZONE 'UTC')::date"
BLOCK_STATES = ("seen", "learned", "forgiven")
CAUSES = ("publisher", "rules")


class Article(Base):
    """The current version of an article; earlier ones are in `revisions`."""

    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the article"
    )
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), comment="Whose article it is: sources.id")
    url: Mapped[str] = mapped_column(Text, comment="Address it was fetched from, after redirects")
    canonical_url: Mapped[str] = mapped_column(Text, comment="The address that its publisher calls the right one")
    key: Mapped[str] = mapped_column(
        Text, unique=True, comment="Identity of the article: urls.url_key of the canonical URL"
    )
    headline: Mapped[str | None] = mapped_column(Text, comment="Headline")
    body: Mapped[str] = mapped_column(Text, comment="The text: the kept blocks, one a line")
    authors: Mapped[list[str]] = mapped_column(
        ARRAY(Text), comment="Names of the authors, in the page's order; {}: none named"
    )
    published_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it was published")
    published_raw: Mapped[str | None] = mapped_column(Text, comment="The same as the page has it")
    published_zone_assumed: Mapped[bool] = mapped_column(Boolean, comment="The page named no time zone, UTC was taken")
    modified_at: Mapped[datetime | None] = mapped_column(Instant, comment="When the publisher says it was last changed")
    modified_raw: Mapped[str | None] = mapped_column(Text, comment="The same as the page has it")
    language: Mapped[str | None] = mapped_column(Text, comment="BCP 47 tag")
    section: Mapped[str | None] = mapped_column(Text, comment="The publisher's section")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="The publisher's keywords")
    description: Mapped[str | None] = mapped_column(Text, comment="The publisher's summary")
    images: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, comment="Pictures: a list of objects with url, caption, credit, alt"
    )
    is_accessible_for_free: Mapped[bool | None] = mapped_column(
        Boolean, comment="The publisher's claim; null: none made"
    )
    page_type: Mapped[str] = mapped_column(
        Text, server_default="article", comment="article, live_blog, video, gallery or paywall_stub"
    )
    page_type_confidence: Mapped[float | None] = mapped_column(Double, comment="How sure that is, 0 to 1")
    access: Mapped[str] = mapped_column(
        Text, server_default="unknown", comment="What we see of the text: full, truncated or unknown"
    )
    confidence: Mapped[float | None] = mapped_column(
        Double, comment="Share of the body on which the voters agree, 0 to 1"
    )
    posts: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB,
        server_default=text("'[]'"),
        comment="Entries of a live blog: a list of objects with headline, published_at, url",
    )
    blocks: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB,
        comment="Every block of the page in order, kept or dropped: kind, text, kept, reason, rule, level, score, post",
    )
    evidence: Mapped[dict[str, str]] = mapped_column(JSONB, comment="Where each field's value came from")
    word_count: Mapped[int] = mapped_column(Integer, comment="Words of the body, by spaces")
    revision: Mapped[int] = mapped_column(Integer, server_default=text("1"), comment="Number of this version, from 1")
    stored_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When the article was first stored"
    )
    updated_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When this version was stored")
    seen_at: Mapped[datetime | None] = mapped_column(Instant, comment="When this version was fetched; null: not noted")
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed("news.search_vector(language, headline, body)", persisted=True),
        nullable=True,
        comment="Words of headline (weight A) and body (D) for full-text search, by language: see news.search_index",
    )
    changed_xid: Mapped[int] = mapped_column(
        BigInteger,
        server_default=text(THIS_TRANSACTION),
        comment="The transaction that wrote the row last, whoever it was; a trigger sees to it. For export cursors",
    )
    __table_args__ = (
        Index("ix_articles_search", "search", postgresql_using="gin"),
        Index(None, "source", "published_at"),
        Index(None, "published_at"),
        Index(None, "source", "updated_at"),
        Index(None, "changed_xid"),
        Index(  # news.daily_counts is counted out of it; authors, which may be of any size, are not
            "ix_articles_day",
            text(f"({DAY})"),
            "source",
            postgresql_include=["published_at", "stored_at", "word_count", "access", "revision"],
        ),
    )


class Revision(Base):
    """An earlier version of an article whose content changed: all of it, and what was changed by the next version."""

    __tablename__ = "revisions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the row")
    article_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("articles.id", ondelete="CASCADE"), comment="The article: articles.id"
    )
    revision: Mapped[int] = mapped_column(Integer, comment="Number of this version, from 1")
    headline: Mapped[str | None] = mapped_column(Text, comment="Headline")
    body: Mapped[str] = mapped_column(Text, comment="The text")
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="Its other fields, as in articles")
    changed: Mapped[list[str]] = mapped_column(
        ARRAY(Text),
        comment="What the next version changed: headline, body, correction (a note is new), authors, published_at, "
        "access, is_accessible_for_free",
    )
    stored_at: Mapped[datetime] = mapped_column(Instant, comment="When this version was stored")
    replaced_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When the next version was stored"
    )
    cause: Mapped[str] = mapped_column(
        Text,
        server_default="publisher",
        comment="Who changed it: publisher, or rules when our own make something else of the same page",
    )
    diff: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB,
        server_default=text("'[]'"),
        comment="Its differences to the next version: a list of objects with field, change, cause, before, after, and "
        "of paragraphs their places at and to, from 0 (see news.revision_changes)",
    )
    __table_args__ = (
        CheckConstraint(one_of("cause", CAUSES), name="cause"),
        Index(None, "article_id", "revision", unique=True),
        Index(None, "replaced_at"),
    )


class BoilerplateBlock(Base):
    """A block that recurs over a source's articles, or may turn out to (see templates.py)."""

    __tablename__ = "boilerplate_blocks"
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id"), primary_key=True, comment="Whose block: sources.id"
    )
    key: Mapped[str] = mapped_column(
        Text, primary_key=True, comment="Hash of the normalised text (recurrence.block_key)"
    )
    state: Mapped[str] = mapped_column(
        Text, server_default="seen", comment="seen, learned (it is dropped) or forgiven (never dropped)"
    )
    sample: Mapped[str | None] = mapped_column(Text, comment="The text, from the second article on")
    articles: Mapped[int] = mapped_column(Integer, server_default=text("1"), comment="Articles that had it")
    evidence: Mapped[list[int]] = mapped_column(JSONB, comment="Ids of the first of these")
    cleaned: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Stored articles it was taken from")
    first_seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first seen")
    last_seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was last seen")
    decided_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it was learned or forgiven")
    clean_from: Mapped[datetime | None] = mapped_column(
        Instant, comment="Articles changed since then may not know of it"
    )
    __table_args__ = (
        CheckConstraint(one_of("state", BLOCK_STATES), name="state"),
        Index("ix_boilerplate_blocks_decided", "source", postgresql_where=text("state <> 'seen'")),
    )
