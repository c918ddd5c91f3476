"""What was forgotten must not come back: whoever stores looks here first, and nobody stores while something is removed.

A tombstone is a digest: of an address (its key), of a site (all below a home page) or of a source's name. It holds no
text and no address, but it is a plain SHA-256: whoever has the table and knows an address can tell that it was
forgotten. A key kept beside the table would hide that from nobody who has both, and lost it would let all in again.

Whoever writes what is made of pages holds LOCK shared until the transaction ends, taken before all other locks
(`respect`), and whoever removes something holds it alone: a page that was fetched before and is stored after it was
forgotten finds the tombstone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.urls import url_key

LOCK = 7_305_170  # of pg_advisory_xact_lock
# The same in SQL, for `scrapy db check`; of a key as `key`, and of a source as `source`.
SQL_DIGESTS = """
SELECT sha256(convert_to(key, 'UTF8')) UNION ALL SELECT sha256(convert_to('source ' || source, 'UTF8')) UNION ALL
SELECT sha256(convert_to('site ' || array_to_string(parts[1:n], '/'), 'UTF8'))
FROM string_to_array(split_part(key, '?', 1), '/') AS parts, generate_series(1, cardinality(parts)) AS n UNION ALL
SELECT sha256(convert_to('site ' || key, 'UTF8')) WHERE key LIKE '%?%'
"""

_RESPECT = text("SELECT pg_advisory_xact_lock_shared(:key)")
_ALONE = text("SELECT pg_advisory_xact_lock(:key)")
_FOUND = text("SELECT digest, act FROM tombstones WHERE digest = ANY(:digests)")
_HAS_ARTICLE = text("SELECT EXISTS (SELECT FROM urls WHERE id = :id AND article_id IS NOT NULL)")
_PUT = text("""
INSERT INTO tombstones (act, kind, digest, article_id, source, why, by_whom)
SELECT :act, :kind, r.digest, r.article_id, :source, :why, :by_whom
FROM unnest(CAST(:digests AS bytea[]), CAST(:articles AS bigint[])) AS r(digest, article_id) ORDER BY r.digest
ON CONFLICT (digest) DO UPDATE SET article_id = excluded.article_id, changed_xid = excluded.changed_xid
WHERE excluded.article_id IS NOT NULL
""")
_JOIN = text("""
INSERT INTO tombstones (act, kind, digest, source, forgotten_at, why, by_whom)
SELECT act, 'page', digest, source, forgotten_at, why, by_whom
FROM (SELECT act, source, forgotten_at, why, by_whom FROM tombstones WHERE act = :act ORDER BY id LIMIT 1) AS first,
    unnest(CAST(:digests AS bytea[])) AS new(digest) ORDER BY digest
