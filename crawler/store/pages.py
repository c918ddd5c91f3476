"""The raw archive: what was fetched, so that better rules can be run over old pages."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from crawler.items import Page
from crawler.packing import pack
from crawler.store import dictionaries, models, partitions

logger = logging.getLogger(__name__)
_PACKER = ThreadPoolExecutor(1, thread_name_prefix="packer")  # zstd lets go of the interpreter
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Archived:
    """A page and what became of it: `outcome` is `article` or the reason why it is none."""

    page: Page
    outcome: str
    detail: str | None = None
    rights: dict[str, str] = field(default_factory=dict)  # rights.rights_of


def sha256(html: bytes) -> bytes:
    return hashlib.sha256(html).digest()


@dataclass(frozen=True, slots=True)
class Packing:
    """A page whose bytes are being packed, in a thread."""

    archived: Archived
    dictionary_id: int | None
    packed: Future[bytes]


def begin(connection: Connection, archived: Sequence[Archived], kept_from: datetime | None = None) -> list[Packing]:
    """Have pages packed while the database does something else: that is a seventh of what an article costs.

    What was fetched before `kept_from` (out of an archive) is left out.
    """
    archived = [one for one in archived if kept_from is None or one.page.fetched_at >= kept_from]
    newest = dictionaries.newest(connection, {one.page.source for one in archived})
    found = []
    for one in archived:
        dictionary_id, dictionary = newest.get(one.page.source, (None, None))
        found.append(Packing(one, dictionary_id, _PACKER.submit(pack, one.page.html, dictionary)))
    return found


def finish(connection: Connection, packings: Sequence[Packing], crawl_id: int | None) -> None:
    """Insert pages; their month's partition is made when it is first needed. Not in a month that is being dropped."""
    months = {partitions.month_of(one.archived.page.fetched_at) for one in packings}
    closed = {month for month in sorted(months) if not partitions.ensure(connection, month)}
    for month in closed:
        logger.warning("pages of %s are not stored: this month is being dropped, or was detached", f"{month:%Y-%m}")
    rows = [_row(one, crawl_id) for one in packings if partitions.month_of(one.archived.page.fetched_at) not in closed]
    if rows:
        connection.execute(insert(models.Page), rows)


def store(
    connection: Connection, archived: Sequence[Archived], crawl_id: int | None, kept_from: datetime | None = None
) -> None:
    """Both."""
    finish(connection, begin(connection, archived, kept_from), crawl_id)


def _row(packing: Packing, crawl_id: int | None) -> Row:
    archived, page = packing.archived, packing.archived.page
    return {
        "url_id": page.url_id,
        "crawl_id": crawl_id,
        "url": page.url,
        "fetched_at": page.fetched_at,
        "status": page.status,
        "headers": page.headers,
        "html_zstd": packing.packed.result(),
        "html_bytes": len(page.html),
        "dictionary_id": packing.dictionary_id,
        "outcome": archived.outcome,
        "detail": archived.detail,
        "rights": archived.rights,
    }


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


def latest(connection: Connection, url_id: int) -> bytes | None:
    """The newest stored bytes of a URL."""
    page = models.Page
    statement = select(page.html_zstd, page.html_bytes, page.dictionary_id).where(page.url_id == url_id)
    row = connection.execute(statement.order_by(page.fetched_at.desc()).limit(1)).one_or_none()
    return None if row is None else dictionaries.unpacked(connection, *row)
