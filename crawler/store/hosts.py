"""How often a host is asked, for all crawlers on one database together: pace, concurrency, Retry-After, robots.txt.

A request takes one of the host's places, which is a session advisory lock: the kernel and the server give it back
whatever becomes of the process. Then it is told when to leave, in the order of asking: `hosts.next_at` moves on by the
delay with each. Only the server's clock counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from zlib import crc32

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler.items import StoredRobots
from crawler.store import models

PLACE_LOCK = 7_305_115  # the first key of pg_advisory_lock(int, int); the second is host and place


@dataclass(frozen=True, slots=True)
class Pass:
    """What a request is told. `place` None: all are taken, or the host is held; ask again after `wait` seconds."""

    place: int | None
    wait: float
    held: bool = False


_ENTER = text("""
WITH held AS MATERIALIZED (
    SELECT extract(epoch FROM held_until - clock_timestamp()) AS seconds FROM hosts
    WHERE host = :host AND held_until > clock_timestamp()
), place AS MATERIALIZED (
    SELECT n, lock FROM unnest(CAST(:places AS int[]), CAST(:locks AS int[])) AS free(n, lock)
    WHERE NOT EXISTS (SELECT FROM held) AND pg_try_advisory_lock(:key, lock)
    LIMIT 1
), paced AS (
    INSERT INTO hosts AS h (host, next_at) SELECT :host, clock_timestamp() + :delay FROM place
    ON CONFLICT (host) DO UPDATE SET next_at = greatest(h.next_at, clock_timestamp()) + :delay
    RETURNING next_at
)
SELECT (SELECT n FROM place), (SELECT extract(epoch FROM next_at - :delay - clock_timestamp()) FROM paced),
       (SELECT seconds FROM held)
""")
_LEAVE = text("SELECT pg_advisory_unlock(:key, :lock)")
_ANSWERED = text("UPDATE hosts SET next_at = greatest(next_at, clock_timestamp() + :delay) WHERE host = :host")
_HOLD = text("""
INSERT INTO hosts AS h (host, held_until) VALUES (:host, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (host) DO UPDATE SET held_until = greatest(h.held_until, excluded.held_until)
""")

_IS_HELD = text("SELECT 1 FROM hosts WHERE host = :host AND held_until > clock_timestamp()")
_KNOWN = text("""
SELECT body, status, failure, fetched_at, good_until FROM robots WHERE origin = :origin AND good_until > now()
""")


def enter(connection: Connection, host: str, places: Sequence[int], delay: float) -> Pass:
    """Take one of `places`, those that this process does not hold itself, and a turn; `delay` in seconds."""
    locks = [_lock(host, place) for place in places]
    given = {"host": host, "places": list(places), "locks": locks, "key": PLACE_LOCK, "delay": timedelta(seconds=delay)}
    place, wait, held = connection.execute(_ENTER, given).one()
    if held is not None:
        return Pass(None, float(held), held=True)
    return Pass(place, max(0.0, float(wait or 0.0)))


def leave(connection: Connection, host: str, place: int, delay: float) -> None:
    """Give a place back. The host has answered, and from now on the delay counts."""
    if delay > 0:
        connection.execute(_ANSWERED, {"host": host, "delay": timedelta(seconds=delay)})
    connection.execute(_LEAVE, {"key": PLACE_LOCK, "lock": _lock(host, place)})


def hold(connection: Connection, host: str, seconds: float) -> None:
    """Let nobody ask the host for so long."""
    connection.execute(_HOLD, {"host": host, "seconds": seconds})


def is_held(connection: Connection, host: str) -> bool:
    """Whether it has asked for a pause that is not over."""
    return connection.execute(_IS_HELD, {"host": host}).one_or_none() is not None


def known_robots(connection: Connection, origin: str) -> StoredRobots | None:
    """The origin's robots.txt, if it is still good."""
    row = connection.execute(_KNOWN, {"origin": origin}).one_or_none()
    return StoredRobots(**row._mapping) if row else None


def learned_robots(connection: Connection, origin: str, robots: StoredRobots) -> None:
    """Keep it for all crawlers."""
    values = {
        "body": robots.body,
        "status": robots.status,
        "failure": robots.failure,
        "fetched_at": robots.fetched_at,
        "good_until": robots.good_until,
    }
    statement = upsert(models.Robots).values(origin=origin, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["origin"], set_=values))


def _lock(host: str, place: int) -> int:
    return crc32(f"{host}/{place}".encode()) - 2**31
