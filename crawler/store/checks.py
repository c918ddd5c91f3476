"""What must hold in the database, whatever happened to crawls and machines.

Each check is a query that gives the rows which break it, read as a stream: a table may be of any size, and all of it
may be broken. A check that a running crawl could disturb is made so that it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.errors import MissingDictionary, StoreError
from crawler.likeness import LEAST, words
from crawler.outcomes import OUTCOMES
from crawler.store.crawls import CRAWL_LOCK
from crawler.store.dictionaries import unpacked
from crawler.store.tombstones import SQL_DIGESTS
from crawler.urls import url_key

EXAMPLES = 3
STREAMED = 200
UNPACKED = 1_000  # pages; all of a large archive would take an hour
ARTICLES = ("article", "live_blog", "video", "gallery", "paywall_stub")  # outcomes whose page has a stored article


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A promise in words, and the query for what breaks it: one column, a text that names the row.

    `find` does instead what SQL cannot. `advice`: what is to be done, where there is something.
    """

    name: str
    promise: str
    query: str = ""
    given: Callable[[], Mapping[str, Any]] = dict
    find: Callable[[Connection], Iterator[str]] | None = None
    advice: str = ""
    heals: bool = False  # what breaks it is no fault, and ends by itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """How a check went: how many rows break it, and the first of them."""

    check: Check
    count: int
    examples: tuple[str, ...]


