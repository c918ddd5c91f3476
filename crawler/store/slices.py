"""The slices of a re-extraction: ranges of ids that any number of processes share, on whatever machines.

Who looks at a slice holds its session lock: after a kill -9 another takes it at once, and no clock is involved. The
lock only keeps two from doing the same work. What keeps them from counting it twice, should one have lost its
connection without noticing, is the step: from where the slice was reached, in the transaction with what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, insert, select, text, update

from crawler.store import models, reextractions, subjects
from crawler.store.subjects import Asked

SLICE_LOCK = 7_305_118  # the first key of pg_advisory_lock(int, int)
Run, Slice = models.Reextraction, models.ReextractionSlice

_TRY = text("SELECT pg_try_advisory_lock(:lock, :id)")
_UNLOCK = text("SELECT pg_advisory_unlock(:lock, :id)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A slice that is ours: `after` this id, up to and with `last`."""

    id: int
    run_id: int
    kind: Literal["articles", "urls"]
    after: int
    last: int


class Extent(NamedTuple):
    """How far a run has come."""

    looked_at: int
    pages: int
    slices: int  # that are not finished


def cut(connection: Connection, run_id: int, asked: Asked, size: int) -> None:
    """Lay out all pages that are asked for and stored now. A run without any is finished at once."""
    rows: list[dict[str, Any]] = []
    for kind, ids in (
        ("articles", subjects.article_ids(connection, asked)),
        ("urls", subjects.url_ids(connection, asked)),
    ):
        for chosen in portions(ids, size):
            given = {"reached": chosen[0] - 1, "last": chosen[-1], "pages": len(chosen)}
            rows.append({"run_id": run_id, "kind": kind, **given})
    if rows:
        connection.execute(insert(Slice), rows)
    else:
        reextractions.finish(connection, run_id)


def portions(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """In their order, so many at a time."""
    for at in range(0, len(ids), size):
        yield ids[at : at + size]


def claim(connection: Connection, run_id: int) -> Part | None:
    """Take a slice that nobody looks at; None when there is none, which may change as long as one is not finished."""
    return next((part for one in unfinished(connection, run_id) if (part := take(connection, one))), None)


def unfinished(connection: Connection, run_id: int) -> list[int]:
    statement = select(Slice.id).where(Slice.run_id == run_id, Slice.finished_at.is_(None)).order_by(Slice.id)
    return list(connection.execute(statement).scalars())


def take(connection: Connection, slice_id: int) -> Part | None:
    """Take this one, on a connection that holds it as long as it lives; None: another has it, or it is finished."""
    given = {"lock": SLICE_LOCK, "id": slice_id}
    if not connection.execute(_TRY, given).scalar_one():
        return None
    row = connection.execute(select(Slice.__table__).where(Slice.id == slice_id)).one_or_none()
    if row is None or row.finished_at is not None:
        connection.execute(_UNLOCK, given)
        return None
    return Part(id=row.id, run_id=row.run_id, kind=row.kind, after=row.reached, last=row.last)


def leave(connection: Connection, slice_id: int) -> None:
    connection.execute(_UNLOCK, {"lock": SLICE_LOCK, "id": slice_id})


def step(connection: Connection, slice_id: int, reached: int, to: int, pages: int) -> bool:
    """Note that one goes on from `reached`. False: somebody else has, and what was found is his."""
    mine = update(Slice).where(Slice.id == slice_id, Slice.reached == reached, Slice.finished_at.is_(None))
    return connection.execute(mine.values(reached=to, looked_at=Slice.looked_at + pages)).rowcount == 1


def finish(connection: Connection, slice_id: int) -> int | None:
    """A slice is looked at. Returns its run when that is so for all of them, as one and only one is told."""
    run_id = connection.execute(select(Slice.run_id).where(Slice.id == slice_id)).scalar()
    # One after the other, or each of the last two would take the other for unfinished.
    connection.execute(select(Run.id).where(Run.id == run_id).with_for_update())
    mine = update(Slice).where(Slice.id == slice_id, Slice.finished_at.is_(None)).values(finished_at=func.now())
    if run_id is None or not connection.execute(mine).rowcount or unfinished(connection, run_id):
        return None
    return run_id


def extent(connection: Connection, run_id: int) -> Extent:
    found = select(
        func.coalesce(func.sum(Slice.looked_at), 0),
        func.coalesce(func.sum(Slice.pages), 0),
        func.count().filter(Slice.finished_at.is_(None)),
    ).where(Slice.run_id == run_id)
    return Extent(*connection.execute(found).one())
