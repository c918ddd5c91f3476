"""Stored articles and their source's template: a block learned today cleans the rows of yesterday.

Nothing is fetched: the ledger has every block, so the template is taken back and laid over it anew. That makes cleaning
and forgiving one thing, which may be broken off and done again. It is our doing and no publisher's: no revision is
made and `updated_at` stays.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, func, select, text, tuple_, update

from crawler.recurrence import REASON, Template, condemned, rule_of
from crawler.store import duplicates, facts, models, notices, templates, tombstones

BATCH = 200  # articles in one transaction
MARGIN = timedelta(minutes=5)  # what began to be stored before a cleaning may be committed so long after it
Ledger = list[dict[str, Any]]
Article, Block = models.Article, models.BoilerplateBlock

_COUNT = text("""
UPDATE boilerplate_blocks SET cleaned = greatest(0, cleaned + :number) WHERE source = :source AND key = :key
""")


@dataclass(frozen=True, slots=True)
class _Plan:
    template: Template
    since: datetime
    began: datetime


def relaid(blocks: Sequence[Mapping[str, Any]], headline: str | None, template: Template) -> Ledger:
    """A ledger as its source's template leaves it, whatever an earlier one had taken."""
    whole = [_restored(block) for block in blocks]
    kept = [block for block in whole if block["kept"]]
    for index, key in condemned([block["text"] for block in kept], headline, template).items():
        kept[index] |= {"kept": False, "reason": REASON, "rule": rule_of(key)}
    return whole


def _restored(block: Mapping[str, Any]) -> dict[str, Any]:
    if block.get("reason") != REASON:
        return dict(block)
    return {name: value for name, value in block.items() if name not in ("reason", "rule")} | {"kept": True}


def body_of(blocks: Sequence[Mapping[str, Any]]) -> str:
    """As `Extraction.body`."""
    return "\n".join(block["text"] for block in blocks if block["kept"])


def clean(engine: Engine, source: str, *, seconds: float = math.inf, since: datetime | None = None) -> int:
    """Bring stored articles to what is learned and forgiven; returns how many it changed.

    Looks at those that changed since a block that is new to them was first seen, or `since`. What `seconds` do not
    suffice for is left to the next time.
    """
    with engine.begin() as connection:
        plan = _plan(connection, source, since)
    if plan is None:
        return 0
    end, changed = time.monotonic() + seconds, 0
    position = (plan.since, 0)
    while True:
        with engine.begin() as connection:
            tombstones.respect(connection)
            batch = _batch(connection, source, position)
            changed += _clean(connection, source, batch, plan.template)
        through = len(batch) < BATCH
        position = (batch[-1]["updated_at"], batch[-1]["id"]) if batch else position
        if through or time.monotonic() > end:
            break
    with engine.begin() as connection:
        _note(connection, source, plan, plan.began - MARGIN if through else position[0])
    return changed


def _plan(connection: Connection, source: str, since: datetime | None) -> _Plan | None:
    _, now = templates.lock(connection, source)
    decided = select(func.min(Block.clean_from)).where(Block.source == source, templates.DECIDED)
    since = since or connection.execute(decided).scalar()
    return _Plan(templates.learned(connection, source), since, now) if since else None


def _note(connection: Connection, source: str, plan: _Plan, reached: datetime) -> None:
    """Blocks that were decided on meanwhile have their own time."""
    templates.lock(connection, source)
    connection.execute(
        update(Block)
        .where(Block.source == source, templates.DECIDED, Block.decided_at < plan.began)
        .where(Block.clean_from < reached)
        .values(clean_from=reached)
    )


def _batch(connection: Connection, source: str, after: tuple[datetime, int]) -> Sequence[RowMapping]:
    place = tuple_(Article.updated_at, Article.id)
    statement = (
        select(Article.id, Article.headline, Article.blocks, Article.updated_at)
        .where(Article.source == source, place > tuple_(*after))
        .order_by(Article.updated_at, Article.id)
        .limit(BATCH)
    )
    return connection.execute(statement).mappings().all()


def _clean(connection: Connection, source: str, batch: Sequence[RowMapping], template: Template) -> int:
    dirty = [row["id"] for row in batch if relaid(row["blocks"], row["headline"], template) != row["blocks"]]
    if not dirty:
        return 0
    statement = select(Article.id, Article.headline, Article.blocks).where(Article.id.in_(dirty)).order_by(Article.id)
    given, counts, leaked = [], Counter[str](), 0
    for row in connection.execute(statement.with_for_update(key_share=True)).mappings():
        blocks = relaid(row["blocks"], row["headline"], template)
        body = body_of(blocks)
        given.append({"article": row["id"], "blocks": blocks, "body": body, "word_count": len(body.split())})
        counts.update(_keys(blocks))
        counts.subtract(_keys(row["blocks"]))
        leaked += _kept(row["blocks"]) - _kept(blocks)
    connection.execute(update(Article).where(Article.id == bindparam("article")), given)
    notices.tell(connection, [(row["article"], "cleaned") for row in given])
    templates.lock(connection, source)
    moved = [{"source": source, "key": key, "number": number} for key, number in sorted(counts.items()) if number]
    if moved:
        connection.execute(_COUNT, moved)
    facts.leaked(connection, source, leaked)
    duplicates.learn(connection, [(row["article"], None) for row in given])
    return len(given)


def _kept(blocks: Sequence[Mapping[str, Any]]) -> int:
    return sum(block["kept"] for block in blocks)


def _keys(blocks: Sequence[Mapping[str, Any]]) -> set[str]:
    return {block["rule"].removeprefix(rule_of("")) for block in blocks if block.get("reason") == REASON}
