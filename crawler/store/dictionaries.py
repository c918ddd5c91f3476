"""The dictionaries that pages are compressed with: which one is used, and when a source gets another (packing.py).

None is ever changed: pages refer to it by its number for as long as they are kept. They are few and small: a source
gets one at most once in REVIEW, and only when it surpasses the one before. One goes only if a page in it is forgotten:
it is condemned then, no new page uses it, the others are packed without it, and it is deleted (`retire`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, RowMapping, insert, select, text

from crawler.errors import DamagedPage, MissingDictionary, StoreError
from crawler.packing import MOST, Damaged, Dictionary, Trial, pack, trained, unpack
from crawler.store import models, tombstones

logger = logging.getLogger(__name__)
SAMPLES = 12  # pages of a source, from which it gets one: every second is a candidate, the others judge
REVIEW = timedelta(days=7)
HELD = 16 << 20  # bytes of the dictionaries in memory; with its table of matches one takes four times that
TRAINING_LOCK = 7_305_120  # the first key of pg_try_advisory_xact_lock(int, int)

_NEWEST = text("""
SELECT DISTINCT ON (source) source, id, content_zstd IS NOT NULL AS is_one FROM page_dictionaries
WHERE source = ANY(:sources) AND condemned_at IS NULL ORDER BY source, id DESC
""")
_DUE = text("""
SELECT id, content_zstd IS NOT NULL AS is_one, reviewed_at > now() - :review AS is_fresh
FROM page_dictionaries WHERE source = :source AND condemned_at IS NULL ORDER BY id DESC LIMIT 1
""")
_REVIEWED = text("UPDATE page_dictionaries SET reviewed_at = now() WHERE id = :id")
_TRAINING = text("SELECT pg_try_advisory_xact_lock(:lock, :key)")
# The newest page of each of the newest articles; the greatest pages are no use for others.
_SAMPLES = text("""
SELECT page.html_zstd, page.html_bytes, page.dictionary_id FROM (
    SELECT id FROM articles WHERE source = :source ORDER BY updated_at DESC LIMIT 2 * :most
) AS article CROSS JOIN LATERAL (
    SELECT html_zstd, html_bytes, dictionary_id FROM urls JOIN pages ON pages.url_id = urls.id
    WHERE urls.article_id = article.id ORDER BY pages.fetched_at DESC LIMIT 1
) AS page
WHERE page.html_bytes BETWEEN 1 AND :size
LIMIT :most
""")


class Shelf:
    """The dictionaries of one database that were used last. They never change, so nothing here grows old."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, Dictionary] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, connection: Connection, dictionary_id: int) -> Dictionary:
        """Raises DamagedPage when it is missing, or damaged itself."""
        with self._lock:
            if found := self._held.get(dictionary_id):
                self._held.move_to_end(dictionary_id)
                return found
        found = _read(connection, dictionary_id)
        with self._lock:
            self._held[dictionary_id] = found
            while len(self._held) > 1 and sum(len(one.content) for one in self._held.values()) > HELD:
                self._held.popitem(last=False)
        return found


_shelves: WeakKeyDictionary[Engine, Shelf] = WeakKeyDictionary()


def get(connection: Connection, dictionary_id: int) -> Dictionary:
    """That dictionary. Raises DamagedPage when it is missing, or damaged itself."""
    return _shelves.setdefault(connection.engine, Shelf()).get(connection, dictionary_id)


def _read(connection: Connection, dictionary_id: int) -> Dictionary:
    one = models.PageDictionary
    statement = select(one.content_zstd, one.content_bytes).where(one.id == dictionary_id)
    row = connection.execute(statement).one_or_none()
    if row is None or row.content_zstd is None:
        raise MissingDictionary(f"the dictionary {dictionary_id} of stored pages is missing")
    try:
        return Dictionary(unpack(row.content_zstd, row.content_bytes))
    except Damaged as error:
        raise DamagedPage(f"the dictionary {dictionary_id} of stored pages is damaged: {error}") from None


def newest(connection: Connection, sources: Iterable[str]) -> dict[str, tuple[int, Dictionary]]:
    """The dictionary and its number, of each of these sources that has one. A broken one keeps nobody from storing."""
    rows = connection.execute(_NEWEST, {"sources": sorted(set(sources))}).all()
    usable = ((row.source, row.id, _usable(connection, row.id)) for row in rows if row.is_one)
    return {source: (number, dictionary) for source, number, dictionary in usable if dictionary}


def _usable(connection: Connection, dictionary_id: int) -> Dictionary | None:
    try:
        return get(connection, dictionary_id)
    except StoreError as error:
        logger.error("%s; pages are stored without it", error)
        return None


def unpacked(connection: Connection, html_zstd: bytes, html_bytes: int, dictionary_id: int | None) -> bytes:
    """The bytes of a stored page: the one way to them. Raises DamagedPage."""
    dictionary = None if dictionary_id is None else get(connection, dictionary_id)
    try:
        return unpack(html_zstd, html_bytes, dictionary)
    except Damaged as error:
        raise DamagedPage(f"a stored page is damaged: {error}") from None


# -- what is forgotten ------------------------------------------------------------------------------------------------

