"""What a publisher wants removed is removed, everywhere, and a tombstone keeps it away (tombstones.py).

A page is gathered with all its addresses, its article and whatever was made of it; a source in batches, each a short
transaction in which nobody else stores anything. So it may be broken off at any time: a source's tombstone comes first,
and the same command goes on where it was. What takes longer (pages that were packed with a forgotten one, clusters that
have lost their original) is done after that, beside crawls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Engine, RowMapping, Text, TextClause, bindparam, text

from crawler.errors import ConfigurationError, StoreError
from crawler.recurrence import block_key
from crawler.store import dictionaries, notices, templates, tombstones
from crawler.store.dictionaries import unpacked
from crawler.store.tombstones import Act
from crawler.urls import url_key

BATCH = 100  # articles in one transaction
URLS = 500  # addresses without an article in one transaction
LEAST_PASSAGE = 40  # characters of a paragraph by which a dictionary is known to hold its page
PASSAGE = 80
FORGOTTEN = "forgotten"

_IDS, _KEYS = (bindparam(name, type_=ARRAY(kind)) for name, kind in (("ids", BigInteger), ("keys", Text)))
# An ARRAY of ids, not IN: so each side of an OR has its index, and no statement for a page reads all addresses.
_ARTICLES_AT = text("""
SELECT id FROM articles WHERE key = ANY(:keys) UNION SELECT article_id FROM urls
WHERE article_id IS NOT NULL
    AND (key = ANY(:keys) OR id = ANY(ARRAY(SELECT url_id FROM url_aliases WHERE key = ANY(:keys))))
""").bindparams(_KEYS)
_ADDRESSES = text("""
SELECT url FROM articles WHERE id = ANY(:ids) UNION SELECT canonical_url FROM articles WHERE id = ANY(:ids)
UNION SELECT content ->> 'url' FROM revisions WHERE article_id = ANY(:ids)
UNION SELECT content ->> 'canonical_url' FROM revisions WHERE article_id = ANY(:ids)
""").bindparams(_IDS)
# Rows of these addresses; never one that holds an article of its own.
_ROWS = text("""
SELECT id, url, key, reason, detail FROM urls
WHERE (article_id IS NULL OR article_id = ANY(:ids)) AND (
    article_id = ANY(:ids) OR key = ANY(:keys)
    OR id = ANY(ARRAY(SELECT url_id FROM url_aliases WHERE key = ANY(:keys))))
""").bindparams(_IDS, _KEYS)
_REDIRECTING = text("""
SELECT id, url, key, reason, detail FROM urls
WHERE reason IN ('duplicate', 'moved') AND detail = ANY(:addresses) AND (article_id IS NULL OR article_id = ANY(:ids))
""").bindparams(_IDS, bindparam("addresses", type_=ARRAY(Text)))
_OTHER_ADDRESSES = text("""
SELECT url FROM url_aliases WHERE url_id = ANY(:ids) UNION SELECT url FROM pages WHERE url_id = ANY(:ids)
""").bindparams(_IDS)
_OTHERS = text("""
SELECT key FROM articles WHERE key = ANY(:keys) AND id <> ALL(:ids)
UNION SELECT key FROM urls WHERE key = ANY(:keys) AND article_id IS NOT NULL AND article_id <> ALL(:ids)
""").bindparams(_IDS, _KEYS)
_OWN_KEYS = text("SELECT key, id FROM articles WHERE id = ANY(:ids)").bindparams(_IDS)
_SOURCES = text("""
SELECT source FROM articles WHERE id = ANY(:articles) UNION SELECT source FROM urls WHERE id = ANY(:ids)
""").bindparams(_IDS, bindparam("articles", type_=ARRAY(BigInteger)))
_SOURCE_OF = text("""
SELECT source FROM articles WHERE id = ANY(:articles) UNION ALL SELECT source FROM urls WHERE id = ANY(:ids) LIMIT 1
""").bindparams(_IDS, bindparam("articles", type_=ARRAY(BigInteger)))
_HTML = text("SELECT html_zstd, html_bytes, dictionary_id FROM pages WHERE url_id = ANY(:ids)").bindparams(_IDS)
_TEXTS = text("""
SELECT blocks FROM articles WHERE id = ANY(:ids)
UNION ALL SELECT content -> 'blocks' FROM revisions WHERE article_id = ANY(:ids)
""").bindparams(_IDS)
_COPIES = text("""
WITH own AS (SELECT DISTINCT cluster FROM duplicates
             WHERE cluster IS NOT NULL AND (article_id = ANY(:ids) OR original_id = ANY(:ids))),