_BODIES = r"""
SELECT format('article %s', id) FROM articles
WHERE body IS DISTINCT FROM coalesce((
    SELECT string_agg(block ->> 'text', E'\n' ORDER BY place)
    FROM jsonb_array_elements(CASE jsonb_typeof(blocks) WHEN 'array' THEN blocks ELSE '[]' END)
        WITH ORDINALITY AS e(block, place)
    WHERE block -> 'kept' = 'true'), '')
"""
_TWICE = "SELECT format('%s: %s articles', key, count(*)) FROM articles GROUP BY key HAVING count(*) > 1"
_REVISIONS = """
SELECT format('article %s: revision %s, and %s earlier ones', id, articles.revision, coalesce(number, 0))
FROM articles LEFT JOIN (
    SELECT article_id, count(*) AS number, min(revision) AS first, max(revision) AS last
    FROM revisions GROUP BY article_id
) AS earlier ON article_id = id
WHERE articles.revision <> coalesce(number, 0) + 1 OR first <> 1 OR last <> articles.revision - 1
"""
_ORPHANS = {
    "urls": "SELECT format('url %s: article %s', id, article_id) FROM urls WHERE article_id IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM articles WHERE articles.id = urls.article_id)",
    "revisions": "SELECT format('revision %s: article %s', id, article_id) FROM revisions "
    "WHERE NOT EXISTS (SELECT FROM articles WHERE articles.id = revisions.article_id)",
    "url_aliases": "SELECT format('%s: url %s', url, url_id) FROM url_aliases "
    "WHERE NOT EXISTS (SELECT FROM urls WHERE urls.id = url_aliases.url_id)",
    "pages": "SELECT format('page %s: url %s', id, url_id) FROM pages "
    "WHERE NOT EXISTS (SELECT FROM urls WHERE urls.id = pages.url_id)",
    "bands": "SELECT DISTINCT format('article %s', article_id) FROM bands "
    "WHERE NOT EXISTS (SELECT FROM articles WHERE articles.id = bands.article_id)",
    "duplicates": "SELECT format('article %s: original %s', article_id, original_id) FROM duplicates "
    "WHERE NOT EXISTS (SELECT FROM articles WHERE articles.id = article_id) OR original_id IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM articles WHERE articles.id = original_id)",
    "boilerplate_blocks": "SELECT format('%s %s: article %s', source, key, witness) "
    "FROM boilerplate_blocks CROSS JOIN jsonb_array_elements_text(evidence) AS witness "
    "WHERE NOT EXISTS (SELECT FROM articles WHERE articles.id = CAST(witness AS bigint))",
}
_ENDINGS = """
WITH endings AS (
    SELECT * FROM jsonb_to_recordset(:endings) AS e(word text, ending text, rests int, endless boolean)
)
SELECT format('url %s: %s, %s, due %s', id, state, coalesce(reason, '-'), coalesce(CAST(not_before AS text), 'never'))
FROM urls LEFT JOIN endings ON word = reason
"""
_STATES = f"""{_ENDINGS} WHERE CASE WHEN reason IS NULL THEN coalesce(state_before, state) <> 'queued'
    ELSE ending IS NULL OR coalesce(state_before, state) <> ending END
"""
# Announcements make a page due whatever became of it, and set its attempts to 0; so does what an archive gives.
_DUE = f"""{_ENDINGS} WHERE state <> 'leased' AND (
    state = 'queued' AND not_before IS NULL
    OR rests > 0 AND attempts > 0 AND (not_before IS NULL) <> (attempts > rests AND NOT endless))
"""
_LEASES = """
SELECT format('url %s: %s, lease %s, before %s', id, state, coalesce(CAST(lease_crawl AS text), '-'),
              coalesce(state_before, '-'))
FROM urls WHERE (state = 'leased') <> (lease_crawl IS NOT NULL) OR (state = 'leased') <> (state_before IS NOT NULL)
"""
_HELD = f"""
SELECT format('url %s: %s', id, reason) FROM urls
WHERE article_id IS NULL AND coalesce(state_before, state) = 'fetched' AND reason IN {ARTICLES!r}
"""  # noqa: S608 (words of our own)
_PARTITIONS = """
SELECT format('page %s of %s in %s', id, to_char(fetched_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), relname)
FROM pages JOIN pg_class ON pg_class.oid = pages.tableoid
WHERE relname <> to_char(fetched_at AT TIME ZONE 'UTC', '"pages_"YYYY_MM')
"""
_DICTIONARIES = """
SELECT format('page %s: dictionary %s', id, dictionary_id) FROM pages
WHERE dictionary_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM page_dictionaries AS d WHERE d.id = dictionary_id AND content_zstd IS NOT NULL)
"""
_PAGES = text("""
WITH range AS (SELECT min(id) AS first, max(id) AS last FROM pages)
SELECT id, html_zstd, html_bytes, dictionary_id FROM pages, range
WHERE (id - first) % (1 + (last - first) / :most) = 0
""")
# Digests of all that is stored are many, so they are made row by row and looked up in the few that there are.
_FORGOTTEN = f"""
WITH stored AS (
    SELECT format('article %s', id) AS name, key, source FROM articles
    UNION ALL SELECT format('url %s', id), key, source FROM urls
    UNION ALL SELECT format('url %s', url_id), url_aliases.key, urls.source
    FROM url_aliases JOIN urls ON urls.id = url_id
)
SELECT DISTINCT name FROM stored CROSS JOIN LATERAL ({SQL_DIGESTS}) AS own(digest)
WHERE EXISTS (SELECT FROM tombstones) AND own.digest IN (SELECT digest FROM tombstones WHERE digest IS NOT NULL)
"""  # noqa: S608
_CONDEMNED = "SELECT format('dictionary %s of %s', id, source) FROM page_dictionaries WHERE condemned_at IS NOT NULL"
_COPIES_OF_COPIES = """
SELECT format('article %s: a copy of %s, which is one of %s', d.article_id, d.original_id, o.original_id)
FROM duplicates d JOIN duplicates o ON o.article_id = d.original_id WHERE o.original_id IS NOT NULL
"""
_CLUSTERS = """
SELECT format('cluster %s: originals %s', cluster, string_agg(DISTINCT CAST(original_id AS text), ', '))
FROM duplicates WHERE original_id IS NOT NULL GROUP BY cluster HAVING count(DISTINCT original_id) > 1
UNION ALL
SELECT format('original %s: clusters %s', original_id, string_agg(DISTINCT CAST(cluster AS text), ', '))
FROM duplicates WHERE original_id IS NOT NULL GROUP BY original_id HAVING count(DISTINCT cluster) > 1
"""
_UNCOMPARED = text("""
SELECT id, body FROM articles WHERE word_count >= :least
AND NOT EXISTS (SELECT FROM bands WHERE article_id = id)
AND NOT EXISTS (SELECT FROM duplicates WHERE article_id = id AND original_id IS NULL)
""")
_RUNS = text("SELECT coalesce(max(id), 0) FROM crawls")
_ALIVE = text("""
SELECT CAST(objid AS bigint) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS bigint) = :key
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")
_DEAD = text("""
SELECT format('url %s: crawl %s', id, lease_crawl) FROM urls
WHERE state = 'leased' AND lease_crawl <= :last AND lease_crawl <> ALL(CAST(:alive AS bigint[]))
""")
_WORDS = text("SELECT id, word_count, body FROM articles")
_ADDRESSES = text("SELECT id, key, canonical_url FROM articles")


def alive(connection: Connection) -> list[int]:
    """The ids of the runs whose process lives, on whatever machine."""
    return list(connection.execute(_ALIVE, {"key": CRAWL_LOCK}).scalars())


def _dead_leases(connection: Connection) -> Iterator[str]:
    """A run's lock is taken with its row and given back after its leases, hence this order of looking."""
    last = connection.execute(_RUNS).scalar_one()
    given = {"last": last, "alive": alive(connection)}
    yield from _streamed(connection).execute(_DEAD, given).scalars()


def _miscounted(connection: Connection) -> Iterator[str]:
    for row in _streamed(connection).execute(_WORDS):
        if row.word_count != (words := len(row.body.split())):
            yield f"article {row.id}: {row.word_count}, and there are {words}"


def _misfiled(connection: Connection) -> Iterator[str]:
    for row in _streamed(connection).execute(_ADDRESSES):
        if row.key != (url_key(row.canonical_url) or row.canonical_url):
            yield f"article {row.id}: {row.key}"


def _damaged(connection: Connection) -> Iterator[str]:
    for row in _streamed(connection).execute(_PAGES, {"most": UNPACKED}):
        try:
            unpacked(connection, row.html_zstd, row.html_bytes, row.dictionary_id)
        except MissingDictionary:
            continue  # the check before tells of it
        except StoreError as error:
            yield f"page {row.id}: {error}"


def _uncompared(connection: Connection) -> Iterator[str]:
    """Not what has words by spaces only: signs, which no text is compared by."""
    for row in _streamed(connection).execute(_UNCOMPARED, {"least": LEAST}):
        if len(words(row.body)) >= LEAST:
            yield f"article {row.id}"


def _endings() -> dict[str, Any]:
    return {
        "endings": [
            {"word": word, "ending": ending.state, "rests": len(ending.again), "endless": ending.endless}
            for word, ending in OUTCOMES.items()
        ]
    }


CHECKS = (
    Check(name="bodies", promise="an article's body is the kept ones of its blocks", query=_BODIES),
    Check(name="word_counts", promise="an article has as many words as it says", find=_miscounted),
    Check(name="articles_twice", promise="no key has two articles", query=_TWICE),
    Check(name="article_keys", promise="an article is filed under the key of its canonical address", find=_misfiled),
    Check(name="revision_numbers", promise="an article of revision n has the revisions 1 to n-1", query=_REVISIONS),
    *(
        Check(name=f"orphans_{table}", promise=f"what {table} refer to is there", query=query)
        for table, query in _ORPHANS.items()
    ),
    Check(name="copies", promise="an original is no copy itself", query=_COPIES_OF_COPIES),
    Check(name="clusters", promise="a cluster has one original, and an original one cluster", query=_CLUSTERS),
    Check(name="compared", promise="an article was compared with the others, or waits to be", find=_uncompared),
    Check(name="url_states", promise="a page's state is that of its outcome", query=_STATES, given=_endings),
    Check(name="url_due", promise="what is to be fetched is due, what has ended is not", query=_DUE, given=_endings),
    Check(name="url_articles", promise="a page that gave an article has it", query=_HELD),
    Check(name="url_leases", promise="a leased page names its run, and no other does", query=_LEASES),
    Check(
        name="dead_leases",
        promise="no page is leased by a run that is dead",
        find=_dead_leases,
        advice="the next crawl gives them back",
        heals=True,
    ),
    Check(name="page_partitions", promise="a raw page lies in its month's partition", query=_PARTITIONS),
    Check(name="page_dictionaries", promise="what a raw page was compressed with is there", query=_DICTIONARIES),
    Check(
        name="forgotten",
        promise="nothing that was forgotten is stored",
        query=_FORGOTTEN,
        advice="scrapy forget --again removes it",
    ),
    Check(
        name="condemned",
        promise="no dictionary holds a page that was forgotten",
        query=_CONDEMNED,
        advice="the next scrapy forget packs its pages anew",
        heals=True,
    ),
    Check(name="page_bytes", promise="raw pages unpack (of many, a thousand throughout)", find=_damaged),
)


def run(engine: Engine, check: Check) -> Finding:
    """Make one check, in memory that does not grow with what it finds."""
    with engine.connect() as connection:
        broken = check.find(connection) if check.find else _queried(connection, check)
        count, examples = 0, list[str]()
        for one in broken:
            count += 1
            if len(examples) < EXAMPLES:
                examples.append(one)
    return Finding(check=check, count=count, examples=tuple(examples))


def _queried(connection: Connection, check: Check) -> Iterator[str]:
    statement, given = text(check.query), check.given()
    if "endings" in given:
        statement = statement.bindparams(bindparam("endings", type_=JSONB))
    yield from _streamed(connection).execute(statement, given).scalars()


def _streamed(connection: Connection) -> Connection:
    return connection.execution_options(yield_per=STREAMED)


def line(finding: Finding) -> str:
    """As `scrapy db check` prints it."""
    check = finding.check
    word = "ok" if not finding.count else "note" if check.heals else "BROKEN"
    told = f"{word:<6} {finding.count:>7,}  {check.name}: {check.promise}"
    if not finding.count:
        return told
    advice = f" ({check.advice})" if check.advice else ""
    more = "; …" if finding.count > len(finding.examples) else ""
    return f"{told}{advice}: {'; '.join(finding.examples)}{more}"
