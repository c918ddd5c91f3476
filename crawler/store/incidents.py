"""Incidents: opened once however many look, closed when they are clearly over, and each told once.

Who tells claims what there is to tell until a time; what was not told by then, because the teller died or its receiver
was away, is anybody's again. Two tellers never have the same incident. A receiver that has got a message does not get
it again when another has to be tried once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from crawler.health import EXACT, Finding

CALM = timedelta(minutes=30)  # without being seen, and an incident is over; what is EXACT is so at once
FRESH = timedelta(minutes=10)  # since it was last seen; what is older may be over, and nobody is told of it any more
CLAIM = timedelta(minutes=5)
REST_LONGEST = 60  # minutes between two tries
KEPT = timedelta(days=400)  # since it was over: as long as the days of its source (facts.py)

_OPEN = text("""
INSERT INTO incidents AS i (source, kind, severity, detail, since)
SELECT r.* FROM unnest(CAST(:sources AS text[]), CAST(:kinds AS text[]), CAST(:severities AS text[]),
    CAST(:details AS text[]), CAST(:since AS timestamptz[])) AS r(source, kind, severity, detail, since)
WHERE r.source IS NULL OR r.source IN (SELECT id FROM sources)
ORDER BY r.source, r.kind
ON CONFLICT ((coalesce(source, '')), kind) WHERE closed_at IS NULL DO UPDATE SET
    last_seen_at = now(), detail = excluded.detail, severity = excluded.severity
RETURNING (xmax = 0)
""")
_CLOSE = text("""
UPDATE incidents SET closed_at = now(), told_via = '{}'
WHERE closed_at IS NULL
    AND last_seen_at < CASE WHEN kind = ANY(:exact) THEN now() ELSE now() - CAST(:calm AS interval) END
    AND (source = ANY(:judged) OR :whole AND source IS NULL)
RETURNING id
""")
# What was over for longer than a week was not told of after that (_CLAIM).
_PAUSED = text("""
SELECT coalesce(greatest(max(told_at), max(recovery_told_at)) > now() - CAST(:pause AS interval), false) FROM incidents
WHERE closed_at IS NULL OR closed_at > now() - interval '8 days' - CAST(:pause AS interval)
""")
# That it is over, is for those to know who were told of it, or would have been if they could have been reached.
_CLAIM = text("""
UPDATE incidents SET try_at = now() + :claim, tries = tries + 1
WHERE id IN (
    SELECT id FROM incidents
    WHERE (closed_at IS NULL AND told_at IS NULL AND (tries > 0 OR last_seen_at > now() - CAST(:fresh AS interval))
            OR closed_at > now() - interval '7 days' AND recovery_told_at IS NULL
                AND (told_at IS NOT NULL OR tries > 0))
        AND (try_at IS NULL OR try_at <= now())
    ORDER BY id FOR UPDATE SKIP LOCKED
)
RETURNING id, source, kind, severity, detail, since, opened_at, closed_at, told_via, tries, try_at
""")
_TOLD = text("""
UPDATE incidents SET told_via = '{}', tries = 0, try_at = NULL, told_at = coalesce(told_at, now()),
    recovery_told_at = CASE WHEN :over THEN now() END
WHERE id = ANY(:ids) AND try_at = :claim
""")
# What was over before the news of it had gone out has all its receivers before it again.
_FAILED = text("""
UPDATE incidents SET try_at = now() + least(:longest, power(2, least(tries, 10) - 1)) * interval '1 minute',
    told_via = CASE WHEN :over = (closed_at IS NOT NULL)
        THEN ARRAY(SELECT DISTINCT unnest(told_via || CAST(:via AS text[])) ORDER BY 1) ELSE told_via END
WHERE id = ANY(:ids) AND try_at = :claim
""")
_TROUBLED = text("""
SELECT source FROM incidents WHERE closed_at IS NULL AND source IS NOT NULL
GROUP BY source ORDER BY min(last_seen_at), source LIMIT :most
""")
_COUNTS = text("""
SELECT (SELECT count(*) FROM sources) AS watched, (SELECT count(*) FROM incidents WHERE closed_at IS NULL) AS open
""")
_PRUNE = text("DELETE FROM incidents WHERE closed_at < now() - :kept")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """An incident that is to be told: that it is, or with `closed_at` that it is over. `via`: who has been told."""

    id: int
    source: str | None
    kind: str
    severity: str
    detail: str
    since: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    via: tuple[str, ...]
    claim: datetime


def note(
    connection: Connection,
    judged: Collection[str],
    findings: Mapping[str | None, Sequence[Finding]],
    *,
    whole: bool,
) -> tuple[int, int]:
    """Open what is new of what was found, close what is over of what was judged; returns how many.

    `whole`: the system as such was judged as well; its findings are those of None.
    """
    rows = [(source, one) for source, found in findings.items() for one in found]
    opened = 0
    if rows:
        given: dict[str, Any] = {
            "sources": [source for source, _ in rows],
            "kinds": [one.kind for _, one in rows],
            "severities": [one.severity for _, one in rows],
            "details": [one.sentence.replace("\0", "") for _, one in rows],
            "since": [one.since for _, one in rows],
        }
        opened = sum(connection.execute(_OPEN, given).scalars())
    looked_at = {"judged": list(judged), "whole": whole, "calm": CALM, "exact": sorted(EXACT)}
    closed = connection.execute(_CLOSE, looked_at).rowcount
    return opened, closed


def claim(connection: Connection, pause: timedelta) -> list[Told]:
    """What there is to tell, for whoever asks first; nothing for a while after the last: then it is one message.

    The transaction has to be committed before anything is sent.
    """
    if connection.execute(_PAUSED, {"pause": pause}).scalar_one():
        return []
    rows = connection.execute(_CLAIM, {"claim": CLAIM, "fresh": FRESH}).mappings()
    return [
        Told(
            **{name: row[name] for name in ("id", "source", "kind", "severity", "detail", "since", "opened_at")},
            closed_at=row["closed_at"],
            via=tuple(row["told_via"]),
            claim=row["try_at"],
        )
        for row in rows
    ]


def settle(connection: Connection, told: Sequence[Told], via: Collection[str], *, done: bool) -> None:
    """What was claimed was told by these; not `done`: others are to be tried again, later and later."""
    for moment, over in {(one.claim, one.closed_at is not None) for one in told}:
        ids = [one.id for one in told if one.claim == moment and (one.closed_at is not None) == over]
        given = {"ids": ids, "claim": moment, "over": over}
        if done:
            connection.execute(_TOLD, given)
        else:
            connection.execute(_FAILED, {**given, "via": sorted(via), "longest": REST_LONGEST})


def prune(connection: Connection) -> int:
    """Forget what is over for long; returns how many."""
    return connection.execute(_PRUNE, {"kept": KEPT}).rowcount


def troubled(connection: Connection, most: int) -> list[str]:
    """The sources of what is open, first those that were looked at least of late."""
    return list(connection.execute(_TROUBLED, {"most": most}).scalars())


def counts(connection: Connection) -> tuple[int, int]:
    """How many sources are watched, and how many incidents are open."""
    watched, open_now = connection.execute(_COUNTS).one()
    return watched, open_now
