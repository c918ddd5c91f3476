"""What a run of `scrapy reextract` has found, applied: in batches, each with its changes' end in `reextracted`.

So a kill costs nothing: what is applied waits no longer, and the rest is applied by the next run. Articles are locked
in the order of their ids and before templates and URLs, as every other writer does. What a crawl has fetched since is
newer than what was found here, and stays. The changes are ours: revisions say `rules`, and no publisher is taken for
one who edits.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError

from crawler.outcomes import OUTCOMES
from crawler.recheck import next_look
from crawler.recurrence import Template, Witness
from crawler.store import articles, duplicates, identity, learning, models, notices, templates, tombstones
from crawler.store.articles import STORED, kept_of
from crawler.store.cleaning import body_of, relaid
from crawler.store.reading import made_of, pages_of
from crawler.store.reextractions import APPLICABLE
from crawler.store.writer import CHANGED
from crawler.urls import url_key

logger = logging.getLogger(__name__)
BATCH = 100
INSTANTS = ("published_at", "modified_at")
Article, Staged, Run = models.Article, models.Reextracted, models.Reextraction

# A page that gives an article now: as if its fetch had ended so, if this was the last one. One that is being fetched
# is left to the crawl that does.
_URLS = text("""
SELECT urls.id, urls.key, urls.reason = pages.outcome AS is_last FROM urls
JOIN pages ON pages.url_id = urls.id
WHERE pages.id = ANY(:pages) AND pages.fetched_at = ANY(:instants)
    AND urls.id = ANY(:urls) AND urls.article_id IS NULL AND urls.state <> 'leased'
ORDER BY urls.id
FOR UPDATE OF urls
""")
_GAVE = text("""
UPDATE urls SET article_id = :article_id, published_at = coalesce(:published_at, published_at),
    state = CASE WHEN :is_last THEN :state ELSE state END,
    reason = CASE WHEN :is_last THEN :outcome ELSE reason END,
    detail = CASE WHEN :is_last THEN NULL ELSE detail END,
    attempts = CASE WHEN :is_last THEN 0 ELSE attempts END,
    step = CASE WHEN :is_last THEN :step ELSE step END,
    not_before = CASE WHEN :is_last THEN now() + CAST(:rest AS interval) ELSE not_before END,
    rank = CASE WHEN :is_last AND CAST(:step AS smallint) IS NOT NULL THEN 1 ELSE rank END
WHERE id = :url_id
""")


@dataclass(frozen=True, slots=True)
class Applied:
    """How many changes are applied, and of these with a revision; how many a crawl or the database did not let be."""

    applied: int = 0
    revised: int = 0
    skipped: int = 0
    refused: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def next_batch(connection: Connection, run_id: int, source: str, outcome: str, most: int = BATCH) -> list[int]:
    """A source's changes of that kind that wait, the oldest first; not those that another applies now."""
    asked = (Staged.run_id == run_id, Staged.source == source, Staged.outcome == outcome)
    statement = select(Staged.id).where(*asked).order_by(Staged.id).limit(most)
    return list(connection.execute(statement.with_for_update(skip_locked=True)).scalars())


def apply(connection: Connection, run_id: int, ids: Sequence[int], steps: Sequence[float]) -> Applied:
    """Apply changes of one kind in the transaction of `connection`, if they wait still. `steps`: recheck.py's."""
    tombstones.respect(connection)
    statement = select(Staged.__table__).where(Staged.id.in_(ids), Staged.outcome.in_(APPLICABLE)).order_by(Staged.id)
    batch = connection.execute(statement.with_for_update()).mappings().all()
    if not batch:
        return Applied()
    done = _change(connection, batch) if batch[0]["outcome"] == "changed" else _add(connection, batch, steps)
    connection.execute(delete(Staged).where(Staged.id.in_([row["id"] for row in batch])))
    counted = {"applied": done.applied, "revised": done.revised, "skipped": done.skipped}
    connection.execute(
        update(Run).where(Run.id == run_id).values({name: getattr(Run, name) + n for name, n in counted.items()})
    )
    return done


def refuse(connection: Connection, staged_id: int, error: DBAPIError) -> Applied:
    """What the database does not take waits no longer, and is told of with the pages that have failed."""
    message = str(error.orig or error).strip().partition("\n")[0]
    values = {"outcome": "failed", "reason": f"store_refused: {message}"}
    refused = update(Staged).where(Staged.id == staged_id, Staged.outcome.in_(APPLICABLE)).values(values)
    told = connection.execute(refused.returning(Staged.article_id, Staged.page_id)).one_or_none()
    if told is None:  # another has applied it meanwhile
        return Applied()
    logger.error("the database refused %s: %s", told.article_id or f"page {told.page_id}", message)
    return Applied(refused=1)


def finish(connection: Connection, run_id: int) -> None:
    """All is applied, unless something waits still."""
    waits = select(Staged.id).where(Staged.run_id == run_id, Staged.outcome.in_(APPLICABLE)).exists()
    connection.execute(update(Run).where(Run.id == run_id, ~waits).values(applied_at=func.now()))


