"""Which workers vanished, and have not been replaced. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerLife:
    """A worker's. `gone_at`: when it stopped, or was last heard of; None: it lives. `vanished`: it did not say that it
    stops."""

    host: str
    pid: int
    started_at: datetime
    gone_at: datetime | None = None
    vanished: bool = False


def unreplaced(lives: Iterable[WorkerLife]) -> list[WorkerLife]:
    """Those that vanished and whose place on their machine is empty, by when they were last heard of.

    One that is started takes the place that was left last: of two workers of which one was killed and the other then
    started anew, one is missing.
    """
    moments = []
    for life in lives:
        moments.append((life.started_at, True, life))
        if life.gone_at is not None:
            moments.append((max(life.gone_at, life.started_at), False, life))
    left: dict[str, list[WorkerLife]] = {}
    for _, starts, life in sorted(moments, key=lambda moment: moment[:2]):
        places = left.setdefault(life.host, [])
        if not starts:
            places.append(life)
        elif places:
            places.pop()
    lost = [life for places in left.values() for life in places if life.vanished]
    return sorted(lost, key=lambda life: (life.gone_at or life.started_at, life.host))
