"""Pages to fetch and fetched, the documents that announce them, and what a source's addresses have taught."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant, one_of

URL_STATES = ("queued", "leased", "fetched", "unchanged", "gone", "forbidden", "failed", "excluded")
ALIAS_KINDS = ("address", "redirect", "canonical")
LISTING_KINDS = ("homepage", "feed", "sitemap", "archive", "section", "further")


class Url(Base):
    """The frontier: every page that was ever found, what became of it and why. `key` is its identity (urls.url_key)."""

    __tablename__ = "urls"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the page")
    key: Mapped[str] = mapped_column(
        Text,
        unique=True,
        comment="Identity of the page: its address without scheme, www, tracking parameters (urls.url_key)",
    )
    url: Mapped[str] = mapped_column(Text, comment="The address to fetch")
    is_variant: Mapped[bool] = mapped_column(
        Boolean, server_default=text("false"), comment="An AMP or print address: a better one may come"
    )
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), comment="Whose page it is: sources.id")
    state: Mapped[str] = mapped_column(
        Text,
        server_default="queued",
        comment="queued, leased (being fetched), fetched, unchanged, gone, forbidden, failed or excluded",
    )
    state_before: Mapped[str | None] = mapped_column(
        Text, comment="State before the lease, to go back to if the run dies"
    )
    reason: Mapped[str | None] = mapped_column(Text, comment="How the last fetch ended: a word of docs/crawling.md")
    detail: Mapped[str | None] = mapped_column(Text, comment="More of it: a message, a status")
    found_in: Mapped[str] = mapped_column(Text, comment="feed, sitemap, listing, ad_hoc or archive")
    hints: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="What the feed or sitemap said of it: title, instants"
    )
    rank: Mapped[int] = mapped_column(
        SmallInteger, server_default=text("0"), comment="What goes first: 0 before 1 (intake.RANKS)"
    )
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Fetches that failed, in a row")
    step: Mapped[int | None] = mapped_column(SmallInteger, comment="The recheck that is due next (recheck.py)")
    lease_crawl: Mapped[int | None] = mapped_column(BigInteger, comment="The run that fetches it: crawls.id")
    not_before: Mapped[datetime | None] = mapped_column(
        Instant, server_default=NOW, comment="When it is due; null: never again"
    )
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first found")
    fetched_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it was last fetched")
    published_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="When it says it was published, as far as known"
    )
    etag: Mapped[str | None] = mapped_column(Text, comment="ETag of the last answer")
    last_modified: Mapped[str | None] = mapped_column(Text, comment="Last-Modified of the last answer")
    html_sha256: Mapped[bytes | None] = mapped_column(LargeBinary, comment="SHA-256 of the page as last fetched")
    article_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("articles.id"), comment="The article it holds: articles.id"
    )
    __table_args__ = (
        CheckConstraint(one_of("state", URL_STATES), name="state"),
        Index(
            "ix_urls_due",
            "source",
            "rank",
            "not_before",
            "id",
            postgresql_where=text("not_before IS NOT NULL AND state <> 'leased'"),
        ),
        Index("ix_urls_leased", "lease_crawl", postgresql_where=text("state = 'leased'")),
        Index(None, "article_id"),
        Index(  # pages that lead to one that is to be forgotten; a hash, for addresses may be longer than a btree takes
            "ix_urls_leading",
            "detail",
            postgresql_using="hash",
            postgresql_where=text("reason IN ('duplicate', 'moved')"),
        ),
    )


class UrlAlias(Base):
    """Another address of a page: found so, redirected from there, or named as canonical."""

    __tablename__ = "url_aliases"
    url: Mapped[str] = mapped_column(Text, primary_key=True, comment="The other address")
    key: Mapped[str] = mapped_column(Text, comment="Its key (urls.url_key)")
    url_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("urls.id", ondelete="CASCADE"), comment="The page: urls.id"
    )
    how: Mapped[str] = mapped_column(Text, comment="address (of the same page), redirect or canonical")
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first met")
    __table_args__ = (
        CheckConstraint(one_of("how", ALIAS_KINDS), name="how"),
        Index(None, "key"),
        Index(None, "url_id"),
    )


class Listing(Base):
    """A document in which a source announces articles: feed, sitemap, section or home page."""

    __tablename__ = "listings"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the listing"
    )
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), comment="Whose listing it is: sources.id")
    url: Mapped[str] = mapped_column(Text, comment="Its address")
    kind: Mapped[str] = mapped_column(
        Text, comment="homepage, feed, sitemap, archive (a sitemap of all time), section or further (page of a section)"
    )
    parent: Mapped[str | None] = mapped_column(
        Text, comment="Address of the document that names it; null: the seed does"
    )
    outcome: Mapped[str | None] = mapped_column(
        Text, comment="Of the last request: a word of docs/crawling.md, `read` or `not_a_feed`"
    )
    detail: Mapped[str | None] = mapped_column(Text, comment="More of it")
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Requests that failed, in a row")
    entries: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Entries when it was last read")
    gave: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Addresses it has named that nothing had named before"
    )
    etag: Mapped[str | None] = mapped_column(Text, comment="ETag of the last answer")
    last_modified: Mapped[str | None] = mapped_column(Text, comment="Last-Modified of the last answer")
    body_sha256: Mapped[bytes | None] = mapped_column(LargeBinary, comment="SHA-256 of the document as last read")
    lease_crawl: Mapped[int | None] = mapped_column(BigInteger, comment="The run that asks for it just now: crawls.id")
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first found")
    checked_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it was last asked for")
    changed_at: Mapped[datetime | None] = mapped_column(
        Instant,
        comment="When it last changed or gave something new; of a further page, until when its section was last read",
    )
    not_before: Mapped[datetime | None] = mapped_column(
        Instant, server_default=NOW, comment="When it is due; null: retired"
    )
    __table_args__ = (
        CheckConstraint(one_of("kind", LISTING_KINDS), name="kind"),
        Index(None, "source", "url", unique=True),
        Index("ix_listings_leased", "lease_crawl", postgresql_where=text("lease_crawl IS NOT NULL")),
    )


class UrlShape(Base):
    """What the addresses of a source look like, and how many of a shape turned out to be articles."""

    __tablename__ = "url_shapes"
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id"), primary_key=True, comment="Whose addresses: sources.id"
    )
    shape: Mapped[str] = mapped_column(Text, primary_key=True, comment="The address with its variable parts as signs")
    articles: Mapped[int] = mapped_column(
        Integer, server_default=text("0"), comment="Pages of this shape that were articles"
    )
    others: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Pages of this shape that were none")


class EditRate(Base):
    """How often a look at a stored article found an edit, by the step of the schedule."""

    __tablename__ = "edit_rates"
    source: Mapped[str] = mapped_column(
        Text, ForeignKey("sources.id"), primary_key=True, comment="Whose articles: sources.id"
    )
    step: Mapped[int] = mapped_column(
        SmallInteger,
        primary_key=True,
        autoincrement=False,
        comment="Step of the recheck schedule; -1: a feed or sitemap announced a change",
    )
    checks: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Looks of this step")
    edits: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Of these, looks that found an edit")
