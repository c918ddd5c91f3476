"""Runs of `scrapy reextract`: what is asked for, how far it has come, what it has found and is not applied yet.

A run looks at stored pages in the order of their articles' ids and then at those that gave none. What differs waits in
`reextracted`, so that it is seen before it is applied and nothing is extracted twice. What was found and how far the
run has come are committed together: after a kill -9 the same question goes on from there. A new question takes the
place of whatever was asked before.
"""

from __future__ import annotations

import json
import socket
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, text, true, update
from sqlalchemy import Select as Query
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler import __version__
from crawler.gains import Difference, difference
from crawler.period import Period
from crawler.store import models, tombstones
from crawler.store.articles import STORED, Row
from crawler.store.reading import Held, pages_of
from crawler.text import json_safe

LOCK = 7_305_116  # of pg_try_advisory_lock: one at a time in a database
STREAMED = 10_000  # ids of a server-side cursor at a time
LARGEST = 10
Article, Url, Page = models.Article, models.Url, models.Page
Run, Found, Staged = models.Reextraction, models.ReextractedSource, models.Reextracted

_TRY = text("SELECT pg_try_advisory_lock(:lock)")
_IS_RUNNING = text("""
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0 AND CAST(objid AS bigint) = :lock
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Which pages: of these sources (none named: all), of articles published then, or of these articles alone.

    What has no date was published when it was stored. `left_out`: sources that cannot be looked at now.
    """

    sources: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    articles: tuple[int, ...] = ()
    articles_only: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def plain(self) -> dict[str, Any]:
        """JSON's types, without what was not asked."""
        since, until = self.period.since, self.period.until
        given = {
            "source": sorted(self.sources),
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "article": sorted(self.articles),
            "articles_only": self.articles_only,
            "left_out": sorted(self.left_out),
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """A run: where it is to go on, and what it has found. `how` it came about: new, resumed or found whole."""

    id: int
    how: str
    started_at: datetime
    articles_done: int
    urls_done: int
    found: dict[str, Counter[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A stored page to look at, and the stored article that it gave, if any; `held` is None when it is not stored."""

    position: int  # the article's id, or else the URL's
    source: str
    old: Row | None
    held: Held | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What differs: a row of `reextracted`. `content`: columns, of a new article all."""

    subject: Subject
    outcome: str
    reason: str | None = None
    weight: int = 0
    content: Mapping[str, Any] = field(default_factory=dict)


def lock(connection: Connection) -> bool:
    """Be the only one for as long as the connection lives; False when another is."""
    return bool(connection.execute(_TRY, {"lock": LOCK}).scalar_one())


def is_running(connection: Connection) -> bool:
    """Whether a process holds that lock, on whatever machine."""
    return bool(connection.execute(_IS_RUNNING, {"lock": LOCK}).scalar_one())


# -- a run ------------------------------------------------------------------------------------------------------------


def begin(connection: Connection, asked: Asked, rules: str, *, anew: bool = False) -> Begun:
    """Go on with the last run if it was asked the same under the same rules, and is not applied; else begin one."""
    same = (Run.asked == json_safe(asked.plain), Run.rules == rules, Run.applied_at.is_(None))
    row = None if anew else connection.execute(select(Run.__table__).where(*same).order_by(Run.id.desc())).first()
    connection.execute(delete(Staged).where(Staged.run_id != (row.id if row else 0)))
    if row is not None:
        found = select(Found.source, Found.found).where(Found.run_id == row.id)
        return Begun(
            id=row.id,
            how="found" if row.finished_at else "resumed",
            started_at=row.started_at,
            articles_done=row.articles_done,
            urls_done=row.urls_done,
            found={source: Counter(counts) for source, counts in connection.execute(found)},
        )
    # What was asked before is not taken up again: its changes are gone.
    connection.execute(delete(Run).where(Run.applied_at.is_(None), Run.applied == 0))
    connection.execute(update(Run).where(Run.applied_at.is_(None)).values(applied_at=func.now()))
    values = {"asked": json_safe(asked.plain), "rules": rules, "version": __version__, "host": socket.gethostname()}
    made = connection.execute(insert(Run).values(values).returning(Run.id, Run.started_at)).one()
    return Begun(id=made.id, how="new", started_at=made.started_at, articles_done=0, urls_done=0, found={})


def article_ids(connection: Connection, asked: Asked, after: int) -> array[int]:
    """The articles to look at, by id: 8 bytes each, so that it is known how many are to come."""
    statement = select(Article.id).where(Article.id > after, *_of_sources(Article.source, asked)).order_by(Article.id)
    if asked.articles:
        statement = statement.where(Article.id.in_(asked.articles))
    published, stored = Article.published_at, Article.stored_at
    undated = and_(published.is_(None), *_in_period(stored, asked.period))
    return _ids(connection, statement.where(or_(and_(true(), *_in_period(published, asked.period)), undated)))


def url_ids(connection: Connection, asked: Asked, after: int) -> array[int]:
    """The pages that are stored and gave no article, by their URLs' ids."""
    if asked.articles or asked.articles_only:
        return array("q")
    is_stored = select(Page.id).where(Page.url_id == Url.id, Page.status < 400).exists()
    statement = (
        select(Url.id)
        .where(Url.id > after, Url.article_id.is_(None), is_stored, *_of_sources(Url.source, asked))
        .where(*_in_period(Url.fetched_at, asked.period))
        .order_by(Url.id)
    )
    return _ids(connection, statement)


def _of_sources(column: Any, asked: Asked) -> Iterator[ColumnElement[bool]]:
    if asked.sources:
        yield column.in_(asked.sources)
    if asked.left_out:
        yield column.not_in(asked.left_out)


def _in_period(column: Any, period: Period) -> Iterator[ColumnElement[bool]]:
    if period.since:
        yield column >= period.since
    if period.until:
        yield column < period.until


def _ids(connection: Connection, statement: Query[Any]) -> array[int]:
    return array("q", connection.execute(statement, execution_options={"yield_per": STREAMED}).scalars())


def of_articles(connection: Connection, ids: Sequence[int]) -> list[Subject]:
    """These articles as they are stored, each with its page."""
    rows = connection.execute(select(*STORED).where(Article.id.in_(ids)).order_by(Article.id)).mappings().all()
    pages = pages_of(connection, rows)
    return [Subject(position=row["id"], source=row["source"], old=row, held=pages.get(row["id"])) for row in rows]


def of_urls(connection: Connection, ids: Sequence[int]) -> list[Subject]:
    """The newest stored page of each."""
    statement = (
        select(Url.id, Url.source, Page.id.label("page_id"), Page.fetched_at)
        .join(Page, Page.url_id == Url.id)
        .where(Url.id.in_(ids), Url.article_id.is_(None), Page.status < 400)
        .ext(distinct_on(Url.id))
        .order_by(Url.id, Page.fetched_at.desc())
    )
    return [
        Subject(
            position=row.id,
            source=row.source,
            old=None,
            held=Held(id=row.page_id, fetched_at=row.fetched_at, url_id=row.id),
        )
        for row in connection.execute(statement)
    ]


def is_stored(connection: Connection, key: str) -> bool:
    """Whether there is an article of that key."""
    return connection.execute(select(Article.id).where(Article.key == key)).scalar() is not None


def note(
    connection: Connection, run_id: int, changes: Sequence[Change], found: Mapping[str, Counter[str]], **done: int
) -> None:
    """What was found since the last time, all that was counted of these sources, and how far the run has come."""
    tombstones.respect(connection)
    held = {one.subject.held.url_id for one in changes if one.subject.held}
    there = set(connection.execute(select(Url.id).where(Url.id.in_(held))).scalars()) if held else set()
    rows = [_row(run_id, one) for one in changes if one.subject.held and one.subject.held.url_id in there]
    if rows:  # what was forgotten meanwhile is not there
        connection.execute(insert(Staged), rows)
    for source in sorted(found):
        given = upsert(Found).values(run_id=run_id, source=source, found=dict(found[source]))
        connection.execute(
            given.on_conflict_do_update(index_elements=["run_id", "source"], set_={"found": given.excluded.found})
        )
    connection.execute(update(Run).where(Run.id == run_id).values(done))


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


def finish(connection: Connection, run_id: int) -> None:
    """All was looked at."""
    connection.execute(update(Run).where(Run.id == run_id, Run.finished_at.is_(None)).values(finished_at=func.now()))


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


def waiting(connection: Connection, run_id: int) -> Counter[str]:
    """How many changes are not applied, by outcome."""
    counted = select(Staged.outcome, func.count()).where(Staged.run_id == run_id).group_by(Staged.outcome)
    return Counter(dict(connection.execute(counted).all()))


def largest(connection: Connection, run_id: int) -> list[Example]:
    """The changes of most words that are not applied."""
    statement = (
        select(Staged.article_id, Staged.source, Staged.content, Page.url)
        .outerjoin(Page, (Page.id == Staged.page_id) & (Page.fetched_at == Staged.fetched_at))
        .where(Staged.run_id == run_id, Staged.outcome.in_(("changed", "new")), Staged.weight > 0)
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
