"""Runs of `scrapy reextract`: what is asked for, what is found and not applied yet.

A run looks at stored pages, slice by slice (slices.py): at those of articles, then at those that gave none. What
differs waits in `reextracted`, so that it is seen before it is applied and nothing is extracted twice. What was found
and how far a slice has come are committed together: after a kill -9 the same question goes on from there. Any number
of processes work on a run, each with a shared lock on it; a new question takes the place of whatever was asked before,
unless somebody works on that.
"""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from crawler import __version__
from crawler.errors import StoreError
from crawler.gains import Difference, difference
from crawler.store import models, tombstones
from crawler.store.subjects import Asked, Subject
from crawler.text import json_safe

LOCK = 7_305_116  # the first key of pg_advisory_lock(int, int); the second is a run, or 0 for who begins one
LARGEST = 10
APPLICABLE = ("changed", "new")
Article, Page, Url = models.Article, models.Page, models.Url
Run, Found, Staged = models.Reextraction, models.ReextractedSource, models.Reextracted

_ALONE = text("SELECT pg_advisory_xact_lock(:lock, 0)")
_HOLD = text("SELECT pg_advisory_lock_shared(:lock, :run)")
_IS_FREE = text("SELECT pg_try_advisory_xact_lock(:lock, :run)")
_IS_QUEUED = text("""
SELECT EXISTS (
    SELECT FROM procrastinate.procrastinate_jobs
    WHERE task_name = 'reextract' AND status IN ('todo', 'doing') AND CAST(args ->> 'run' AS bigint) = :run)
""")
_IS_RUNNING = text("""
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted
        -- of an earlier program, whose lock has one key: it is the second here
        AND :lock = CAST(CASE WHEN objsubid = 1 AND classid = 0 THEN objid WHEN objsubid = 2 THEN classid END AS bigint)
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")
_ADD = text("""
INSERT INTO reextracted_sources AS known (run_id, source, found) VALUES (:run_id, :source, :found)
ON CONFLICT (run_id, source) DO UPDATE SET found = (
    SELECT jsonb_object_agg(key, number) FROM (
        SELECT key, CAST(sum(CAST(value AS bigint)) AS bigint) AS number
        FROM (SELECT * FROM jsonb_each_text(known.found)
              UNION ALL SELECT * FROM jsonb_each_text(excluded.found)) AS given
        GROUP BY key) AS added)
""").bindparams(bindparam("found", type_=JSONB))


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A run. `how` it came about: new, resumed or found whole. `seeds`: what all use who work on it, as JSON."""

    id: int
    how: str
    asked: Asked
    rules: str
    seeds: Mapping[str, Any]
    started_at: datetime
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What differs: a row of `reextracted`. `content`: columns, of a new article all."""

    subject: Subject
    outcome: str
    reason: str | None = None
    weight: int = 0
    content: Mapping[str, Any] = field(default_factory=dict)


def is_running(connection: Connection) -> bool:
    """Whether a process works on a run, on whatever machine."""
    return bool(connection.execute(_IS_RUNNING, {"lock": LOCK}).scalar_one())


# -- a run ------------------------------------------------------------------------------------------------------------


def begin(
    connection: Connection, asked: Asked, rules: str, seeds: Mapping[str, Any] | None = None, *, anew: bool = False
) -> Begun:
    """Go on with the last run if it was asked the same under the same rules, and is not applied; else begin one.

    Raises StoreError when that would take the place of one that is being worked on.
    """
    connection.execute(_ALONE, {"lock": LOCK})
    same = (Run.asked == json_safe(asked.plain), Run.rules == rules, Run.applied_at.is_(None))
    row = None if anew else connection.execute(select(Run.__table__).where(*same).order_by(Run.id.desc())).first()
    if row is not None:
        _make_room(connection, row.id)
        return _begun(row)
    _make_room(connection, 0)
    values = {"asked": json_safe(asked.plain), "rules": rules, "version": __version__, "host": socket.gethostname()}
    made = insert(Run).values(**values, seeds=json_safe(dict(seeds or {}))).returning(Run.__table__)
    return _begun(connection.execute(made).one(), "new")


def find(connection: Connection, run_id: int) -> Begun | None:
    """A run that is not applied."""
    row = connection.execute(select(Run.__table__).where(Run.id == run_id, Run.applied_at.is_(None))).first()
    return _begun(row) if row else None


def want_applied(connection: Connection, run_id: int) -> None:
    """Apply what is found without asking, as soon as all was looked at."""
    connection.execute(update(Run).where(Run.id == run_id).values(apply=True))


def hold(connection: Connection, run_id: int) -> None:
    """Nothing takes the place of the run for as long as this connection lives."""
    connection.execute(_HOLD, {"lock": LOCK, "run": run_id})


def _begun(row: Any, how: str | None = None) -> Begun:
    kept = {name: getattr(row, name) for name in ("id", "rules", "seeds", "started_at", "version")}
    return Begun(**kept, asked=Asked.of(row.asked), how=how or ("found" if row.finished_at else "resumed"))


def _make_room(connection: Connection, run_id: int) -> None:
    """What was asked before is not taken up again: its changes are gone. Raises StoreError if it is in use."""
    others = select(Run.id).where(Run.applied_at.is_(None), Run.id != run_id).order_by(Run.id)
    for other in connection.execute(others).scalars().all():
        given = {"lock": LOCK, "run": other}
        if not connection.execute(_IS_FREE, given).scalar_one():
            raise StoreError(f"another re-extraction runs on this database: scrapy reextract --run {other} shares it")
        if connection.execute(_IS_QUEUED, given).scalar_one():
            raise StoreError(
                f"the re-extraction {other} waits for workers: scrapy enqueue --list, --cancel run:{other}"
            )
    connection.execute(delete(Staged).where(Staged.run_id != run_id))
    connection.execute(delete(models.ReextractionSlice).where(models.ReextractionSlice.run_id != run_id))
    connection.execute(delete(Run).where(Run.applied_at.is_(None), Run.applied == 0, Run.id != run_id))
    unfinished = update(Run).where(Run.applied_at.is_(None), Run.id != run_id)
    connection.execute(unfinished.values(applied_at=func.now()))


def note(connection: Connection, run_id: int, changes: Sequence[Change], met: Mapping[str, Counter[str]]) -> None:
    """What was found, by source what was counted: it is added to what others have."""
    tombstones.respect(connection)
    held = {one.subject.held.url_id for one in changes if one.subject.held}
    there = set(connection.execute(select(Url.id).where(Url.id.in_(held))).scalars()) if held else set()
    rows = [_row(run_id, one) for one in changes if one.subject.held and one.subject.held.url_id in there]
    if rows:  # what was forgotten meanwhile is not there
        connection.execute(insert(Staged), rows)
    for source in sorted(met):  # in one order, and last: others wait for these rows
        connection.execute(_ADD, {"run_id": run_id, "source": source, "found": dict(met[source])})


def _row(run_id: int, one: Change) -> dict[str, Any]:
    held, old = one.subject.held, one.subject.old
    assert held is not None
    return {
        "run_id": run_id,
        "source": one.subject.source,
        "article_id": old["id"] if old is not None else None,
        "url_id": held.url_id,
        "page_id": held.id,
        "fetched_at": held.fetched_at,
        "outcome": one.outcome,
        "reason": json_safe(one.reason),
        "weight": one.weight,
        "content": json_safe(json.loads(json.dumps(dict(one.content), default=datetime.isoformat))),
    }


def finish(connection: Connection, run_id: int) -> bool:
    """All was looked at. Returns whether it is applied without asking."""
    finished = update(Run).where(Run.id == run_id, Run.finished_at.is_(None)).values(finished_at=func.now())
    return bool(connection.execute(finished.returning(Run.apply)).scalar())


# -- what there is to see of it ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An article that would change much, or one that today's rules reject."""

    article_id: int | None
    source: str
    headline: str | None
    url: str
    told: Difference = field(default_factory=lambda: Difference((), (), 0, 0))
    reason: str | None = None


def found(connection: Connection, run_id: int) -> dict[str, Counter[str]]:
    """What was counted, by source."""
    statement = select(Found.source, Found.found).where(Found.run_id == run_id)
    return {source: Counter(counts) for source, counts in connection.execute(statement)}


def to_apply(connection: Connection, run_id: int) -> list[str]:
    """The sources with changes that are not applied."""
    statement = select(Staged.source).where(Staged.run_id == run_id, Staged.outcome.in_(APPLICABLE)).distinct()
    return sorted(connection.execute(statement).scalars())


def waiting(connection: Connection, run_id: int) -> Counter[str]:
    """How many changes are not applied, by outcome."""
    counted = select(Staged.outcome, func.count()).where(Staged.run_id == run_id).group_by(Staged.outcome)
    return Counter(dict(connection.execute(counted).all()))


def largest(connection: Connection, run_id: int) -> list[Example]:
    """The changes of most words that are not applied."""
    statement = (
        select(Staged.article_id, Staged.source, Staged.content, Page.url)
        .outerjoin(Page, (Page.id == Staged.page_id) & (Page.fetched_at == Staged.fetched_at))
        .where(Staged.run_id == run_id, Staged.outcome.in_(APPLICABLE), Staged.weight > 0)
        .order_by(Staged.weight.desc(), Staged.id)
        .limit(LARGEST)
    )
    return [_example(connection, row) for row in connection.execute(statement)]


def _example(connection: Connection, row: Any) -> Example:
    stored = select(Article.headline, Article.blocks).where(Article.id == row.article_id)
    headline, blocks = connection.execute(stored).tuples().one_or_none() or (None, [])
    return Example(
        article_id=row.article_id,
        source=row.source,
        headline=row.content.get("headline", headline),
        url=row.url or "",
        told=difference(blocks, row.content.get("blocks", blocks)),
    )


def rejected(connection: Connection, run_id: int, source: str, most: int) -> list[Example]:
    """Articles of a source that today's rules reject, and pages that could not be read."""
    statement = (
        select(Staged.article_id, Staged.source, Staged.reason, Page.url)
        .outerjoin(Page, (Page.id == Staged.page_id) & (Page.fetched_at == Staged.fetched_at))
        .where(Staged.run_id == run_id, Staged.outcome.in_(("rejected", "failed")), Staged.source == source)
        .order_by(Staged.id)
        .limit(most)
    )
    return [
        Example(article_id=row.article_id, source=row.source, headline=None, url=row.url or "", reason=row.reason)
        for row in connection.execute(statement)
    ]