members AS (
    SELECT article_id AS id, kind FROM duplicates WHERE cluster IN (SELECT cluster FROM own)
    UNION ALL SELECT original_id, 'original' FROM duplicates WHERE cluster IN (SELECT cluster FROM own)
)
SELECT id, source, headline, url, min(kind) AS kind FROM members JOIN articles USING (id) WHERE id <> ALL(:ids)
GROUP BY 1, 2, 3, 4 ORDER BY id
""").bindparams(_IDS)
_COUNTS = text("""
SELECT (SELECT count(*) FROM revisions WHERE article_id = ANY(:articles)) AS revisions,
    (SELECT count(*) FROM pages WHERE url_id = ANY(:ids)) AS pages
""").bindparams(_IDS, bindparam("articles", type_=ARRAY(BigInteger)))

_SIZE = text("SELECT count(*) FROM articles WHERE source = :source")
_RETURNED = text(f"""
WITH stored AS (
    SELECT url, key, source FROM articles UNION SELECT url, key, source FROM urls
    UNION SELECT url_aliases.url, url_aliases.key, urls.source FROM url_aliases JOIN urls ON urls.id = url_id
)
SELECT url FROM stored WHERE source <> ALL(:sources) AND EXISTS (
    SELECT FROM ({tombstones.SQL_DIGESTS}) AS own(digest) JOIN tombstones USING (digest))
""")  # noqa: S608 (SQL of our own)
_RETURNED_SOURCES = text("""
SELECT id FROM sources WHERE id IN (SELECT source FROM tombstones WHERE kind = 'source' AND digest IS NOT NULL)
    AND id IN (SELECT source FROM articles UNION ALL SELECT source FROM urls) ORDER BY id
""")
_NEXT_ACT = text("SELECT nextval(pg_get_serial_sequence('tombstones', 'id'))")
_TAUGHT = text("""
UPDATE boilerplate_blocks AS b SET
    articles = greatest(b.articles - had.n, 0), evidence = had.rest,
    sample = CASE WHEN greatest(b.articles - had.n, 0) = 0 OR state = 'seen' AND b.articles - had.n < 2 THEN NULL
             ELSE sample END
