"""The tables. Instants are `timestamptz`; a page's bytes are kept apart from what was made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
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
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """A class's docstring is its table's COMMENT, and `comment=` its columns': schema.py puts them in place."""
        super().__init_subclass__(**kwargs)
        cls.__table__.comment = " ".join((cls.__doc__ or "").split())  # type: ignore[attr-defined]


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


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
        comment="running, finished, shutdown (stopped by a person), failed, or killed (its process vanished)",
    )
    reason: Mapped[str | None] = mapped_column(Text, comment="Why it ended")
    stats: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="Scrapy's and our counters, as at the end"
    )
    __table_args__ = (CheckConstraint(_one_of("outcome", CRAWL_OUTCOMES), name="outcome"),)


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
    url: Mapped[str] = mapped_column(Text, primary_key=True, comment="The other address")
    key: Mapped[str] = mapped_column(Text, comment="Its key (urls.url_key)")
    url_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("urls.id", ondelete="CASCADE"), comment="The page: urls.id"
    )
    how: Mapped[str] = mapped_column(Text, comment="address (of the same page), redirect or canonical")
    found_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was first met")
    __table_args__ = (
        CheckConstraint(_one_of("how", ALIAS_KINDS), name="how"),
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
        CheckConstraint(_one_of("kind", LISTING_KINDS), name="kind"),
        Index(None, "source", "url", unique=True),
    )


class Host(Base):
    """When a host may be asked again, for all crawlers together."""

    __tablename__ = "hosts"
    host: Mapped[str] = mapped_column(Text, primary_key=True, comment="Host and port")
    next_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="The next request may leave")
    held_until: Mapped[datetime | None] = mapped_column(Instant, comment="What a Retry-After asked for")


class Robots(Base):
    """The robots.txt of an origin, or why there is none."""

    __tablename__ = "robots"
    origin: Mapped[str] = mapped_column(Text, primary_key=True, comment="Scheme, host and port")
    body: Mapped[bytes] = mapped_column(
        LargeBinary, comment="The first 500 KiB of the file; empty: there is none, and all is allowed"
    )
    status: Mapped[int | None] = mapped_column(Integer, comment="HTTP status; null: no answer")
    failure: Mapped[str | None] = mapped_column(
        Text, comment="Why it could not be read, which forbids everything; null: it could"
    )
    fetched_at: Mapped[datetime] = mapped_column(Instant, comment="When it was fetched")
    good_until: Mapped[datetime] = mapped_column(Instant, comment="When it is asked for again")


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


class Page(Base):
    """What was fetched, as it came: zstd, a row for each version of the bytes. Partitioned by month."""

    __tablename__ = "pages"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the stored page"
    )
    fetched_at: Mapped[datetime] = mapped_column(
        Instant, primary_key=True, comment="When it was fetched; chooses the partition"
    )
    url_id: Mapped[int] = mapped_column(BigInteger, comment="The page's row in the frontier: urls.id")
    crawl_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="The run that fetched it: crawls.id; null: none did"
    )
    url: Mapped[str] = mapped_column(Text, comment="Address after redirects")
    status: Mapped[int] = mapped_column(Integer, comment="HTTP status")
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="Headers of the answer, names in lower case")
    html_zstd: Mapped[bytes] = mapped_column(LargeBinary, comment="The body after content decoding, zstd-compressed")
    html_bytes: Mapped[int] = mapped_column(Integer, comment="Its length in bytes, uncompressed")
    outcome: Mapped[str] = mapped_column(Text, comment="`article`, or why it is none: a word of docs/crawling.md")
    detail: Mapped[str | None] = mapped_column(Text, comment="More of it")
    rights: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="What robots meta tags, X-Robots-Tag and TDM headers say"
    )
    __table_args__ = (
        Index(None, "url_id", "fetched_at"),
        {"postgresql_partition_by": "RANGE (fetched_at)"},
    )


class Archive(Base):
    """A WARC file that was read, or is, for one selection of its pages: a row for each (see archives.py).

    `records` of it are done, each of them stored or skipped, and `done_offset` is where the last of these lies.
    """

    __tablename__ = "archives"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True, comment="Number of the row")
    fingerprint: Mapped[str] = mapped_column(Text, comment="Of what the file holds: it may have been moved")
    selection: Mapped[str] = mapped_column(Text, comment="JSON of what was asked for; {}: everything")
    path: Mapped[str] = mapped_column(Text, comment="Where it lay when it was last read")
    size: Mapped[int] = mapped_column(BigInteger, comment="Its length in bytes")
    lease_crawl: Mapped[int | None] = mapped_column(BigInteger, comment="The run that reads it, or did last: crawls.id")
    records: Mapped[int] = mapped_column(BigInteger, server_default=text("0"), comment="Records that are done")
    stored: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Of these, records that gave a new or a changed article"
    )
    skipped: Mapped[dict[str, int]] = mapped_column(
        JSONB, server_default=text("'{}'"), comment="Of these, how many were skipped, by reason"
    )
    done_offset: Mapped[int] = mapped_column(
        BigInteger, server_default=text("0"), comment="Where the last record that is done lies, in bytes"
    )
    error: Mapped[str | None] = mapped_column(Text, comment="What was first wrong with the file")
    started_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was begun")
    finished_at: Mapped[datetime | None] = mapped_column(Instant, comment="When it was done; null: not yet")
    __table_args__ = (Index(None, "fingerprint", "selection", unique=True),)


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
    changed: Mapped[list[str]] = mapped_column(ARRAY(Text), comment="Fields that the next version changed")
    stored_at: Mapped[datetime] = mapped_column(Instant, comment="When this version was stored")
    replaced_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When the next version was stored"
    )
    __table_args__ = (Index(None, "article_id", "revision", unique=True),)


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
        CheckConstraint(_one_of("state", BLOCK_STATES), name="state"),
        Index("ix_boilerplate_blocks_decided", "source", postgresql_where=text("state <> 'seen'")),
    )
