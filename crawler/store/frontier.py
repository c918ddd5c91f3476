"""Which pages are to be fetched, in the database: it survives kill -9, and nothing is fetched twice.

A row is a page, whatever its addresses (`urls.url_key`; identity.py merges rows that turn out to be one). `state` says
how its last fetch ended, `not_before` when it is due again, null being never. So a page that was never fetched, a
failed one that is tried again and an article that is looked at for edits are leased by the same query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.dates import parse_instant
from crawler.items import Candidate
from crawler.outcomes import OUTCOMES, rest
from crawler.recheck import Look
from crawler.text import json_safe
from crawler.urls import is_variant, url_key

NEWS, LOOKS, ARCHIVE = 0, 1, 2  # ranks: what goes first
RANKS = (NEWS, LOOKS, ARCHIVE)
NEW_FOR = timedelta(days=3)
DETAIL = 500  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A page that this run has leased, with what a conditional request needs.

    `attempts`: this one is the how manyth in a row. `step`: the look at a stored article that this is (recheck.py).
    `chain`: the addresses that have redirected here.
    """

    url_id: int
    candidate: Candidate
    etag: str | None = None
    last_modified: str | None = None
    attempts: int = 1
    step: int | None = None
    published_at: datetime | None = None
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of a list of candidates. `known` ones are held already and not due; `urls` are the new ones."""

    new: int = 0
    due: int = 0
    known: int = 0
    urls: tuple[str, ...] = ()


# A known page becomes due when its feed says that it changed since it was fetched, or when it is announced under an
# address that was not tried yet and the others gave nothing. Two runs that add the same pages do not deadlock: new rows
# go in sorted, and old ones that another has locked are left to it.
_ADD = text("""
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(key text, url text, is_variant boolean, found_in text, rank smallint,
                                                 modified_at timestamptz, published_at timestamptz, hints jsonb)
), known AS MATERIALIZED (
    SELECT DISTINCT ON (key) key, id FROM (
        SELECT given.key, urls.id, 0 AS indirect FROM given JOIN urls ON urls.key = given.key
        UNION ALL
        SELECT given.key, url_aliases.url_id, 1 FROM given JOIN url_aliases ON url_aliases.key = given.key
    ) AS found ORDER BY key, indirect
), added AS (
    INSERT INTO urls (key, url, is_variant, source, found_in, rank, published_at, hints)
    SELECT key, url, is_variant, :source, found_in, rank, published_at, hints FROM given
    WHERE NOT EXISTS (SELECT FROM known WHERE known.key = given.key) -- a conflict would wait, and use up an id
    ON CONFLICT (key) DO NOTHING
    RETURNING url
), judged AS (
    SELECT urls.id, urls.url AS old_url, given.url, given.key, given.is_variant, given.hints, given.rank,
        urls.state IN ('fetched', 'unchanged') AS is_look,
        CASE WHEN urls.state IN ('fetched', 'unchanged') THEN :again AND urls.fetched_at < :since
            OR given.modified_at > urls.fetched_at AND (:heed OR urls.id % 10 = 0)
               AND given.modified_at IS DISTINCT FROM (urls.hints ->> 'modified_at')::timestamptz
        WHEN urls.state = 'failed' THEN given.modified_at > urls.fetched_at
        WHEN urls.reason = 'listing_url' THEN given.found_in <> 'sitemap' END AS has_changed,
        given.url <> urls.url
            AND NOT EXISTS (SELECT FROM url_aliases WHERE url_aliases.url = given.url) AS is_other,
        urls.state = 'queued' AND urls.is_variant AND NOT given.is_variant
            OR urls.state IN ('gone', 'forbidden', 'failed', 'excluded') AS wants_other
    FROM known JOIN given ON given.key = known.key JOIN urls ON urls.id = known.id
), rested AS MATERIALIZED (
    SELECT judged.* FROM judged JOIN urls ON urls.id = judged.id
    WHERE (has_changed OR is_other AND wants_other) AND urls.state <> 'leased'
    FOR UPDATE OF urls SKIP LOCKED
), again AS (
    UPDATE urls SET not_before = now(), hints = rested.hints, attempts = 0,
        url = CASE WHEN is_other AND wants_other THEN rested.url ELSE urls.url END,
        is_variant = CASE WHEN is_other AND wants_other THEN rested.is_variant ELSE urls.is_variant END,
        step = CASE WHEN is_look THEN -1 ELSE step END,
        rank = CASE WHEN is_look THEN 1 ELSE rested.rank END
    FROM rested WHERE urls.id = rested.id
    RETURNING urls.id, is_look OR urls.state <> 'queued' AS is_due
), aliased AS (
    INSERT INTO url_aliases (url, key, url_id, how)
    SELECT DISTINCT ON (address) CASE WHEN again.id IS NOT NULL AND wants_other THEN old_url ELSE url END AS address,
        key, judged.id, 'address'
    FROM judged LEFT JOIN again ON again.id = judged.id
    WHERE is_other ORDER BY address
    ON CONFLICT (url) DO NOTHING
)
SELECT (SELECT count(*) FROM given), (SELECT coalesce(array_agg(url), '{}') FROM added),
       (SELECT count(*) FROM again WHERE is_due)