FROM (
    SELECT source, key, count(*) FILTER (WHERE e = ANY(:ids)) AS n,
        coalesce(jsonb_agg(e) FILTER (WHERE e <> ALL(:ids)), '[]') AS rest
    FROM boilerplate_blocks LEFT JOIN LATERAL (
        SELECT CAST(one AS bigint) AS e FROM jsonb_array_elements_text(evidence) AS one) AS e ON true
    WHERE source = ANY(:sources) GROUP BY source, key
) AS had
WHERE had.source = b.source AND had.key = b.key AND (had.n > 0 OR b.key = ANY(:keys) AND b.articles = 0)
""").bindparams(_IDS, _KEYS, bindparam("sources", type_=ARRAY(Text)))
_TAUGHT_BY_NOBODY = text("""
DELETE FROM boilerplate_blocks WHERE source = ANY(:sources) AND evidence = '[]' AND state <> 'forgiven'
""").bindparams(bindparam("sources", type_=ARRAY(Text)))
_STAGED = text("DELETE FROM reextracted WHERE url_id = ANY(:ids) OR article_id = ANY(:articles)").bindparams(
    _IDS, bindparam("articles", type_=ARRAY(BigInteger))
)
_REMOVE = {
    "pages": text("DELETE FROM pages WHERE url_id = ANY(:ids)").bindparams(_IDS),
    "addresses": text("DELETE FROM urls WHERE id = ANY(:ids)").bindparams(_IDS),
}
_REMOVE_ARTICLES = text("DELETE FROM articles WHERE id = ANY(:ids)").bindparams(_IDS)
_REVISIONS = text("DELETE FROM revisions WHERE article_id = ANY(:ids)").bindparams(_IDS)
_LISTINGS = text("DELETE FROM listings WHERE url = ANY(:addresses)").bindparams(
    bindparam("addresses", type_=ARRAY(Text))
)
_ASKED = text("SELECT id, arguments ->> 'url' AS url FROM crawls WHERE arguments ? 'url'")
_HIDE = text("""
UPDATE crawls SET arguments = jsonb_set(arguments, '{url}', '"forgotten"') WHERE id = ANY(:ids)
""").bindparams(_IDS)
_SOURCE_ACT = text("SELECT act FROM tombstones WHERE kind = 'source' AND digest = :digest")
_SWITCH_OFF = text("""
UPDATE sources SET disabled_at = coalesce(disabled_at, now()), disabled_why = :why WHERE id = :source
""")
_HOMEPAGE = text("SELECT homepage FROM sources WHERE id = :source")
_OTHER_HOMEPAGES = text("SELECT homepage FROM sources WHERE id <> :source")
_ARTICLES_OF = text("SELECT id FROM articles WHERE source = :source ORDER BY id LIMIT :most")
_URLS_OF_ARTICLES = text("SELECT id, key FROM urls WHERE article_id = ANY(:ids)").bindparams(_IDS)
_URLS_OF = text("""
SELECT id FROM urls WHERE id > :after AND source = :source AND article_id IS NULL ORDER BY id LIMIT :most
""")
_STRAYS = text("SELECT id FROM articles WHERE source <> :source AND starts_with(key, :prefix) ORDER BY id")
_STRAY_URLS = text("""
SELECT id FROM urls WHERE source <> :source AND article_id IS NULL AND starts_with(key, :prefix) ORDER BY id
""")
# Addresses that it had found, of articles that are another's.
_GIVE_AWAY = text("""
UPDATE urls SET source = articles.source FROM articles
WHERE articles.id = urls.article_id AND urls.source = :source AND articles.source <> :source
""")
_JOBS_OF = text("""
DELETE FROM procrastinate.procrastinate_jobs WHERE status <> 'doing' AND args ->> 'source' = :source
""")
_REST = ("boilerplate_blocks", "url_shapes", "edit_rates", "listings", "reextracted_sources", "reextracted")

_ACTS = text("""
SELECT act, min(forgotten_at) AS forgotten_at, min(source) AS source, min(why) AS why, min(by_whom) AS by_whom,
    bool_or(kind = 'source') AS is_source, count(article_id) AS articles, min(article_id) AS article_id,
    max(undone_at) AS undone_at
FROM tombstones GROUP BY act ORDER BY min(forgotten_at), act
""")
_ACTS_OF = text("""
SELECT DISTINCT act FROM tombstones WHERE digest = ANY(:digests) OR digest IS NOT NULL AND article_id = :article
""")
_WHOLE_OF = text("""
SELECT source FROM tombstones WHERE kind = 'source' AND digest IS NOT NULL AND act IN (
    SELECT act FROM tombstones WHERE digest = ANY(:digests) OR digest IS NOT NULL AND article_id = :article)
