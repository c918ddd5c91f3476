"""The raw archive: what was fetched, so that better rules can be run over old pages."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import zstandard
from sqlalchemy import Connection, insert, select, text

from crawler.items import Page
from crawler.store import models

LEVEL = 3  # measured: 0.17 of the size at 211 MB/s; level 19 gives 0.147 at 2 MB/s
PARTITION_LOCK = 7_305_114


@dataclass(frozen=True, kw_only=True, slots=True)
class Archived:
    """A page and what became of it: `outcome` is `article` or the reason why it is none."""

    page: Page
    outcome: str
    detail: str | None = None
    rights: dict[str, str] = field(default_factory=dict)  # rights.rights_of


def sha256(html: bytes) -> bytes:
    return hashlib.sha256(html).digest()


def compress(html: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(html)


def decompress(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(packed)


def store(connection: Connection, archived: Sequence[Archived], crawl_id: int | None) -> None:
    """Insert pages; their month's partition is made when it is first needed."""
    for month in {_month(one.page.fetched_at) for one in archived}:
        ensure_partition(connection, month)
    rows = [
        {
            "url_id": one.page.url_id,
            "crawl_id": crawl_id,
            "url": one.page.url,
            "fetched_at": one.page.fetched_at,
            "status": one.page.status,
            "headers": one.page.headers,
            "html_zstd": compress(one.page.html),
            "html_bytes": len(one.page.html),
            "outcome": one.outcome,
            "detail": one.detail,
            "rights": one.rights,
        }
        for one in archived
    ]
    if rows:
        connection.execute(insert(models.Page), rows)


def held(connection: Connection, captures: Collection[tuple[int, datetime | None]]) -> set[tuple[int, datetime | None]]:
    """Those of these (URL's id, instant) of which there is a page."""
    if not captures:
        return set()
    given = {"ids": [url_id for url_id, _ in captures], "instants": [at for _, at in captures]}
    return {(url_id, at) for url_id, at in connection.execute(_HELD, given)}


_HELD = text("""
SELECT pages.url_id, pages.fetched_at
FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[])) AS given(url_id, fetched_at)
JOIN pages USING (url_id, fetched_at)
""")


def _month(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def ensure_partition(connection: Connection, month: datetime) -> None:
    """`pages_2026_11` for November 2026. The lock keeps two writers from making it at once."""
    name = f"pages_{month:%Y_%m}"
    if _exists(connection, name):
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PARTITION_LOCK})
    following = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF pages "
            f"FOR VALUES FROM ('{month.isoformat()}') TO ('{following.isoformat()}')"
        )
    )


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute(_EXISTS, {"name": name}).scalar_one() is not None


_EXISTS = text("SELECT to_regclass(:name)")


def latest(connection: Connection, url_id: int) -> bytes | None:
    """The newest stored bytes of a URL."""
    statement = select(models.Page.html_zstd).where(models.Page.url_id == url_id)
    packed = connection.execute(statement.order_by(models.Page.fetched_at.desc()).limit(1)).scalar_one_or_none()
    return None if packed is None else decompress(packed)
