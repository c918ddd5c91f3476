"""A page is removed with all that was made of it, in one transaction in which nobody else stores anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, text

from crawler.errors import StoreError
from crawler.recurrence import block_key
from crawler.store import dictionaries, duplicates, notices, templates, tombstones
from crawler.store.dictionaries import unpacked
from crawler.store.forgetting import acts
from crawler.store.forgetting.finding import Found, complete, own_keys
from crawler.store.tombstones import Act

FORGOTTEN = "forgotten"
BATCH = 100  # addresses in one transaction
LEAST_PASSAGE = 40  # characters of a paragraph by which a dictionary is known to hold its page
PASSAGE = 80
_SOURCES = text("""
SELECT source FROM articles WHERE id = ANY(:articles) UNION SELECT source FROM urls WHERE id = ANY(:ids)
""")
_TEXTS = text("""
SELECT blocks FROM articles WHERE id = ANY(:ids)
UNION ALL SELECT content -> 'blocks' FROM revisions WHERE article_id = ANY(:ids)
""")
_LISTINGS = text("DELETE FROM listings WHERE url = ANY(:addresses)")


def forget_page(engine: Engine, asked: Found, why: str | None, by_whom: str) -> Counter[str]:
    """Remove a page and all that was made of it, in one transaction; returns what that was."""
    found = Found(articles=set(asked.articles), urls=set(asked.urls), keys=set(asked.keys))
    found.addresses = set(asked.addresses)
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        # A crawl may have stored more of it since a person was shown what there is.
        complete(connection, found, deep=False)
        act = Act(number=acts.next_number(connection), source=asked.source, why=why, by_whom=by_whom)
        return _remove(connection, found, act)


def forget_returned(engine: Engine, urls: Sequence[str], why: str | None, by_whom: str) -> Iterator[Counter[str]]:
    """The same of pages that were forgotten before and have come back, many in one transaction."""
    for at in range(0, len(urls), BATCH):
        some = urls[at : at + BATCH]
        yield _forget_again(engine, some, why, by_whom) + Counter(returned=len(some))


def _forget_again(engine: Engine, urls: Sequence[str], why: str | None, by_whom: str) -> Counter[str]:
    """One that has got an address without a tombstone goes alone: --undo of one must not allow others."""
    found = Found(keys=set(tombstones.keys_of(urls).values()), addresses=set(urls))
    with engine.connect() as connection:
        complete(connection, found, deep=True)
    if not (found.articles or found.urls):  # they went with other addresses of theirs
        return Counter()
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        complete(connection, found, deep=False)
        if len(urls) == 1 or found.keys == tombstones.forgotten(connection, dict.fromkeys(found.keys, "")).keys():
            source = connection.execute(_SOURCES, {"ids": list(found.urls), "articles": list(found.articles)}).scalar()
            act = Act(number=acts.next_number(connection), source=source, why=why, by_whom=by_whom)
            return _remove(connection, found, act)
    half = len(urls) // 2
    return _forget_again(engine, urls[:half], why, by_whom) + _forget_again(engine, urls[half:], why, by_whom)


def _remove(connection: Connection, found: Found, act: Act) -> Counter[str]:
    articles, urls = sorted(found.articles), sorted(found.urls)
    own = own_keys(connection, articles)
    tombstones.put(connection, act, "page", {tombstones.of_page(key): own.get(key) for key in sorted(found.keys)})
    sources = list(connection.execute(_SOURCES, {"ids": urls, "articles": articles}).scalars())
    ledgers = connection.execute(_TEXTS, {"ids": articles}).scalars()
    texts = [block["text"] for blocks in ledgers for block in blocks or ()]
    done = Counter(dictionaries=_condemn(connection, sources, urls, texts))
    done += removed(connection, articles, urls)
    _unlearn(connection, sources, articles, texts)
    connection.execute(_LISTINGS, {"addresses": list(found.addresses)})
    hide_asked(connection)
    return done


# Of these sources only, for which there is an index.
_STAGED = text("""
DELETE FROM reextracted
WHERE run_id = ANY(ARRAY(SELECT id FROM reextractions))
    AND source = ANY(ARRAY(
        SELECT source FROM articles WHERE id = ANY(:articles) UNION SELECT source FROM urls WHERE id = ANY(:ids)))
    AND (url_id = ANY(:ids) OR article_id = ANY(:articles))