""")
_UNDO_SOURCE = text("""
UPDATE sources SET disabled_at = NULL, disabled_why = NULL
WHERE id IN (SELECT source FROM tombstones WHERE act = ANY(:acts) AND kind = 'source')
""")
_UNDO = (
    text("DELETE FROM tombstones WHERE act = ANY(:acts) AND article_id IS NULL"),
    text("UPDATE tombstones SET digest = NULL, undone_at = now() WHERE act = ANY(:acts)"),
)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """What goes with a source: its articles, its site if no other has that, and what others have stored of the site."""

    articles: int
    site: str | None
    strays: int


def extent(connection: Connection, source: str) -> Extent:
    """Of one that has its row."""
    site = _site(connection, source)
    strays = len(_strays(connection, _STRAYS, source, site))
    articles = int(connection.execute(_SIZE, {"source": source}).scalar_one())
    return Extent(articles=articles, site=site, strays=strays)


def _site(connection: Connection, source: str) -> str | None:
    """None: another source has its home page there."""
    homepage = connection.execute(_HOMEPAGE, {"source": source}).scalar_one()
    site = tombstones.of_site(homepage)
    others = connection.execute(_OTHER_HOMEPAGES, {"source": source}).scalars()
    is_shared = any(site in tombstones.digests(url_key(other) or other) for other in others)
    return None if is_shared else tombstones.site_of(homepage)


def _strays(connection: Connection, what: TextClause, source: str, site: str | None) -> list[int]:
    """Ids of what other sources have found there."""
    return list(connection.execute(what, {"source": source, "prefix": f"{site}/"}).scalars()) if site else []


def returned_sources(connection: Connection) -> list[str]:
    """Sources of which something is stored though all was forgotten: an older backup was restored."""
    return list(connection.execute(_RETURNED_SOURCES).scalars())


def returned(connection: Connection, but: Sequence[str] = ()) -> list[str]:
    """The same of addresses; not those of these sources."""
    return list(connection.execute(_RETURNED, {"sources": list(but)}).scalars())


# -- a page -----------------------------------------------------------------------------------------------------------


def find(connection: Connection, *, url: str | None = None, article_id: int | None = None) -> Found:
    """What is stored of an address, or of an article, under whatever addresses it was met."""
    found = Found()
    if url is not None:
        found.addresses.add(url)
        found.keys.add(url_key(url) or url)
    if article_id is not None:
        found.articles.add(article_id)
    _complete(connection, found, deep=True)
    ids = {"articles": list(found.articles), "ids": list(found.urls)}
    found.source = connection.execute(_SOURCE_OF, ids).scalar()
    found.revisions, found.pages = connection.execute(_COUNTS, ids).one()
    found.copies = list(connection.execute(_COPIES, {"ids": list(found.articles)}).mappings())
    return found


def _complete(connection: Connection, found: Found, *, deep: bool) -> None:
    """Until nothing more is found. `deep`: also pages that were seen to redirect to it."""
    before = -1
    while before != (before := len(found.articles) + len(found.urls) + len(found.keys) + len(found.addresses)):
        _widen(connection, found, deep=deep)


def _widen(connection: Connection, found: Found, *, deep: bool) -> None:
    found.articles.update(connection.execute(_ARTICLES_AT, {"keys": list(found.keys)}).scalars())
    found.keys.update(row.key for row in connection.execute(_OWN_KEYS, {"ids": list(found.articles)}))
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


def _take(connection: Connection, found: Found, urls: Sequence[str]) -> None:
    """Addresses of it; not those of another article, whatever a page may have claimed."""
    keys = tombstones.keys_of(urls)
    given = {"keys": list(set(keys.values()) - found.keys), "ids": list(found.articles)}
    others = set(connection.execute(_OTHERS, given).scalars()) if given["keys"] else set()
    for url, key in keys.items():
        if key not in others:
            found.addresses.add(url)
            found.keys.add(key)


def forget_page(engine: Engine, asked: Found, why: str | None, by_whom: str) -> Counter[str]:
    """Remove a page and all that was made of it, in one transaction; returns what that was."""
    found = Found(articles=set(asked.articles), urls=set(asked.urls), keys=set(asked.keys))
    found.addresses = set(asked.addresses)
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        # A crawl may have stored more of it since a person was shown what there is.
        _complete(connection, found, deep=False)
        number = connection.execute(_NEXT_ACT).scalar_one()
        act = Act(number=number, source=asked.source, why=why, by_whom=by_whom)
        articles, urls = sorted(found.articles), sorted(found.urls)
        own = {row.key: row.id for row in connection.execute(_OWN_KEYS, {"ids": articles})}
        tombstones.put(connection, act, "page", {tombstones.of_page(key): own.get(key) for key in sorted(found.keys)})
        sources = list(connection.execute(_SOURCES, {"ids": urls, "articles": articles}).scalars())
        ledgers = connection.execute(_TEXTS, {"ids": articles}).scalars()
        texts = [block["text"] for blocks in ledgers for block in blocks or ()]
        done = Counter(dictionaries=_condemn(connection, sources, urls, texts))
        done += _removed(connection, articles, urls)
        _unlearn(connection, sources, articles, texts)
        connection.execute(_LISTINGS, {"addresses": list(found.addresses)})
        _hide_asked(connection)
        return done


def _removed(connection: Connection, articles: Sequence[int], urls: Sequence[int]) -> Counter[str]:
    notices.tell(connection, [(one, FORGOTTEN) for one in articles])
    connection.execute(_STAGED, {"ids": list(urls), "articles": list(articles)})
    done = Counter({name: connection.execute(one, {"ids": list(urls)}).rowcount for name, one in _REMOVE.items()})
    done["revisions"] = connection.execute(_REVISIONS, {"ids": list(articles)}).rowcount
    done["articles"] = connection.execute(_REMOVE_ARTICLES, {"ids": list(articles)}).rowcount
    return done


def _condemn(connection: Connection, sources: Sequence[str], urls: Sequence[int], texts: Sequence[str]) -> int:
    """Dictionaries with a page of it: by the pages' own bytes, or, where these are gone, by a paragraph."""
    passages = [text[:PASSAGE].encode() for text in texts if len(text) >= LEAST_PASSAGE]
    for row in connection.execute(_HTML, {"ids": list(urls)}):
        try:
            passages.append(unpacked(connection, row.html_zstd, row.html_bytes, row.dictionary_id))
        except StoreError:  # damaged: `scrapy db check` tells of it, and the paragraphs tell enough
            continue
    return dictionaries.condemn(connection, sources, [one for one in passages if one])


