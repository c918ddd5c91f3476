"""A source goes in batches, each a short transaction in which nobody else stores anything.

So it may be broken off at any time: its tombstone comes first, and the same command goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, TextClause, text

from crawler.schedule import resting
from crawler.store import dictionaries, tombstones
from crawler.store.forgetting import acts
from crawler.store.forgetting.finding import own_keys
from crawler.store.forgetting.removing import FORGOTTEN, hide_asked, removed
from crawler.store.tombstones import Act
from crawler.urls import url_key

BATCH = 100  # articles in one transaction
URLS = 500  # addresses without an article in one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Extent:
    """What goes with a source: its articles, its site if no other has that, and what others have stored of the site."""

    articles: int
    site: str | None
    strays: int


_SIZE = text("SELECT count(*) FROM articles WHERE source = :source")


def extent(connection: Connection, source: str) -> Extent:
    """Of one that has its row."""
    site = _site(connection, source)
    strays = len(_strays(connection, _STRAYS, source, site))
    articles = int(connection.execute(_SIZE, {"source": source}).scalar_one())
    return Extent(articles=articles, site=site, strays=strays)


_HOMEPAGE = text("SELECT homepage FROM sources WHERE id = :source")
# Whoever is on the site has its name in the address; of those that do, few are left to be looked at.
_OTHER_HOMEPAGES = text("SELECT homepage FROM sources WHERE id <> :source AND strpos(lower(homepage), :host) > 0")


def _site(connection: Connection, source: str) -> str | None:
    """None: another source has its home page there."""
    homepage = connection.execute(_HOMEPAGE, {"source": source}).scalar_one()
    site = tombstones.of_site(homepage)
    host = tombstones.site_of(homepage).partition("/")[0]
    host = "" if "xn--" in host else host  # written in another way, in some
    others = connection.execute(_OTHER_HOMEPAGES, {"source": source, "host": host}).scalars()
    is_shared = any(site in tombstones.digests(url_key(other) or other) for other in others)
    return None if is_shared else tombstones.site_of(homepage)


_STRAYS = text("SELECT id FROM articles WHERE source <> :source AND starts_with(key, :prefix) ORDER BY id")
_STRAY_URLS = text("""
SELECT id FROM urls WHERE source <> :source AND article_id IS NULL AND starts_with(key, :prefix) ORDER BY id
""")


def _strays(connection: Connection, what: TextClause, source: str, site: str | None) -> list[int]:
    """Ids of what other sources have found there."""
    return list(connection.execute(what, {"source": source, "prefix": f"{site}/"}).scalars()) if site else []


_ARTICLES = text("SELECT id FROM articles WHERE source = :source ORDER BY id")
_URLS = text("SELECT id FROM urls WHERE source = :source AND article_id IS NULL ORDER BY id")
_URLS_OF = text("SELECT id, key FROM urls WHERE article_id = ANY(:ids)")
# With what they failed of, which names addresses.
_JOBS_OF = text("""
WITH gone AS (
    DELETE FROM procrastinate.procrastinate_jobs WHERE status <> 'doing' AND args ->> 'source' = :source RETURNING id
)
DELETE FROM job_failures WHERE job_id IN (SELECT id FROM gone)
""")
# Addresses that it had found, of articles that are another's.
_OTHERS = text("""
SELECT urls.id FROM urls JOIN articles ON articles.id = article_id
WHERE urls.source = :source AND articles.source <> :source ORDER BY urls.id
""")


def forget_source(engine: Engine, source: str, why: str | None, by_whom: str) -> Iterator[Counter[str]]:
    """Remove all of a source, batch by batch; gives what each has removed. What is broken off is gone on with."""
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        act, site = _close(connection, source, why, by_whom)
        done = Counter(dictionaries=dictionaries.condemn(connection, [source]))
        _clear(connection, source)
    yield done
    with engine.begin() as connection:  # all that there will be: whoever stores finds the tombstone now
        connection.execute(_JOBS_OF, {"source": source})
        articles, urls, others = (
            list(connection.execute(one, {"source": source}).scalars()) for one in (_ARTICLES, _URLS, _OTHERS)
        )
        articles += _strays(connection, _STRAYS, source, site)
        urls += _strays(connection, _STRAY_URLS, source, site)
    yield from _batches(engine, lambda connection, ids: _removed(connection, act, ids), articles, BATCH)
    yield from _batches(engine, lambda connection, ids: removed(connection, [], ids), urls, URLS)
    yield from _batches(engine, _given_away, others, URLS)
    with engine.begin() as connection:
        tombstones.be_alone(connection)
        _clear(connection, source)
        hide_asked(connection)


def _batches(
    engine: Engine, work: Callable[[Connection, Sequence[int]], Counter[str]], ids: Sequence[int], most: int
) -> Iterator[Counter[str]]:
    for at in range(0, len(ids), most):
        with engine.begin() as connection:
            tombstones.be_alone(connection)
            done = work(connection, ids[at : at + most])
        yield done


def _removed(connection: Connection, act: Act, articles: Sequence[int]) -> Counter[str]:
    """Articles with their addresses, each with its tombstone."""
    own = {tombstones.of_page(key): number for key, number in own_keys(connection, articles).items()}
    urls = {row.id: row.key for row in connection.execute(_URLS_OF, {"ids": articles})}
    tombstones.put(connection, act, "page", dict.fromkeys(map(tombstones.of_page, urls.values())) | own)
    return removed(connection, articles, list(urls))


_GIVE_AWAY = text("""
UPDATE urls SET source = articles.source FROM articles WHERE urls.id = ANY(:ids) AND articles.id = urls.article_id
""")


def _given_away(connection: Connection, urls: Sequence[int]) -> Counter[str]:
    connection.execute(_GIVE_AWAY, {"ids": urls})
    return Counter()


_REST = ("boilerplate_blocks", "url_shapes", "edit_rates", "listings", "reextracted_sources")
_STAGED = text("""
DELETE FROM reextracted WHERE run_id = ANY(ARRAY(SELECT id FROM reextractions)) AND source = :source
""")


def _clear(connection: Connection, source: str) -> None:
    """What is not an article's, but has grown out of articles. A crawl that has not noticed yet may add to it."""
    for table in _REST:
        connection.execute(text(f"DELETE FROM {table} WHERE source = :source"), {"source": source})  # noqa: S608
    connection.execute(_STAGED, {"source": source})


_SOURCE_ACT = text("SELECT act FROM tombstones WHERE kind = 'source' AND digest = :digest")
_SWITCH_OFF = text("""
UPDATE sources SET disabled_at = coalesce(disabled_at, now()), disabled_why = :why, due_at = NULL,
    due_why = CASE WHEN seeded_at IS NOT NULL OR due_why IS NULL THEN :due_why ELSE due_why END
WHERE id = :source
""")


def _close(connection: Connection, source: str, why: str | None, by_whom: str) -> tuple[Act, str | None]:
    """Its own tombstones and its site's, if no other source shares that; from now on no crawl asks it anything."""
    digest = tombstones.of_source(source)
    begun = connection.execute(_SOURCE_ACT, {"digest": digest}).scalar()
    number = begun if begun is not None else acts.next_number(connection)
    act = Act(number=number, source=source, why=why, by_whom=by_whom)
    said = f"{FORGOTTEN}: {why}" if why else FORGOTTEN
    connection.execute(_SWITCH_OFF, {"source": source, "why": said, "due_why": resting(source).why})
    site = _site(connection, source)
    if begun is None:
        tombstones.put(connection, act, "source", {digest: None})
        if site:
            tombstones.put(connection, act, "site", {tombstones.of_site(site): None})
    return act, site