def _change(connection: Connection, batch: Sequence[RowMapping]) -> Applied:
    wanted = {row["article_id"]: row for row in batch}
    locked = select(*STORED).where(Article.id.in_(wanted)).order_by(Article.id).with_for_update(key_share=True)
    stored = connection.execute(locked).mappings().all()
    # After the lock: a crawl that has changed one of them meanwhile has stored its newer page with it.
    pages = pages_of(connection, stored)
    lessons: list[templates.Lesson] = []
    told: list[tuple[int, str]] = []
    done = Applied(skipped=len(batch) - len(stored))
    learned = {source: templates.learned(connection, source) for source in {row["source"] for row in stored}}
    for old in stored:
        staged, held = wanted[old["id"]], pages.get(old["id"])
        if held is not None and held.id != staged["page_id"]:
            done += Applied(skipped=1)
            continue
        new = _laid({**old, **_columns(staged["content"])}, learned[old["source"]])
        values, found = articles.renewed(old, new)
        if values and old["seen_at"] is None:
            values["seen_at"] = staged["fetched_at"]
        outcome = articles.renew(connection, old, values, found, "rules") if values else "unchanged"
        done += Applied(applied=1, revised=outcome == "updated")
        if outcome == "updated":
            lessons.append(_lesson(old["id"], {**old, **values}, new=False))
            told.append((old["id"], outcome))
    templates.learn(connection, lessons)
    notices.tell(connection, told)
    duplicates.learn(connection, [(article_id, None) for article_id, _ in told])  # last: its lock is everybody's
    return done


def _add(connection: Connection, batch: Sequence[RowMapping], steps: Sequence[float]) -> Applied:
    """Articles of pages that had given none. Where a crawl has stored one meanwhile, the newer page holds.

    What sets two pages apart is the publisher's doing, whoever has found it.
    """
    free = select(models.Url.id).where(models.Url.id.in_([row["url_id"] for row in batch]))
    free = free.where(models.Url.article_id.is_(None), models.Url.state != "leased")
    ids = set(connection.execute(free).scalars())
    chosen = [row for row in batch if row["url_id"] in ids]
    learned = {source: templates.learned(connection, source) for source in {row["source"] for row in chosen}}
    found = [made_of(_laid(_columns(row["content"]), learned[row["source"]])) for row in chosen]
    saved = articles.save(connection, found, [row["fetched_at"] for row in chosen])
    fresh = [(one.id, "new" if one.outcome == "new" else "updated") for one in saved if one.outcome in CHANGED]
    by_id = {one.id: article for one, article in zip(saved, found, strict=True)}
    lessons = [_lesson(one, articles.row_of(by_id[one]), new=outcome == "new") for one, outcome in fresh]
    templates.learn(connection, lessons)
    notices.tell(connection, fresh)
    aliases = _gave(connection, chosen, saved, found, steps)
    identity.merge(connection, aliases)
    duplicates.learn(connection, [(article_id, None) for article_id, _ in fresh])  # as above
    revised = sum(outcome == "updated" for _, outcome in fresh)
    number = sum(one.outcome != "older" for one in saved)
    return Applied(applied=number, revised=revised, skipped=len(batch) - number)


def _gave(
    connection: Connection,
    staged: Sequence[RowMapping],
    saved: Sequence[articles.Saved],
    found: Sequence[Any],
    steps: Sequence[float],
) -> list[identity.Alias]:
    """Tell the frontier; returns the other addresses of these pages."""
    given = {
        "pages": [row["page_id"] for row in staged],
        "instants": [row["fetched_at"] for row in staged],
        "urls": [row["url_id"] for row in staged],
    }
    urls = {row.id: row for row in connection.execute(_URLS, given)}
    rates = {source: learning.rates(connection, source) for source in {row["source"] for row in staged}}
    rows, aliases = [], []
    for row, one, article in sorted(zip(staged, saved, found, strict=True), key=lambda three: three[0]["url_id"]):
        if (url := urls.get(row["url_id"])) is None:
            continue
        published_at = article.published_at or row["fetched_at"]
        look = next_look(published_at, datetime.now(UTC), rates[row["source"]], salt=url.id, steps=steps)
        rows.append(
            {
                "url_id": url.id,
                "article_id": one.id,
                "published_at": published_at,
                "is_last": url.is_last,
                "state": OUTCOMES[article.page_type].state,
                "outcome": article.page_type,
                "step": look.step if look else None,
                "rest": look.rest if look else None,
            }
        )
        canonical = article.canonical_url
        if one.key == url_key(canonical) != url.key:
            aliases.append(identity.Alias(url_id=url.id, url=canonical, how="canonical", headline=article.headline))
    if rows:
        connection.execute(_GAVE, rows)
    return aliases


def _columns(content: Mapping[str, Any]) -> dict[str, Any]:
    """As the table has them."""
    instants = {name: datetime.fromisoformat(content[name]) for name in INSTANTS if content.get(name)}
    return {**content, **instants}


def _laid(row: Mapping[str, Any], template: Template) -> dict[str, Any]:
    """With the template as it is now: it may have learned since."""
    blocks = relaid(row["blocks"], row["headline"], template)
    body = body_of(blocks)
    return {**row, "blocks": blocks, "body": body, "word_count": len(body.split())}


def _lesson(article_id: int, row: Mapping[str, Any], *, new: bool) -> templates.Lesson:
    witness = Witness.of(row["headline"], kept_of(row["blocks"]))
    return templates.Lesson(article_id=article_id, source=row["source"], witness=witness, new=new)