""").bindparams(bindparam("rows", type_=JSONB))

# Other addresses within one batch, once the first has its row.
_ALIAS = text("""
INSERT INTO url_aliases (url, key, url_id, how)
SELECT r.url, r.key, urls.id, 'address'
FROM jsonb_to_recordset(:rows) AS r(key text, url text) JOIN urls ON urls.key = r.key AND urls.url <> r.url
ORDER BY r.url
ON CONFLICT (url) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))

_COLUMNS = """urls.id, urls.url, urls.source, urls.found_in, urls.hints, urls.etag, urls.last_modified, urls.attempts,
urls.step, urls.published_at"""

# A CTE, since a subquery in FROM may be run more than once and would then lock more than its limit. Each rank is a
# range of the index of its own: whatever waits for later is not passed through.
_TAKE = text(f"""
WITH chosen AS MATERIALIZED (
    SELECT id FROM (
        SELECT due.id, due.rank, wanted.n,
            row_number() OVER (PARTITION BY wanted.source ORDER BY due.rank, due.not_before, due.id) AS place
        FROM unnest(CAST(:sources AS text[]), CAST(:limits AS int[])) AS wanted(source, n)
        CROSS JOIN unnest(CAST(:ranks AS smallint[])) AS ranks(rank)
        CROSS JOIN LATERAL (
            SELECT id, urls.rank, not_before FROM urls
            WHERE urls.source = wanted.source AND urls.rank = ranks.rank AND not_before <= now() AND state <> 'leased'
            ORDER BY not_before, id
            LIMIT wanted.n
            FOR UPDATE SKIP LOCKED
        ) AS due
    ) AS placed
    WHERE place <= n
    ORDER BY rank, random()
    LIMIT :most
)
UPDATE urls SET state_before = state, state = 'leased', lease_crawl = :crawl_id, attempts = attempts + 1
FROM chosen
WHERE urls.id = chosen.id
RETURNING {_COLUMNS}
""")  # noqa: S608 (a list of columns of our own)

_LEASE_KNOWN = text(f"""
UPDATE urls SET state_before = state, state = 'leased', lease_crawl = :crawl_id, attempts = 1
WHERE id = (SELECT id FROM urls WHERE key = :key UNION ALL SELECT url_id FROM url_aliases WHERE key = :key LIMIT 1)
  AND state <> 'leased'
RETURNING {_COLUMNS}
""")  # noqa: S608

_LEASE_NEW = text(f"""
INSERT INTO urls (key, url, is_variant, source, found_in, hints, state, state_before, lease_crawl, attempts)
SELECT :key, :url, :is_variant, :source, :found_in, :hints, 'leased', 'queued', :crawl_id, 1
WHERE NOT EXISTS (SELECT FROM url_aliases WHERE key = :key)
ON CONFLICT (key) DO NOTHING
RETURNING {_COLUMNS}
""").bindparams(bindparam("hints", type_=JSONB))  # noqa: S608