def _unlearn(connection: Connection, sources: Sequence[str], articles: Sequence[int], texts: Sequence[str]) -> None:
    """What only these articles have taught of their source's template."""
    if sources:
        templates.lock(connection, *sources)
        given = {"sources": list(sources), "ids": list(articles), "keys": list({block_key(one) for one in texts})}
        connection.execute(_TAUGHT, given)
        connection.execute(_TAUGHT_BY_NOBODY, {"sources": list(sources)})


def _hide_asked(connection: Connection) -> None:
    """`crawl page -a url=…` has noted what it was asked for."""
    asked = {row.id: row.url for row in connection.execute(_ASKED) if row.url}
    keys = tombstones.keys_of(set(asked.values()))
    gone = tombstones.forgotten(connection, dict.fromkeys(keys.values(), ""))
    ids = [one for one, url in asked.items() if keys[url] in gone]
    if ids:
        connection.execute(_HIDE, {"ids": ids})


# -- a source ---------------------------------------------------------------------------------------------------------


def forget_source(engine: Engine, source: str, why: str | None, by_whom: str) -> Iterator[Counter[str]]:
    """Remove all of a source, batch by batch; gives what each has removed. What is broken off is gone on with."""
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        act, site = _close(connection, source, why, by_whom)
        done = Counter(dictionaries=dictionaries.condemn(connection, [source]))
        _clear(connection, source)
    yield done
    with engine.connect() as connection:
        strays = _strays(connection, _STRAYS, source, site)
        stray_urls = _strays(connection, _STRAY_URLS, source, site)
    while True:
        with engine.begin() as connection:
            tombstones.be_alone(connection)
            articles = list(connection.execute(_ARTICLES_OF, {"source": source, "most": BATCH}).scalars())
            if not articles:
                articles, strays = strays[:BATCH], strays[BATCH:]
            if not articles:
                break
            own = {tombstones.of_page(row.key): row.id for row in connection.execute(_OWN_KEYS, {"ids": articles})}
            urls = {row.id: row.key for row in connection.execute(_URLS_OF_ARTICLES, {"ids": articles})}
            tombstones.put(connection, act, "page", dict.fromkeys(map(tombstones.of_page, urls.values())) | own)
            done = _removed(connection, articles, list(urls))
        yield done
    for at in range(0, len(stray_urls), URLS):
        with engine.begin() as connection:
            tombstones.be_alone(connection)
            done = _removed(connection, [], stray_urls[at : at + URLS])
        yield done
    after = 0
    while True:
        with engine.begin() as connection:
            tombstones.be_alone(connection)
            found = connection.execute(_URLS_OF, {"source": source, "most": URLS, "after": after})
            ids = list(found.scalars())
            if not ids:
                break
            done = _removed(connection, [], ids)
        after = ids[-1]
        yield done
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        connection.execute(_GIVE_AWAY, {"source": source})
        _clear(connection, source)
        _hide_asked(connection)


