"""The stored versions of one page, newest first, and what the raw archive takes by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from crawler.store.dictionaries import unpacked
from crawler.store.partitions import Partition, partitions
from crawler.urls import url_key

MAX_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A row of `pages` without its bytes."""

    id: int
    url: str
    source: str | None
    article_id: int | None
    fetched_at: datetime
    status: int
    outcome: str
    detail: str | None
    html_bytes: int
    stored_bytes: int
    dictionary_id: int | None
    crawl_id: int | None
    rights: dict[str, str]
    headers: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """What a month's pages take. `bytes`: on the disk, with indexes; `with_dictionary`: pages."""

    name: str
    pages: int
    with_dictionary: int
    html_bytes: int
    stored_bytes: int
    bytes: int


_VERSIONS = """
SELECT pages.id, pages.url, urls.source, urls.article_id, pages.fetched_at, status, outcome, pages.detail, html_bytes,
    octet_length(html_zstd) AS stored_bytes, dictionary_id, crawl_id, rights, headers
FROM pages LEFT JOIN urls ON urls.id = pages.url_id
WHERE {} ORDER BY pages.fetched_at DESC, pages.id DESC
"""
_OF_PAGE = text(_VERSIONS.format("pages.id = :id"))
_OF_ARTICLE = text(_VERSIONS.format("urls.article_id = :id"))
# Under whatever address; what was fetched under another and gave the same article is another version of it.
_OF_URL = text(
    _VERSIONS.format("""pages.url_id IN (
    WITH own AS (
        SELECT id, article_id FROM urls WHERE key = :key
        UNION SELECT id, article_id FROM urls WHERE id IN (SELECT url_id FROM url_aliases WHERE key = :key)
        UNION SELECT urls.id, article_id FROM urls JOIN articles ON articles.id = article_id WHERE articles.key = :key
    )
    SELECT id FROM own UNION SELECT urls.id FROM urls JOIN own USING (article_id))""")
)
_BYTES = text("""
SELECT html_zstd, html_bytes, dictionary_id FROM pages WHERE id = :id AND fetched_at = :fetched_at
""")
_MONTHS = text("""
SELECT CAST(CAST(tableoid AS regclass) AS text) AS name, count(*) AS pages, count(dictionary_id) AS with_dictionary,
    sum(html_bytes) AS html_bytes, sum(octet_length(html_zstd)) AS stored_bytes
FROM pages GROUP BY tableoid
""")


def of_page(connection: Connection, page_id: int) -> list[Version]:
    """The one with that number."""
    return _versions(connection.execute(_OF_PAGE, {"id": page_id}).mappings().all()) if page_id <= MAX_ID else []


def of_article(connection: Connection, article_id: int) -> list[Version]:
    """All from which the article was made."""
    rows = connection.execute(_OF_ARTICLE, {"id": article_id}).mappings().all() if article_id <= MAX_ID else []
    return _versions(rows)


def of_url(connection: Connection, url: str) -> list[Version]:
    """All of that address, or of the one that it leads to; whether it gave an article or not."""
    return _versions(connection.execute(_OF_URL, {"key": url_key(url) or url}).mappings().all())


def _versions(rows: Sequence[RowMapping]) -> list[Version]:
    return [Version(**row) for row in rows]


def html_of(connection: Connection, version: Version) -> bytes | None:
    """The bytes as they were fetched; None: dropped meanwhile. Raises StoreError for a damaged page."""
    row = connection.execute(_BYTES, {"id": version.id, "fetched_at": version.fetched_at}).one_or_none()
    return None if row is None else unpacked(connection, *row)


def months(connection: Connection) -> list[Month]:
    """Oldest first, also those that wait for their last reader, of which only the size is known."""
    counted = {row["name"]: row for row in connection.execute(_MONTHS).mappings()}
    return [_month(one, counted.get(one.name, {})) for one in partitions(connection)]


def _month(partition: Partition, counted: RowMapping | dict[str, Any]) -> Month:
    figures = ("pages", "with_dictionary", "html_bytes", "stored_bytes")
    return Month(name=partition.name, bytes=partition.bytes, **{name: int(counted.get(name, 0)) for name in figures})
