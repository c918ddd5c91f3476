"""The tables. Instants are `timestamptz`; a page's bytes are kept apart from what was made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

URL_STATES = ("queued", "leased", "fetched", "unchanged", "gone", "forbidden", "failed", "excluded")
BLOCK_STATES = ("seen", "learned", "forgiven")
ALIAS_KINDS = ("address", "redirect", "canonical")
LISTING_KINDS = ("homepage", "feed", "sitemap", "archive", "section", "further")
CRAWL_OUTCOMES = ("running", "finished", "shutdown", "failed", "killed")

Instant = DateTime(timezone=True)
NOW = text("now()")
THIS_TRANSACTION = "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"  # xid8 as the number that it is


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class Source(Base):
    """The seed as it was last loaded."""

    __tablename__ = "sources"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    homepage: Mapped[str] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    seed: Mapped[dict[str, Any]] = mapped_column(JSONB)
    loaded_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    crawled_at: Mapped[datetime | None] = mapped_column(Instant)


class Crawl(Base):
    """One run. It is alive while its process holds the advisory lock of its id (see crawls.py)."""

    __tablename__ = "crawls"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    spider: Mapped[str] = mapped_column(Text)
    sources: Mapped[list[str]] = mapped_column(ARRAY(Text))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    host: Mapped[str] = mapped_column(Text)
    pid: Mapped[int] = mapped_column(Integer)
    version: Mapped[str] = mapped_column(Text)
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    outcome: Mapped[str] = mapped_column(Text, server_default="running")
    reason: Mapped[str | None] = mapped_column(Text)
    stats: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    __table_args__ = (CheckConstraint(_one_of("outcome", CRAWL_OUTCOMES), name="outcome"),)


class Url(Base):
    """The frontier: every page that was ever found, what became of it and why. `key` is its identity (urls.url_key)."""

    __tablename__ = "urls"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    url: Mapped[str] = mapped_column(Text)  # the address to fetch
    is_variant: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))  # AMP, print: a better one may come
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"))
    state: Mapped[str] = mapped_column(Text, server_default="queued")
    state_before: Mapped[str | None] = mapped_column(Text)  # the lease
    reason: Mapped[str | None] = mapped_column(Text)  # a word of outcomes.py
    detail: Mapped[str | None] = mapped_column(Text)
    found_in: Mapped[str] = mapped_column(Text)
    hints: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    rank: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))  # what goes first: intake.RANKS
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # that failed, in a row
    step: Mapped[int | None] = mapped_column(SmallInteger)  # the recheck that is due next: recheck.py
    lease_crawl: Mapped[int | None] = mapped_column(BigInteger)
    not_before: Mapped[datetime | None] = mapped_column(Instant, server_default=NOW)  # null: never due again
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    fetched_at: Mapped[datetime | None] = mapped_column(Instant)
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    etag: Mapped[str | None] = mapped_column(Text)
    last_modified: Mapped[str | None] = mapped_column(Text)
    html_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    article_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("articles.id"))
    __table_args__ = (
        CheckConstraint(_one_of("state", URL_STATES), name="state"),
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
    )


class UrlAlias(Base):
    """Another address of a page: found so, redirected from there, or named as canonical."""

    __tablename__ = "url_aliases"
    url: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text)
    url_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("urls.id", ondelete="CASCADE"))
    how: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    __table_args__ = (
        CheckConstraint(_one_of("how", ALIAS_KINDS), name="how"),
        Index(None, "key"),
        Index(None, "url_id"),
    )


class Listing(Base):
    """A document in which a source announces articles: feed, sitemap, section or home page."""

    __tablename__ = "listings"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"))
    url: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    parent: Mapped[str | None] = mapped_column(Text)  # the document that names it; null: the seed does
    outcome: Mapped[str | None] = mapped_column(
        Text
    )  # of the last request: a word of outcomes.py, `read` or `not_a_feed`
    detail: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # in a row
    entries: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # when it was last read
    gave: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # addresses that nothing had named before
    etag: Mapped[str | None] = mapped_column(Text)
    last_modified: Mapped[str | None] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    checked_at: Mapped[datetime | None] = mapped_column(Instant)
    changed_at: Mapped[datetime | None] = mapped_column(Instant)  # when it last gave something new
    not_before: Mapped[datetime | None] = mapped_column(Instant, server_default=NOW)  # null: retired
    __table_args__ = (
        CheckConstraint(_one_of("kind", LISTING_KINDS), name="kind"),
        Index(None, "source", "url", unique=True),
    )


class Host(Base):
    """When a host may be asked again, for all crawlers together."""

    __tablename__ = "hosts"
    host: Mapped[str] = mapped_column(Text, primary_key=True)
    next_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)  # the next request may leave
    held_until: Mapped[datetime | None] = mapped_column(Instant)  # what a Retry-After asked for


class Robots(Base):
    """The robots.txt of an origin, or why there is none."""

    __tablename__ = "robots"
    origin: Mapped[str] = mapped_column(Text, primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int | None] = mapped_column(Integer)
    failure: Mapped[str | None] = mapped_column(Text)
    fetched_at: Mapped[datetime] = mapped_column(Instant)
    good_until: Mapped[datetime] = mapped_column(Instant)


class UrlShape(Base):
    """What the addresses of a source look like, and how many of a shape turned out to be articles."""

    __tablename__ = "url_shapes"
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), primary_key=True)
    shape: Mapped[str] = mapped_column(Text, primary_key=True)
    articles: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    others: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class EditRate(Base):
    """How often a look at a stored article found an edit, by the step of the schedule."""

    __tablename__ = "edit_rates"
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), primary_key=True)
    step: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    checks: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    edits: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class Page(Base):
    """What was fetched, as it came: zstd, a row for each version of the bytes. Partitioned by month."""

    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    fetched_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    url_id: Mapped[int] = mapped_column(BigInteger)
    crawl_id: Mapped[int | None] = mapped_column(BigInteger)
    url: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    html_zstd: Mapped[bytes] = mapped_column(LargeBinary)
    html_bytes: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str] = mapped_column(Text)
    detail: Mapped[str | None] = mapped_column(Text)
    rights: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))  # what robots and TDM tags say
    __table_args__ = (
        Index(None, "url_id", "fetched_at"),
        {"postgresql_partition_by": "RANGE (fetched_at)"},
    )


class Archive(Base):
    """A WARC file that was read, or is, for one selection of its pages: a row for each (see archives.py).

    `records` of it are done, each of them stored or skipped, and `done_offset` is where the last of these lies.
    """

    __tablename__ = "archives"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)  # of what it holds: the file may have been moved
    selection: Mapped[str] = mapped_column(Text)  # JSON of what was asked for; {}: everything
    path: Mapped[str] = mapped_column(Text)  # where it lay when it was last read
    size: Mapped[int] = mapped_column(BigInteger)
    lease_crawl: Mapped[int | None] = mapped_column(BigInteger)  # the run that reads it, or did last
    records: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    stored: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))  # that gave a new or a changed article
    skipped: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))  # reason -> records
    done_offset: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    error: Mapped[str | None] = mapped_column(Text)  # what was first wrong with the file
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    __table_args__ = (Index(None, "fingerprint", "selection", unique=True),)


class Article(Base):
    """The current version of an article; earlier ones are in `revisions`."""

    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"))
    url: Mapped[str] = mapped_column(Text)
    canonical_url: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(Text, unique=True)  # urls.url_key of the canonical URL
    headline: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    authors: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime | None] = mapped_column(Instant)
    published_raw: Mapped[str | None] = mapped_column(Text)
    published_zone_assumed: Mapped[bool] = mapped_column(Boolean)
    modified_at: Mapped[datetime | None] = mapped_column(Instant)
    modified_raw: Mapped[str | None] = mapped_column(Text)
    language: Mapped[str | None] = mapped_column(Text)
    section: Mapped[str | None] = mapped_column(Text)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    description: Mapped[str | None] = mapped_column(Text)
    images: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    is_accessible_for_free: Mapped[bool | None] = mapped_column(Boolean)
    page_type: Mapped[str] = mapped_column(Text, server_default="article")
    page_type_confidence: Mapped[float | None] = mapped_column(Double)
    access: Mapped[str] = mapped_column(Text, server_default="unknown")
    confidence: Mapped[float | None] = mapped_column(Double)
    posts: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    blocks: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    evidence: Mapped[dict[str, str]] = mapped_column(JSONB)
    word_count: Mapped[int] = mapped_column(Integer)
    revision: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    stored_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    seen_at: Mapped[datetime | None] = mapped_column(Instant)  # when this version was fetched; NULL: not noted
    # The transaction that wrote the row last, whoever it was: a trigger sees to it. For cursors (see cursors.py).
    changed_xid: Mapped[int] = mapped_column(BigInteger, server_default=text(THIS_TRANSACTION))
    __table_args__ = (
        Index(None, "source", "published_at"),
        Index(None, "published_at"),
        Index(None, "source", "updated_at"),
        Index(None, "changed_xid"),
    )


class Revision(Base):
    """An earlier version of an article whose content changed: all of it, and what was changed by the next version."""

    __tablename__ = "revisions"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    article_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("articles.id", ondelete="CASCADE"))
    revision: Mapped[int] = mapped_column(Integer)
    headline: Mapped[str | None] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed: Mapped[list[str]] = mapped_column(ARRAY(Text))
    stored_at: Mapped[datetime] = mapped_column(Instant)
    replaced_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    __table_args__ = (Index(None, "article_id", "revision", unique=True),)


class BoilerplateBlock(Base):
    """A block that recurs over a source's articles, or may turn out to (see templates.py)."""

    __tablename__ = "boilerplate_blocks"
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)  # recurrence.block_key
    state: Mapped[str] = mapped_column(Text, server_default="seen")
    sample: Mapped[str | None] = mapped_column(Text)  # from the second article on
    articles: Mapped[int] = mapped_column(Integer, server_default=text("1"))  # that had it
    evidence: Mapped[list[int]] = mapped_column(JSONB)  # ids of articles, the first ones
    cleaned: Mapped[int] = mapped_column(Integer, server_default=text("0"))  # stored articles it was taken from
    first_seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    last_seen_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)  # when it was learned or forgiven
    clean_from: Mapped[datetime | None] = mapped_column(Instant)  # articles changed since then may not know of it
    __table_args__ = (
        CheckConstraint(_one_of("state", BLOCK_STATES), name="state"),
        Index("ix_boilerplate_blocks_decided", "source", postgresql_where=text("state <> 'seen'")),
    )