def _clear(connection: Connection, source: str) -> None:
    """What is not an article's, but has grown out of articles. A crawl that has not noticed yet may add to it."""
    for table in _REST:
        connection.execute(text(f"DELETE FROM {table} WHERE source = :source"), {"source": source})  # noqa: S608
    connection.execute(_JOBS_OF, {"source": source})


def _close(connection: Connection, source: str, why: str | None, by_whom: str) -> tuple[Act, str | None]:
    """Its own tombstones and its site's, if no other source shares that; from now on no crawl asks it anything."""
    digest = tombstones.of_source(source)
    begun = connection.execute(_SOURCE_ACT, {"digest": digest}).scalar()
    number = begun if begun is not None else connection.execute(_NEXT_ACT).scalar_one()
    act = Act(number=number, source=source, why=why, by_whom=by_whom)
    said = f"{FORGOTTEN}: {why}" if why else FORGOTTEN
    connection.execute(_SWITCH_OFF, {"source": source, "why": said})
    site = _site(connection, source)
    if begun is None:
        tombstones.put(connection, act, "source", {digest: None})
        if site:
            tombstones.put(connection, act, "site", {tombstones.of_site(site): None})
    return act, site


# -- what was forgotten -----------------------------------------------------------------------------------------------


def acts(connection: Connection) -> list[RowMapping]:
    """Everything that was forgotten, the oldest first."""
    return list(connection.execute(_ACTS).mappings())


def acts_of(
    connection: Connection, *, url: str | None = None, article_id: int | None = None, source: str | None = None
) -> list[int]:
    """The numbers of those that keep it away. Raises ConfigurationError for a page that goes with its whole source."""
    digests = tombstones.digests(url_key(url) or url) if url else []
    digests += [tombstones.of_source(source)] if source else []
    given = {"digests": digests, "article": article_id}
    whole = connection.execute(_WHOLE_OF, given).scalar() if source is None else None
    if whole is not None:
        raise ConfigurationError(
            f"{url or article_id} is kept away with all of {whole}: scrapy forget --undo {whole} allows that"
        )
    return list(connection.execute(_ACTS_OF, given).scalars())


def undo(connection: Connection, numbers: Collection[int]) -> None:
    """Let it come again. What was removed stays so, and who keeps copies is told of it all the same."""
    given: dict[str, Any] = {"acts": list(numbers)}
    connection.execute(_UNDO_SOURCE, given)
    for statement in _UNDO:
        connection.execute(statement, given)
