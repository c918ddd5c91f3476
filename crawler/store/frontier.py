"""Which URLs are to be fetched, in the database: it survives kill -9, and nothing is fetched twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.dates import parse_instant
from crawler.items import Candidate
from crawler.text import json_safe

MAX_ATTEMPTS = 5  # after that many failures a URL is looked at again only when its feed gives a newer date
BACK_OFF = timedelta(minutes=10)  # doubled with each failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A URL that this run has leased, with what a conditional request needs."""

    url_id: int
    candidate: Candidate
    etag: str | None
    last_modified: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """What became of a list of candidates. `known` ones were fetched already and are not due."""

    new: int
    due: int
    known: int


# A known URL is looked at again when its feed says that it changed since it was fetched, or once it has rested. What is
# gone or excluded is not; what failed waits for its own `not_before`. Two runs that add the same URLs do not deadlock:
# new rows go in sorted, and old ones that another has locked are left to it.
_ADD = text("""
WITH given AS (
    SELECT DISTINCT ON (url) * FROM jsonb_to_recordset(:rows)
        AS r(url text, found_in text, modified_at timestamptz, hints jsonb)
), added AS (
    INSERT INTO urls (url, source, found_in, hints)
    SELECT url, :source, found_in, hints FROM given
    WHERE NOT EXISTS (SELECT FROM urls WHERE urls.url = given.url) -- a conflict would wait, and use up an id
    ON CONFLICT (url) DO NOTHING
    RETURNING id
), rested AS MATERIALIZED (
    SELECT urls.id, given.hints FROM urls JOIN given USING (url)
    WHERE urls.state IN ('fetched', 'unchanged', 'failed')
      AND (given.modified_at > urls.fetched_at
           OR (urls.state <> 'failed' AND urls.fetched_at <= now() - make_interval(secs => :recheck_after)))
    FOR UPDATE OF urls SKIP LOCKED
), again AS (
    UPDATE urls SET state = 'queued', hints = rested.hints, attempts = 0
    FROM rested WHERE urls.id = rested.id
    RETURNING urls.id
)
SELECT (SELECT count(*) FROM given), (SELECT count(*) FROM added), (SELECT count(*) FROM again)
""").bindparams(bindparam("rows", type_=JSONB))

_LEASE_ONE = text("""
INSERT INTO urls AS u (url, source, found_in, hints, state, lease_crawl, attempts)
VALUES (:url, :source, :found_in, :hints, 'leased', :crawl_id, 1)
ON CONFLICT (url) DO UPDATE SET state = 'leased', lease_crawl = :crawl_id, attempts = 1 WHERE u.state <> 'leased'
RETURNING id, url, source, found_in, hints, etag, last_modified
""").bindparams(bindparam("hints", type_=JSONB))

# A CTE, since a subquery in FROM may be run more than once and would then lock more than its limit.
_TAKE = text("""
WITH chosen AS MATERIALIZED (
    SELECT due.id
    FROM unnest(CAST(:sources AS text[]), CAST(:limits AS int[])) AS wanted(source, n)
    CROSS JOIN LATERAL (
        SELECT id FROM urls
        WHERE urls.source = wanted.source AND state = 'queued' AND not_before <= now()
        ORDER BY not_before, id
        LIMIT wanted.n
        FOR UPDATE SKIP LOCKED
    ) AS due
    ORDER BY random()
    LIMIT :most
)
UPDATE urls SET state = 'leased', lease_crawl = :crawl_id, attempts = attempts + 1
FROM chosen
WHERE urls.id = chosen.id
RETURNING urls.id, urls.url, urls.source, urls.found_in, urls.hints, urls.etag, urls.last_modified
""")


def add(connection: Connection, source: str, candidates: Sequence[Candidate], recheck_after: float) -> Added:
    """Put candidates of one source into the frontier. `recheck_after`: seconds until a fetched URL is due again."""
    rows = [
        {
            "url": candidate.url,
            "found_in": candidate.found_in,
            "modified_at": candidate.modified_at.isoformat() if candidate.modified_at else None,
            "hints": hints_of(candidate),
        }
        for candidate in candidates
    ]
    given = {"rows": json_safe(rows), "source": source, "recheck_after": recheck_after}
    total, new, due = connection.execute(_ADD, given).one()
    return Added(new=new, due=due, known=total - new - due)


def lease_one(connection: Connection, crawl_id: int, candidate: Candidate) -> Due | None:
    """Lease one URL that was asked for by hand, whatever its state; None when another run is fetching it just now."""
    given = {
        "url": candidate.url,
        "source": candidate.source,
        "found_in": candidate.found_in,
        "hints": hints_of(candidate),
        "crawl_id": crawl_id,
    }
    row = connection.execute(_LEASE_ONE, given).mappings().one_or_none()
    return _due(row) if row else None


def take(connection: Connection, crawl_id: int, wanted: Mapping[str, int], most: int) -> list[Due]:
    """Lease up to so many due URLs of each source, and `most` of all: any of them, so that no source has to wait."""
    given = {"crawl_id": crawl_id, "sources": list(wanted), "limits": list(wanted.values()), "most": most}
    return [_due(row) for row in connection.execute(_TAKE, given).mappings()]


def _due(row: RowMapping) -> Due:
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
    return Due(url_id=row["id"], candidate=candidate, etag=row["etag"], last_modified=row["last_modified"])


def hints_of(candidate: Candidate) -> dict[str, Any]:
    given = asdict(candidate)
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in given.items()
        if value is not None and name not in ("url", "source", "found_in")
    }


def _instant(raw: str | None) -> datetime | None:
    found = parse_instant(raw)
    return found.at if found else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """How a leased URL ended. `retry` puts it back into the queue with a growing pause, until MAX_ATTEMPTS."""

    url_id: int
    state: str
    reason: str | None = None
    retry: bool = False
    etag: str | None = None
    last_modified: str | None = None
    html_sha256: bytes | None = None
    article_id: int | None = None


_FINISH = text("""
UPDATE urls SET
    state = CASE WHEN :retry AND attempts < :max_attempts THEN 'queued' ELSE :state END,
    reason = :reason,
    lease_crawl = NULL,
    not_before = CASE WHEN :retry THEN now() + :back_off * power(2, least(attempts, 10) - 1) ELSE not_before END,
    attempts = CASE WHEN :retry THEN attempts ELSE 0 END,
    fetched_at = CASE WHEN :retry AND attempts < :max_attempts THEN fetched_at ELSE now() END,
    etag = CASE WHEN :state IN ('fetched', 'unchanged') THEN coalesce(:etag, etag) ELSE etag END,
    last_modified = CASE WHEN :state IN ('fetched', 'unchanged') THEN coalesce(:last_modified, last_modified)
                    ELSE last_modified END,
    html_sha256 = coalesce(:html_sha256, html_sha256),
    article_id = coalesce(:article_id, article_id)
WHERE id = :url_id
""")


def finish(connection: Connection, visits: Sequence[Visit]) -> None:
    """Record how leased URLs ended."""
    if visits:
        extra = {"max_attempts": MAX_ATTEMPTS, "back_off": BACK_OFF}
        in_order = sorted(visits, key=lambda visit: visit.url_id)  # as every other writer: no deadlock
        connection.execute(_FINISH, [{**asdict(visit), **extra} for visit in in_order])
