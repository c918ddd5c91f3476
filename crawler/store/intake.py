"""What is announced comes into the frontier: one row for a page, by its key, and its other addresses as aliases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.items import Candidate
from crawler.store import tombstones
from crawler.text import json_safe
from crawler.urls import is_variant, url_key

NEWS, LOOKS, ARCHIVE = 0, 1, 2  # ranks: what goes first
RANKS = (NEWS, LOOKS, ARCHIVE)
NEW_FOR = timedelta(days=3)
MOST_ALIASES = 20  # addresses that are noted of one page: some sites give every reader one


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of a list of candidates. `known` ones are held already and not due; `urls` are the new ones.

    `uncovered`: how many no earlier reading of their list has passed, going by when a feed or list first named them.
    `forgotten`: how many are not to come back (tombstones.py).
    """

    new: int = 0
    due: int = 0
    known: int = 0
    urls: tuple[str, ...] = ()
    uncovered: int = 0
    forgotten: int = 0


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
    ORDER BY key COLLATE "C"
    ON CONFLICT (key) DO NOTHING
    RETURNING url
), judged AS (
    SELECT urls.id, urls.url AS old_url, given.url, given.key, given.is_variant, given.hints, given.rank,
        urls.state IN ('fetched', 'unchanged') AS is_look,
        CASE WHEN urls.state IN ('fetched', 'unchanged') THEN :again AND urls.fetched_at < :since
            OR given.modified_at > urls.fetched_at
               AND (:heed OR urls.id % 10 = 0
                             AND coalesce(urls.published_at, urls.found_at) > now() - interval '30 days')
               AND given.modified_at IS DISTINCT FROM (urls.hints ->> 'modified_at')::timestamptz
        WHEN urls.state = 'failed' THEN given.modified_at > urls.fetched_at
        WHEN urls.reason = 'listing_url' THEN given.found_in <> 'sitemap' END AS has_changed,
        given.url <> urls.url
            AND NOT EXISTS (SELECT FROM url_aliases WHERE url_aliases.url = given.url) AS is_other,
        urls.is_variant AND NOT given.is_variant AND urls.state IN ('queued', 'gone', 'forbidden', 'failed', 'excluded')
            OR urls.state IN ('gone', 'forbidden', 'failed', 'excluded')
               AND urls.fetched_at < now() - interval '1 day' AS wants_other,
        urls.found_in IN ('feed', 'listing')
            AND urls.found_at > coalesce(CAST(:covered AS timestamptz), '-infinity') AS is_uncovered
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
    WHERE is_other AND (SELECT count(*) FROM url_aliases AS a WHERE a.url_id = judged.id) < :most_aliases
    ORDER BY address
    ON CONFLICT (url) DO NOTHING
)
SELECT (SELECT count(*) FROM given), (SELECT coalesce(array_agg(url), '{}') FROM added),
       (SELECT count(*) FROM again WHERE is_due), (SELECT count(*) FROM judged WHERE is_uncovered)
""").bindparams(bindparam("rows", type_=JSONB))

# Other addresses within one batch, once the first has its row.
_ALIAS = text("""
INSERT INTO url_aliases (url, key, url_id, how)
SELECT r.url, r.key, urls.id, 'address'
FROM jsonb_to_recordset(:rows) AS r(key text, url text) JOIN urls ON urls.key = r.key AND urls.url <> r.url
ORDER BY r.url
ON CONFLICT (url) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))


def add(
    connection: Connection,
    source: str,
    candidates: Sequence[Candidate],
    *,
    heed: bool = True,
    since: datetime | None = None,
    covered: datetime | None = None,
) -> Added:
    """Put candidates of one source into the frontier.

    `heed`: whether a later date of change makes a stored article due; `since`: what was fetched before is due anyway;
    `covered`: until when an earlier reading of the same list has passed all it named.
    """
    rows, others = _rows(candidates)
    wanted, others = _allowed(connection, source, rows), _allowed(connection, source, others)
    forgotten = len(rows) - len(wanted)
    if not (rows := wanted):
        return Added(forgotten=forgotten)
    given = {
        "source": source,
        "heed": heed,
        "again": since is not None,
        "since": since or datetime.now(UTC),
        "covered": covered,
        "most_aliases": MOST_ALIASES,
    }
    total, urls, due, uncovered = connection.execute(_ADD, {"rows": json_safe(rows), **given}).one()
    if others:
        connection.execute(_ALIAS, {"rows": json_safe(others)})
    return Added(
        new=len(urls),
        due=due,
        known=total - len(urls) - due,
        urls=tuple(urls),
        uncovered=uncovered + len(urls),
        forgotten=forgotten,
    )


_EXCLUDE = text("""
INSERT INTO urls (key, url, is_variant, source, found_in, hints, state, reason, not_before)
SELECT key, url, is_variant, :source, found_in, hints, 'excluded', :outcome, NULL
FROM jsonb_to_recordset(:rows) AS r(key text, url text, is_variant boolean, found_in text, hints jsonb)
WHERE NOT EXISTS (SELECT FROM urls WHERE urls.key = r.key)
  AND NOT EXISTS (SELECT FROM url_aliases WHERE url_aliases.key = r.key)
ON CONFLICT (key) DO NOTHING
""").bindparams(bindparam("rows", type_=JSONB))


def exclude(connection: Connection, source: str, candidates: Sequence[Candidate], outcome: str) -> int:
    """Note pages that are not to be fetched, with the reason; known ones stay as they are. Returns how many are new."""
    rows = _allowed(connection, source, _rows(candidates)[0])
    return connection.execute(_EXCLUDE, {"rows": json_safe(rows), "source": source, "outcome": outcome}).rowcount


def _allowed(connection: Connection, source: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were not forgotten."""
    if not rows:
        return rows
    tombstones.respect(connection)
    gone = tombstones.forgotten(connection, {row["key"]: source for row in rows})
    return [row for row in rows if row["key"] not in gone] if gone else rows


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


def _hints(candidate: Candidate) -> dict[str, Any]:
    given = asdict(candidate)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in given.items()
        if value is not None and name not in ("url", "source", "found_in")
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