def add(
    connection: Connection,
    source: str,
    candidates: Sequence[Candidate],
    *,
    heed: bool = True,
    since: datetime | None = None,
) -> Added:
    """Put candidates of one source into the frontier.

    `heed`: whether a later date of change makes a stored article due; `since`: what was fetched before is due anyway.
    """
    rows, others = _rows(candidates)
    if not rows:
        return Added()
    given = {"source": source, "heed": heed, "again": since is not None, "since": since or datetime.now(UTC)}
    total, urls, due = connection.execute(_ADD, {"rows": json_safe(rows), **given}).one()
    if others:
        connection.execute(_ALIAS, {"rows": json_safe(others)})
    return Added(new=len(urls), due=due, known=total - len(urls) - due, urls=tuple(urls))


_EXCLUDE = text("""
INSERT INTO urls (key, url, is_variant, source, found_in, hints, state, reason, not_before)
SELECT key, url, is_variant, :source, found_in, hints, 'excluded', :outcome, NULL
FROM jsonb_to_recordset(:rows) AS r(key text, url text, is_variant boolean, found_in text, hints jsonb)
WHERE NOT EXISTS (SELECT FROM urls WHERE urls.key = r.key)
ON CONFLICT (key) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))


def exclude(connection: Connection, source: str, candidates: Sequence[Candidate], outcome: str) -> int:
    """Note pages that are not to be fetched, with the reason; known ones stay as they are. Returns how many are new."""
    rows, _ = _rows(candidates)
    return connection.execute(_EXCLUDE, {"rows": json_safe(rows), "source": source, "outcome": outcome}).rowcount


def _rows(candidates: Sequence[Candidate]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each page, sorted as every writer does, and the further addresses of the same pages."""
    now = datetime.now(UTC)
    first: dict[str, dict[str, Any]] = {}
    others: list[dict[str, Any]] = []
    for candidate in candidates:
        row = row_of(candidate, now)
        known = first.get(row["key"])
        if known is None or (known["is_variant"] and not row["is_variant"]):
            first[row["key"]] = row
            row = known or row
        if row is not first[row["key"]] and row["url"] != first[row["key"]]["url"]:
            others.append({"key": row["key"], "url": row["url"]})
    return [first[key] for key in sorted(first)], others


def row_of(candidate: Candidate, now: datetime) -> dict[str, Any]:
    return {
        "key": url_key(candidate.url) or candidate.url,
        "url": candidate.url,
        "is_variant": is_variant(candidate.url),
        "found_in": candidate.found_in,
        "rank": rank_of(candidate, now),
        "modified_at": _text(candidate.modified_at),
        "published_at": _text(candidate.published_at),
        "hints": _hints(candidate),
    }


def rank_of(candidate: Candidate, now: datetime) -> int:
    """News goes before the archive, whatever has waited longer."""
    at = candidate.published_at or candidate.modified_at
    if at is not None:
        return NEWS if now - at < NEW_FOR else ARCHIVE
    return ARCHIVE if candidate.found_in in ("sitemap", "archive") else NEWS


def lease_one(connection: Connection, crawl_id: int, candidate: Candidate) -> Due | None:
    """Lease one page that was asked for by hand, whatever its state; None when another run is fetching it just now.

    What is fetched is the address of `candidate`, even when the page is known by another.
    """
    given = {
        "key": url_key(candidate.url) or candidate.url,
        "url": candidate.url,
        "is_variant": is_variant(candidate.url),
        "source": candidate.source,
        "found_in": candidate.found_in,
        "hints": _hints(candidate),
        "crawl_id": crawl_id,
    }
    for statement in (_LEASE_KNOWN, _LEASE_NEW):
        row = connection.execute(statement, given).mappings().one_or_none()
        if row:
            return due_of({**row, "url": candidate.url})
    return None


def take(connection: Connection, crawl_id: int, wanted: Mapping[str, int], most: int) -> list[Due]:
    """Lease up to so many due pages of each source, and `most` of all: any of them, so that no source has to wait."""
    given = {
        "crawl_id": crawl_id,
        "sources": list(wanted),
        "limits": list(wanted.values()),
        "most": most,
        "ranks": list(RANKS),
    }
    return [due_of(row) for row in connection.execute(_TAKE, given).mappings()]


def due_of(row: RowMapping | Mapping[str, Any]) -> Due:
    """A leased row as a value."""
    hints = row["hints"]
    candidate = Candidate(
        url=row["url"],
        source=row["source"],
        found_in=row["found_in"],
        found_at=hints.get("found_at"),
        title=hints.get("title"),
        guid=hints.get("guid"),
        published_at=_instant(hints.get("published_at")),
        modified_at=_instant(hints.get("modified_at")),
    )
    return Due(
        url_id=row["id"],
        candidate=candidate,
        etag=row["etag"],
        last_modified=row["last_modified"],
        attempts=row["attempts"],
        step=row["step"],
        published_at=row["published_at"],
    )


def _hints(candidate: Candidate) -> dict[str, Any]:
    given = asdict(candidate)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in given.items()
        if value is not None and name not in ("url", "source", "found_in")
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _instant(raw: str | None) -> datetime | None:
    found = parse_instant(raw)
    return found.at if found else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """How a leased page ended: a word of outcomes.py, which gives its state and its rest.

    `attempts` and `looked` are those of the `Due`; `look` is the next one at what is now a stored article.
    """

    url_id: int
    source: str
    outcome: str
    detail: str | None = None
    attempts: int = 1
    looked: int | None = None
    look: Look | None = None
    published_at: datetime | None = None
    etag: str | None = None
    last_modified: str | None = None
    html_sha256: bytes | None = None
    article_id: int | None = None
    fetched_at: datetime | None = None  # None: now


_FINISH = text("""
UPDATE urls SET
    state = :state,
    state_before = NULL,
    reason = :outcome,
    detail = :detail,
    lease_crawl = NULL,
    not_before = now() + :rest,
    rank = CASE WHEN CAST(:step AS smallint) IS NULL THEN rank ELSE 1 END,
    step = :step,
    attempts = :attempts,
    fetched_at = coalesce(:fetched_at, now()),
    published_at = coalesce(:published_at, published_at),
    etag = CASE WHEN :keeps THEN coalesce(:etag, etag) ELSE :etag END,
    last_modified = CASE WHEN :keeps THEN coalesce(:last_modified, last_modified) ELSE :last_modified END,
    html_sha256 = coalesce(:html_sha256, html_sha256),
    article_id = coalesce(:article_id, article_id)
WHERE id = :url_id
""")


def finish(connection: Connection, visits: Sequence[Visit]) -> None:
    """Record how leased pages ended."""
    if visits:
        in_order = sorted(visits, key=lambda visit: visit.url_id)  # as every other writer: no deadlock
        connection.execute(_FINISH, [_ended(visit) for visit in in_order])


def _ended(visit: Visit) -> dict[str, Any]:
    ending = OUTCOMES[visit.outcome]
    return {
        "url_id": visit.url_id,
        "state": ending.state,
        "outcome": visit.outcome,
        "detail": json_safe(visit.detail)[:DETAIL] if visit.detail else None,
        "rest": visit.look.rest if visit.look else rest(visit.outcome, visit.attempts),
        "step": visit.look.step if visit.look else None,
        "attempts": visit.attempts if ending.again else 0,
        "keeps": ending.state != "fetched",  # of a page that came whole, what it did not send is no longer true
        "fetched_at": visit.fetched_at,
        "published_at": visit.published_at,
        "etag": visit.etag,
        "last_modified": visit.last_modified,
        "html_sha256": visit.html_sha256,
        "article_id": visit.article_id,
    }
