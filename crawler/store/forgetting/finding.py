"""A page with all its addresses, and what is stored under them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, RowMapping, text

from crawler.store import tombstones
from crawler.urls import url_key


@dataclass(kw_only=True, slots=True)
class Found:
    """A page with all that is known of it: ids of articles and of rows of the frontier, keys, addresses."""

    articles: set[int] = field(default_factory=set)
    urls: set[int] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    source: str | None = None
    revisions: int = 0
    pages: int = 0
    copies: list[RowMapping] = field(default_factory=list)


_SOURCE_OF = text("""
SELECT source FROM articles WHERE id = ANY(:articles) UNION ALL SELECT source FROM urls WHERE id = ANY(:ids) LIMIT 1
""")
_COUNTS = text("""
SELECT (SELECT count(*) FROM revisions WHERE article_id = ANY(:articles)) AS revisions,
    (SELECT count(*) FROM pages WHERE url_id = ANY(:ids)) AS pages
""")
_COPIES = text("""
WITH own AS (SELECT DISTINCT cluster FROM duplicates
             WHERE cluster IS NOT NULL AND (article_id = ANY(:ids) OR original_id = ANY(:ids))),
members AS (
    SELECT article_id AS id, kind FROM duplicates WHERE cluster IN (SELECT cluster FROM own)
    UNION ALL SELECT original_id, 'original' FROM duplicates WHERE cluster IN (SELECT cluster FROM own)
)
SELECT id, source, headline, url, min(kind) AS kind FROM members JOIN articles USING (id) WHERE id <> ALL(:ids)
GROUP BY 1, 2, 3, 4 ORDER BY id
""")


def find(connection: Connection, *, url: str | None = None, article_id: int | None = None) -> Found:
    """What is stored of an address, or of an article, under whatever addresses it was met."""
    found = Found()
    if url is not None:
        found.addresses.add(url)
        found.keys.add(url_key(url) or url)
    if article_id is not None:
        found.articles.add(article_id)
    complete(connection, found, deep=True)
    ids = {"articles": list(found.articles), "ids": list(found.urls)}
    found.source = connection.execute(_SOURCE_OF, ids).scalar()
    found.revisions, found.pages = connection.execute(_COUNTS, ids).one()
    found.copies = list(connection.execute(_COPIES, {"ids": list(found.articles)}).mappings())
    return found


def complete(connection: Connection, found: Found, *, deep: bool) -> None:
    """Until nothing more is found. `deep`: also pages that were seen to redirect to it."""
    before = -1
    while before != (before := len(found.articles) + len(found.urls) + len(found.keys) + len(found.addresses)):
        _widen(connection, found, deep=deep)


# Ids by ARRAY, not by IN: so each side of an OR has its index, and no statement for a page reads all addresses.
_ARTICLES_AT = text("""
SELECT id FROM articles WHERE key = ANY(:keys) UNION SELECT article_id FROM urls
WHERE article_id IS NOT NULL
    AND (key = ANY(:keys) OR id = ANY(ARRAY(SELECT url_id FROM url_aliases WHERE key = ANY(:keys))))
""")
_ADDRESSES = text("""
SELECT url FROM articles WHERE id = ANY(:ids) UNION SELECT canonical_url FROM articles WHERE id = ANY(:ids)
UNION SELECT content ->> 'url' FROM revisions WHERE article_id = ANY(:ids)
UNION SELECT content ->> 'canonical_url' FROM revisions WHERE article_id = ANY(:ids)
""")
# Never one that holds an article of its own.
_ROWS = text("""
SELECT id, url, key, reason, detail FROM urls
WHERE (article_id IS NULL OR article_id = ANY(:ids)) AND (
    article_id = ANY(:ids) OR key = ANY(:keys)
    OR id = ANY(ARRAY(SELECT url_id FROM url_aliases WHERE key = ANY(:keys))))
""")
_REDIRECTING = text("""
SELECT id, url, key, reason, detail FROM urls
WHERE reason IN ('duplicate', 'moved') AND detail = ANY(:addresses) AND (article_id IS NULL OR article_id = ANY(:ids))
""")
_OTHER_ADDRESSES = text("""
SELECT url FROM url_aliases WHERE url_id = ANY(:ids) UNION SELECT url FROM pages WHERE url_id = ANY(:ids)
""")


def _widen(connection: Connection, found: Found, *, deep: bool) -> None:
    found.articles.update(connection.execute(_ARTICLES_AT, {"keys": list(found.keys)}).scalars())
    found.keys.update(own_keys(connection, found.articles))
    named = connection.execute(_ADDRESSES, {"ids": list(found.articles)}).scalars()
    _take(connection, found, [url for url in named if url])
    ids = list(found.articles)
    rows = list(connection.execute(_ROWS, {"ids": ids, "keys": list(found.keys)}))
    if deep:
        rows += connection.execute(_REDIRECTING, {"ids": ids, "addresses": list(found.addresses)})
    for row in rows:
        found.urls.add(row.id)
        found.addresses.add(row.url)
        found.keys.add(row.key)
        if row.reason in ("duplicate", "moved") and row.detail:
            _take(connection, found, [row.detail])
    others = connection.execute(_OTHER_ADDRESSES, {"ids": list(found.urls)}).scalars().all()
    _take(connection, found, others)


_OTHERS = text("""
SELECT key FROM articles WHERE key = ANY(:keys) AND id <> ALL(:ids)
UNION SELECT key FROM urls WHERE key = ANY(:keys) AND article_id IS NOT NULL AND article_id <> ALL(:ids)
""")


def _take(connection: Connection, found: Found, urls: Sequence[str]) -> None:
    """Addresses of it; not those of another article, whatever a page may have claimed."""
    keys = tombstones.keys_of(urls)
    given = {"keys": list(set(keys.values()) - found.keys), "ids": list(found.articles)}
    others = set(connection.execute(_OTHERS, given).scalars()) if given["keys"] else set()
    for url, key in keys.items():
        if key not in others:
            found.addresses.add(url)
            found.keys.add(key)


_OWN_KEYS = text("SELECT key, id FROM articles WHERE id = ANY(:ids)")


def own_keys(connection: Connection, articles: Collection[int]) -> dict[str, int]:
    """The keys of these articles' own addresses."""
    return {row.key: row.id for row in connection.execute(_OWN_KEYS, {"ids": list(articles)})}
