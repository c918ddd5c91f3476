"""What was fetched, as it came, and the archives it came from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crawler.store.models.base import NOW, Base, Instant


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
    # No foreign key: each insert would lock the dictionary's row. One is deleted only when no page refers to it any
    # more, and `scrapy db check` looks.
    dictionary_id: Mapped[int | None] = mapped_column(
        BigInteger, comment="What html_zstd is to be unpacked with: page_dictionaries.id; null: nothing"
    )
    __table_args__ = (
        Index(None, "url_id", "fetched_at"),
        {"postgresql_partition_by": "RANGE (fetched_at)"},
    )


class PageDictionary(Base):
    """Some pages of a source, as the zstd dictionary of others, or that none pays. The newest of a source is used."""

    __tablename__ = "page_dictionaries"
    id: Mapped[int] = mapped_column(
        BigInteger, Identity(always=True), primary_key=True, comment="Number of the dictionary"
    )
    source: Mapped[str] = mapped_column(Text, ForeignKey("sources.id"), comment="Whose pages: sources.id")
    trained_at: Mapped[datetime] = mapped_column(Instant, server_default=NOW, comment="When it was chosen")
    reviewed_at: Mapped[datetime] = mapped_column(
        Instant, server_default=NOW, comment="When a better one was last looked for"
    )
    content_zstd: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="The pages, one after another, zstd-compressed; null: none pays"
    )
    content_bytes: Mapped[int] = mapped_column(Integer, comment="Their length in bytes, uncompressed")
    samples: Mapped[int] = mapped_column(Integer, comment="Pages that it was judged by, which are not in it")
    bytes_before: Mapped[int] = mapped_column(BigInteger, comment="Bytes of these as they were compressed before")
    bytes_after: Mapped[int] = mapped_column(BigInteger, comment="Bytes of these with it")
    condemned_at: Mapped[datetime | None] = mapped_column(
        Instant,
        comment="When a page in it was forgotten: it serves no new page, and goes when none needs it; null: it stays",
    )
    __table_args__ = (Index(None, "source", "id"),)


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