""")
_REMOVE = {
    "pages": text("DELETE FROM pages WHERE url_id = ANY(:ids)"),
    "addresses": text("DELETE FROM urls WHERE id = ANY(:ids)"),
}
_REVISIONS = text("DELETE FROM revisions WHERE article_id = ANY(:ids)")
_REMOVE_ARTICLES = text("DELETE FROM articles WHERE id = ANY(:ids)")


def removed(connection: Connection, articles: Sequence[int], urls: Sequence[int]) -> Counter[str]:
    """Take away these rows and what hangs on them; returns how many of each."""
    notices.tell(connection, [(one, FORGOTTEN) for one in articles])
    connection.execute(_STAGED, {"ids": list(urls), "articles": list(articles)})
    done = Counter({name: connection.execute(one, {"ids": list(urls)}).rowcount for name, one in _REMOVE.items()})
    done["revisions"] = connection.execute(_REVISIONS, {"ids": list(articles)}).rowcount
    done["articles"] = connection.execute(_REMOVE_ARTICLES, {"ids": list(articles)}).rowcount
    return done


_HTML = text("SELECT html_zstd, html_bytes, dictionary_id FROM pages WHERE url_id = ANY(:ids)")


def _condemn(connection: Connection, sources: Sequence[str], urls: Sequence[int], texts: Sequence[str]) -> int:
    """Dictionaries with a page of it: by the pages' own bytes, or, where these are gone, by a paragraph."""
    passages = [text[:PASSAGE].encode() for text in texts if len(text) >= LEAST_PASSAGE]
    for row in connection.execute(_HTML, {"ids": list(urls)}):
        try:
            passages.append(unpacked(connection, row.html_zstd, row.html_bytes, row.dictionary_id))
        except StoreError:  # damaged: `scrapy db check` tells of it, and the paragraphs tell enough
            continue
    return dictionaries.condemn(connection, sources, [one for one in passages if one])


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
""")
_TAUGHT_BY_NOBODY = text("""
DELETE FROM boilerplate_blocks WHERE source = ANY(:sources) AND evidence = '[]' AND state <> 'forgiven'
""")


def _unlearn(connection: Connection, sources: Sequence[str], articles: Sequence[int], texts: Sequence[str]) -> None:
    """What only these articles have taught of their source's template."""
    if sources:
        templates.lock(connection, *sources)
        given = {"sources": list(sources), "ids": list(articles), "keys": list({block_key(one) for one in texts})}
        connection.execute(_TAUGHT, given)
        connection.execute(_TAUGHT_BY_NOBODY, {"sources": list(sources)})


_ASKED = text("SELECT id, arguments ->> 'url' AS url FROM crawls WHERE arguments ? 'url'")
_HIDE = text("""
UPDATE crawls SET arguments = jsonb_set(arguments, '{url}', '"forgotten"') WHERE id = ANY(:ids)
""")


def hide_asked(connection: Connection) -> None:
    """`crawl page -a url=…` has noted what it was asked for."""
    asked = {row.id: row.url for row in connection.execute(_ASKED) if row.url}
    keys = tombstones.keys_of(set(asked.values()))
    gone = tombstones.forgotten(connection, dict.fromkeys(keys.values(), ""))
    ids = [one for one, url in asked.items() if keys[url] in gone]
    if ids:
        connection.execute(_HIDE, {"ids": ids})


def settle(engine: Engine) -> Iterator[Counter[str]]:
    """What takes longer, beside crawls: pages that were packed with a removed one, clusters without their original."""
    for number in dictionaries.retire(engine):
        yield Counter(repacked=number)
    while duplicates.catch_up(engine, seconds=1):
        yield Counter(settled=1)
