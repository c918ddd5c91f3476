"""WARC files and what is done of them, and the rows of their pages, which were fetched long ago and by others.

A file is read by the run whose id is in `lease_crawl`, for as long as that run holds its lock (crawls.py): after a
kill -9 the next run takes it at once, and no clock is involved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.items import Candidate
from crawler.outcomes import OUTCOMES
from crawler.store.crawls import CRAWL_LOCK
from crawler.store.frontier import DETAIL, Visit
from crawler.store.intake import row_of
from crawler.text import json_safe
from crawler.warc import Identity


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A file as it was found: `ours` to read from where the last run left it, `done` before, or `taken` by another."""

    state: Literal["ours", "done", "taken"]
    id: int = 0
    records: int = 0
    stored: int = 0
    skipped: Mapping[str, int]
    done_offset: int = 0
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How far a file is done: everything up to here is committed, `records` = `stored` and all that was `skipped`."""

    id: int
    records: int
    stored: int
    skipped: Mapping[str, int]
    done_offset: int
    error: str | None
    finished: bool = False


_FIND = text("""
INSERT INTO archives (fingerprint, selection, path, size) VALUES (:fingerprint, :selection, :path, :size)
ON CONFLICT (fingerprint, selection) DO UPDATE SET path = excluded.path
RETURNING id, records, stored, skipped, done_offset, error, lease_crawl,
    finished_at IS NOT NULL AS finished,
    finished_at < (SELECT started_at FROM crawls WHERE crawls.id = :crawl_id) AS finished_before
""")
_IS_DONE = text("""
SELECT EXISTS (
    SELECT FROM archives WHERE fingerprint = :fingerprint AND selection = :selection AND finished_at IS NOT NULL)
""")
_LEASE = text("UPDATE archives SET lease_crawl = :crawl_id WHERE id = :id")
_ANEW = text("""
UPDATE archives SET records = 0, stored = 0, skipped = '{}', done_offset = 0, error = NULL,
    started_at = now(), finished_at = NULL
WHERE id = :id
""")
_MARK = text("""
UPDATE archives SET records = :records, stored = :stored, skipped = :skipped, done_offset = :done_offset,
    error = coalesce(error, :error), finished_at = CASE WHEN :finished THEN now() ELSE finished_at END
WHERE id = :id AND lease_crawl = :crawl_id AND records <= :records
""").bindparams(bindparam("skipped", type_=JSONB))


def claim(connection: Connection, crawl_id: int, file: Identity, selection: str, *, again: bool = False) -> Claim:
    """Lease a file for this run. `again`: one that was finished before this run began is read from its start.

    To be called on the connection that holds the run's lock.
    """
    given = {"fingerprint": file.fingerprint, "selection": selection, "path": json_safe(str(file.path))}
    row = connection.execute(_FIND, {**given, "size": file.size, "crawl_id": crawl_id}).mappings().one()
    if row["finished"] and not (again and row["finished_before"]):
        return Claim(state="done", records=row["records"], stored=row["stored"], skipped=row["skipped"])
    if not row["finished"] and row["lease_crawl"] not in (None, crawl_id) and _is_alive(connection, row["lease_crawl"]):
        return Claim(state="taken", skipped={})
    connection.execute(_LEASE, {"id": row["id"], "crawl_id": crawl_id})
    if row["finished"]:
        connection.execute(_ANEW, {"id": row["id"]})
        return Claim(state="ours", id=row["id"], skipped={})
    names = ("id", "records", "stored", "skipped", "done_offset", "error")
    return Claim(state="ours", **{name: row[name] for name in names})


def is_done(connection: Connection, file: Identity, selection: str) -> bool:
    """Whether a file was read to its end for this purpose."""
    given = {"fingerprint": file.fingerprint, "selection": selection}
    return bool(connection.execute(_IS_DONE, given).scalar_one())


def _is_alive(connection: Connection, crawl_id: int) -> bool:
    statement = text("SELECT pg_try_advisory_xact_lock(:key, :id)")
    return not connection.execute(statement, {"key": CRAWL_LOCK, "id": crawl_id}).scalar_one()


def mark(connection: Connection, crawl_id: int, given: Mark) -> bool:
    """Note how far a file is done. False: it is not this run's any more."""
    values = {name: getattr(given, name) for name in Mark.__slots__}
    return connection.execute(_MARK, {**values, "skipped": dict(given.skipped), "crawl_id": crawl_id}).rowcount == 1


# -- pages out of archives --------------------------------------------------------------------------------------------