ON CONFLICT (digest) DO NOTHING
""")
_HAS_TABLE = text("SELECT to_regclass('public.tombstones') IS NOT NULL")
_KEPT = text("SELECT to_jsonb(t) FROM tombstones AS t WHERE digest IS NOT NULL ORDER BY id")
_BRING_BACK = text("""
WITH kept AS (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(act bigint, kind text, digest bytea, article_id bigint, source text,
        forgotten_at timestamptz, why text, by_whom text)
), acts AS (
    SELECT act, nextval(pg_get_serial_sequence('tombstones', 'id')) AS number FROM (SELECT DISTINCT act FROM kept) AS a
)
INSERT INTO tombstones (act, kind, digest, article_id, source, forgotten_at, why, by_whom)
SELECT number, kind, digest, article_id, source, forgotten_at, why, by_whom FROM kept JOIN acts USING (act)
ON CONFLICT (digest) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))
_BURY = (
    text("DELETE FROM reextracted WHERE url_id = :id"),
    text("DELETE FROM pages WHERE url_id = :id"),
    text("DELETE FROM urls WHERE id = :id"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Why and by whom something is forgotten; its tombstones share the number."""

    number: int
    source: str | None
    why: str | None
    by_whom: str


def respect(connection: Connection) -> None:
    """Nothing is forgotten from here to the end of the transaction, and what was is known to the next statement."""
    connection.execute(_RESPECT, {"key": LOCK})


def be_alone(connection: Connection) -> None:
    """Nobody stores anything until the transaction ends: it has to be short."""
    connection.execute(_ALONE, {"key": LOCK})


def of_page(key: str) -> bytes:
    """The digest of one address."""
    return sha256(key.encode()).digest()


def of_source(name: str) -> bytes:
    return sha256(f"source {name}".encode()).digest()


def of_site(homepage: str) -> bytes:
    """The digest of a site: all addresses whose key begins with that of its home page."""
    return sha256(f"site {site_of(homepage)}".encode()).digest()


def site_of(homepage: str) -> str:
    """What the keys of all its addresses begin with, without a slash.

    A home page with a query is all of its site: what else the same script shows may be others'.
    """
    key = url_key(homepage) or homepage
    return key if "?" in key else key.rstrip("/")


def digests(key: str, source: str = "") -> list[bytes]:
    """All under which a page may be forgotten: itself, its site, its source."""
    sites = [sha256(f"site {site}".encode()).digest() for site in _sites(key)]
    return [of_page(key), *sites, *([of_source(source)] if source else [])]


def _sites(key: str) -> Iterator[str]:
    """`herald.example/en/a` lies in `herald.example`, in `herald.example/en` and in itself."""
    path, query, _ = key.partition("?")
    segments = path.split("/")
    for number in range(1, len(segments) + 1):
        yield "/".join(segments[:number])
    if query:
        yield key


def forgotten(connection: Connection, pages: Mapping[str, str]) -> dict[str, int]:
    """Those of these keys (with their source) that are, and the number of the act."""
    wanted = {key: digests(key, source) for key, source in pages.items()}
    given = list({one for some in wanted.values() for one in some})
    found: dict[bytes, int] = dict(connection.execute(_FOUND, {"digests": given}).all()) if given else {}
    acts = {key: [found[one] for one in some if one in found] for key, some in wanted.items()} if found else {}
    return {key: some[0] for key, some in acts.items() if some}


def is_forgotten(connection: Connection, url: str, source: str = "") -> bool:
    """Whether an address is, or its site, or its source."""
    return bool(forgotten(connection, {url_key(url) or url: source}))


def put(connection: Connection, act: Act, kind: str, given: Mapping[bytes, int | None]) -> None:
    """Lay tombstones: digest -> former article, if it is the article's own."""
    values = {"act": act.number, "source": act.source, "why": act.why, "by_whom": act.by_whom, "kind": kind}
    if given:
        connection.execute(_PUT, {**values, "digests": list(given), "articles": list(given.values())})


def bury(connection: Connection, url_id: int, keys: Iterable[str], act: int) -> bool:
    """A page that turned out to be another address of what was forgotten: as that. False: it has an article of its own.

    Publishers err: what is stored already is not removed because it names something as its canonical address.
    """
    if connection.execute(_HAS_ARTICLE, {"id": url_id}).scalar_one():
        return False
    connection.execute(_JOIN, {"act": act, "digests": [of_page(key) for key in keys]})
    for statement in _BURY:
        connection.execute(statement, {"id": url_id})
    return True


def keep(connection: Connection) -> list[dict[str, Any]]:
    """Those that there are, to be brought back after a restore of an older backup."""
    if not connection.execute(_HAS_TABLE).scalar_one():
        return []
    return [dict(row) for row in connection.execute(_KEPT).scalars()]


def bring_back(connection: Connection, kept: list[dict[str, Any]]) -> None:
    """Those that the backup does not know, in acts of their own."""
    if kept:
        connection.execute(_BRING_BACK, {"rows": kept})


def keys_of(urls: Collection[str]) -> dict[str, str]:
    """Address -> its key."""
    return {url: url_key(url) or url for url in urls}