REPACKED = 100  # pages in one transaction
_OF_SOURCES = text("""
SELECT id FROM page_dictionaries
WHERE source = ANY(:sources) AND content_zstd IS NOT NULL AND condemned_at IS NULL ORDER BY id
""")
_CONDEMN = text("UPDATE page_dictionaries SET condemned_at = now() WHERE id = ANY(:ids)")
_CONDEMNED = text("SELECT id FROM page_dictionaries WHERE condemned_at IS NOT NULL ORDER BY id")
_PACKED_WITH = text("SELECT id, fetched_at FROM pages WHERE dictionary_id = :id")
_PACKED = text("""
SELECT id, fetched_at, html_zstd, html_bytes FROM pages
WHERE (id, fetched_at) IN (SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[])))
    AND dictionary_id = :dictionary
ORDER BY id FOR UPDATE
""")
_REPACK = text("""
UPDATE pages SET html_zstd = :html, dictionary_id = NULL WHERE id = :page AND fetched_at = :at
""")
_BURN = text("""
DELETE FROM page_dictionaries WHERE id = :id AND NOT EXISTS (SELECT FROM pages WHERE dictionary_id = :id)
""")


def condemn(connection: Connection, sources: Iterable[str], passages: Sequence[bytes] | None = None) -> int:
    """Those of these sources that hold one of the passages, or all; returns how many. `retire` does the rest."""
    held: list[int] = []
    for number in connection.execute(_OF_SOURCES, {"sources": list(sources)}).scalars().all():
        try:
            content = get(connection, number).content
        except StoreError:  # it cannot be read, so it tells nothing; `scrapy db check` tells of it
            continue
        if passages is None or any(one in content for one in passages):
            held.append(number)
    connection.execute(_CONDEMN, {"ids": held})
    return len(held)


def retire(engine: Engine) -> Iterator[int]:
    """Pack the pages that need a condemned dictionary without it, and delete it; gives how many were packed, by and by.

    What is broken off is gone on with. A page that cannot be unpacked any more stays as it is, and damaged.
    """
    with engine.connect() as connection:
        condemned = connection.execute(_CONDEMNED).scalars().all()
    for number in condemned:
        with engine.connect() as connection:
            places = connection.execute(_PACKED_WITH, {"id": number}).all()
        for at in range(0, len(places), REPACKED):
            with engine.begin() as connection:
                yield _repack(connection, number, places[at : at + REPACKED])
        with engine.begin() as connection:
            connection.execute(_BURN, {"id": number})


def _repack(connection: Connection, number: int, places: Sequence[Row[Any]]) -> int:
    given = {"ids": [row.id for row in places], "instants": [row.fetched_at for row in places], "dictionary": number}
    rows = []
    for row in connection.execute(_PACKED, given).all():
        try:
            html = pack(unpacked(connection, row.html_zstd, row.html_bytes, number))
        except StoreError as error:
            logger.error("page %s: %s", row.id, error)
            html = row.html_zstd
        rows.append({"page": row.id, "at": row.fetched_at, "html": html})
    if rows:
        connection.execute(_REPACK, rows)
    return len(rows)


# -- training --------------------------------------------------------------------------------------------------------


def review(engine: Engine, source: str) -> Trial | None:
    """Look for a better dictionary where that is due. None: it was not, or another process does it.

    A process that is killed meanwhile leaves nothing.
    """
    with engine.begin() as connection:
        tombstones.respect(connection)
        key = zlib.crc32(source.encode()) - (1 << 31)
        if not connection.execute(_TRAINING, {"lock": TRAINING_LOCK, "key": key}).scalar_one():
            return None
        last = connection.execute(_DUE, {"source": source, "review": REVIEW}).mappings().one_or_none()
        if last is not None and last["is_fresh"]:
            return None
        pages = _samples(connection, source)
        if len(pages) < SAMPLES:
            return None
        trial = trained(pages, _usable(connection, last["id"]) if last and last["is_one"] else None)
        _note(connection, source, last, trial, len(pages))
        return trial


def _samples(connection: Connection, source: str) -> list[bytes]:
    rows = connection.execute(_SAMPLES, {"source": source, "most": SAMPLES, "size": 2 * MOST}).all()
    found = []
    for row in rows:
        with contextlib.suppress(StoreError):  # `scrapy db check` tells of those
            found.append(unpacked(connection, *row))
    return found


def _note(connection: Connection, source: str, last: RowMapping | None, trial: Trial, samples: int) -> None:
    """The one that is in use stays when none surpasses it."""
    if trial.dictionary is None and last is not None:
        connection.execute(_REVIEWED, {"id": last["id"]})
        return
    content = trial.dictionary.content if trial.dictionary else None
    values = {
        "source": source,
        "content_zstd": None if content is None else pack(content),
        "content_bytes": len(content or b""),
        "samples": samples // 2,
        "bytes_before": trial.before,
        "bytes_after": trial.after,
    }
    connection.execute(insert(models.PageDictionary).values(values))


def review_all(engine: Engine, sources: Iterable[str], seconds: float) -> Iterator[tuple[str, Trial]]:
    """`review` of these, until the time is up; the rest is left to the next run."""
    end = time.monotonic() + seconds
    for source in sources:
        if time.monotonic() > end:
            return
        if trial := review(engine, source):
            yield source, trial