# A row that is made here is `fetched` from the start and never due: whatever becomes of this run, no crawl fetches it.
_PLACE = text("""
WITH given AS MATERIALIZED (
    SELECT DISTINCT ON (key) * FROM jsonb_to_recordset(:rows) AS r(
        key text, url text, is_variant boolean, source text, found_in text, rank smallint, published_at timestamptz,
        hints jsonb)
    ORDER BY key
), known AS MATERIALIZED (
    SELECT DISTINCT ON (key) key, id FROM (
        SELECT given.key, urls.id, 0 AS indirect FROM given JOIN urls ON urls.key = given.key
        UNION ALL
        SELECT given.key, url_aliases.url_id, 1 FROM given JOIN url_aliases ON url_aliases.key = given.key
    ) AS found ORDER BY key, indirect
), added AS (
    INSERT INTO urls (key, url, is_variant, source, found_in, rank, published_at, hints, state, not_before)
    SELECT key, url, is_variant, source, found_in, rank, published_at, hints, 'fetched', NULL FROM given
    WHERE NOT EXISTS (SELECT FROM known WHERE known.key = given.key)
    ON CONFLICT (key) DO NOTHING
    RETURNING key, id
)
SELECT key, id FROM added UNION ALL SELECT key, id FROM known
""").bindparams(bindparam("rows", type_=JSONB))

# What is known to be newer stays. A page that waits for its first fetch need not be fetched any more when an archive
# has its article, unless its feed says that it changed since. One that another run is fetching is left to it.
_SETTLE = text("""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(:rows) AS r(
        id bigint, at timestamptz, state text, outcome text, detail text, published_at timestamptz, etag text,
        last_modified text, html_sha256 text, article_id bigint)
), held AS MATERIALIZED (
    SELECT urls.id, urls.fetched_at IS NULL AS is_first, CASE
        WHEN urls.fetched_at IS NOT NULL THEN urls.state IN ('fetched', 'unchanged') AND urls.fetched_at < given.at
        WHEN urls.state = 'queued' THEN given.article_id IS NOT NULL
            AND coalesce(CAST(urls.hints ->> 'modified_at' AS timestamptz) <= given.at, true)
        ELSE urls.state = 'fetched' END AS newer
    FROM urls JOIN given USING (id)
    ORDER BY urls.id
    FOR UPDATE OF urls
)
UPDATE urls SET
    state = CASE WHEN newer THEN given.state ELSE urls.state END,
    reason = CASE WHEN newer THEN given.outcome ELSE urls.reason END,
    detail = CASE WHEN newer THEN given.detail ELSE urls.detail END,
    not_before = CASE WHEN newer AND is_first THEN NULL ELSE urls.not_before END,
    fetched_at = CASE WHEN newer THEN given.at ELSE urls.fetched_at END,
    published_at = coalesce(urls.published_at, given.published_at),
    etag = CASE WHEN newer THEN given.etag ELSE urls.etag END,
    last_modified = CASE WHEN newer THEN given.last_modified ELSE urls.last_modified END,
    html_sha256 = CASE WHEN newer THEN decode(given.html_sha256, 'hex') ELSE urls.html_sha256 END,
    article_id = CASE WHEN newer THEN coalesce(given.article_id, urls.article_id)
                 ELSE coalesce(urls.article_id, given.article_id) END
FROM given, held WHERE urls.id = given.id AND urls.id = held.id
""").bindparams(bindparam("rows", type_=JSONB))


def place(connection: Connection, candidates: Sequence[Candidate]) -> dict[str, int]:
    """The ids of these addresses' rows, which are made where there is none: a statement for all of them."""
    now = datetime.now(UTC)
    rows = [{"source": one.source, **row_of(one, now)} for one in candidates]
    found: dict[str, int] = {}
    while missing := [row for row in rows if row["key"] not in found]:  # again, for what another run has just added
        found |= dict(connection.execute(_PLACE, {"rows": json_safe(missing)}).all())
    return {row["url"]: found[row["key"]] for row in rows}


def settle(connection: Connection, visits: Sequence[Visit]) -> None:
    """Record the pages that archives gave. Each has the time of its capture as `fetched_at`."""
    newest: dict[int, dict[str, Any]] = {}
    for visit in sorted(visits, key=_captured):
        newest[visit.url_id] = {
            "id": visit.url_id,
            "at": _captured(visit).isoformat(),
            "state": OUTCOMES[visit.outcome].state,
            "outcome": visit.outcome,
            "detail": visit.detail[:DETAIL] if visit.detail else None,
            "published_at": visit.published_at.isoformat() if visit.published_at else None,
            "etag": visit.etag,
            "last_modified": visit.last_modified,
            "html_sha256": visit.html_sha256.hex() if visit.html_sha256 else None,
            "article_id": visit.article_id,
        }
    if newest:
        connection.execute(_SETTLE, {"rows": json_safe(list(newest.values()))})


def _captured(visit: Visit) -> datetime:
    assert visit.fetched_at is not None
    return visit.fetched_at
