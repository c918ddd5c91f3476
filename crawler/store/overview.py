"""What `scrapy up` shows of the database: the queue, what is due next, today's crawls, the last failures."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from crawler.store import queue
from crawler.store.queue import Failure

DUE_SHOWN, FAILURES_SHOWN = 5, 4

_DUE = text("""
SELECT id AS source, CAST(extract(epoch FROM due_at - now()) AS float) AS seconds, due_why AS why FROM sources
WHERE due_at IS NOT NULL AND disabled_at IS NULL ORDER BY due_at, id LIMIT :most
""")
_TODAY = text("""
SELECT coalesce(sum(crawls), 0) AS crawls, coalesce(sum(crawls_failed), 0) AS failed,
    coalesce(sum(stored), 0) AS stored, coalesce(sum(changed), 0) AS updated, coalesce(sum(fetched), 0) AS fetched
FROM source_days WHERE day = (now() AT TIME ZONE 'UTC')::date
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A source's next crawl, in so many seconds by the database's clock."""

    source: str
    seconds: float
    why: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Today:
    """Crawls ended since midnight (UTC), and what all have given up to a minute ago; backfills and archives apart."""

    crawls: int
    failed: int
    stored: int
    updated: int
    fetched: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """`waiting`: jobs that could begin now; `later`: that wait for their time; `running`: in all workers."""

    waiting: int
    later: int
    running: int
    due: tuple[Due, ...]
    failures: tuple[Failure, ...]
    today: Today


def read(connection: Connection) -> Overview:
    """As it is now."""
    counts = queue.counts(connection)
    return Overview(
        waiting=counts["due"],
        later=counts["later"],
        running=counts["running"],
        due=tuple(Due(**row) for row in connection.execute(_DUE, {"most": DUE_SHOWN}).mappings()),
        failures=tuple(queue.failures(connection, FAILURES_SHOWN)),
        today=Today(**connection.execute(_TODAY).mappings().one()),
    )
