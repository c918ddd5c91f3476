"""Which pages are to be fetched, in the database: it survives kill -9, and nothing is fetched twice.

A row is a page, whatever its addresses (`urls.url_key`; identity.py merges rows that turn out to be one). `state` says
how its last fetch ended, `not_before` when it is due again, null being never. So a page that was never fetched, a
failed one that is tried again and an article that is looked at for edits are leased by the same query. intake.py puts
pages in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.dates import parse_instant
from crawler.items import Candidate
from crawler.outcomes import OUTCOMES, rest
from crawler.recheck import Look
from crawler.store import tombstones
from crawler.store.intake import RANKS, row_of
from crawler.text import json_safe

DETAIL = 500  # characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A page that this run has leased, with what a conditional request needs.

    `attempts`: this one is the how manyth in a row. `step`: the look at a stored article that this is (recheck.py).
    `chain`: the addresses that have redirected here; `is_permanent`: whether all of them for good (301, 308).
    """

    url_id: int
    candidate: Candidate
    etag: str | None = None
    last_modified: str | None = None
    attempts: int = 1
    step: int | None = None
    published_at: datetime | None = None
    chain: tuple[str, ...] = ()
    is_permanent: bool = True


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
        JOIN sources ON sources.id = wanted.source AND disabled_at IS NULL
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


def lease_one(connection: Connection, crawl_id: int, candidate: Candidate) -> Due | None:
    """Lease one page that was asked for by hand, whatever its state; None: another run has it, or it was forgotten.

    What is fetched is the address of `candidate`, even when the page is known by another.
    """
    tombstones.respect(connection)
    if tombstones.is_forgotten(connection, candidate.url, candidate.source):
        return None
    given = {**row_of(candidate, datetime.now(UTC)), "source": candidate.source, "crawl_id": crawl_id}
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
  AND (CAST(:crawl_id AS bigint) IS NULL OR lease_crawl IS NULL OR lease_crawl = :crawl_id)
""")


def finish(connection: Connection, visits: Sequence[Visit], crawl_id: int | None = None) -> None:
    """Record how leased pages ended; of `crawl_id`, if it is given, not what another run has leased meanwhile."""
    if visits:
        in_order = sorted(visits, key=lambda visit: visit.url_id)  # as every other writer: no deadlock
        connection.execute(_FINISH, [{**_ended(visit), "crawl_id": crawl_id} for visit in in_order])


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
