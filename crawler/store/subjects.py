"""The stored pages that a re-extraction looks at: which are asked for, by their ids, and each with what it gave."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true
from sqlalchemy import Select as Query
from sqlalchemy.dialects.postgresql import distinct_on

from crawler.period import Period
from crawler.store import models
from crawler.store.articles import STORED, Row
from crawler.store.reading import Held, pages_of

STREAMED = 10_000  # ids of a server-side cursor at a time
Article, Url, Page = models.Article, models.Url, models.Page


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

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """The same again, out of JSON's types."""
        since, until = (plain.get(name) and datetime.fromisoformat(plain[name]) for name in ("since", "until"))
        return cls(
            sources=tuple(plain.get("source", ())),
            period=Period(since=since or None, until=until or None),
            articles=tuple(plain.get("article", ())),
            articles_only=plain.get("articles_only", False),
            left_out=tuple(plain.get("left_out", ())),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A stored page to look at, and the stored article that it gave, if any; `held` is None when it is not stored."""

    position: int  # the article's id, or else the URL's
    source: str
    old: Row | None
    held: Held | None


def article_ids(connection: Connection, asked: Asked, after: int = 0, last: int | None = None) -> array[int]:
    """The articles to look at, by id: 8 bytes each, so that it is known how many are to come."""
    statement = select(Article.id).where(*_between(Article.id, after, last), *_of_sources(Article.source, asked))
    statement = statement.order_by(Article.id)
    if asked.articles:
        statement = statement.where(Article.id.in_(asked.articles))
    published, stored = Article.published_at, Article.stored_at
    undated = and_(published.is_(None), *_in_period(stored, asked.period))
    return _ids(connection, statement.where(or_(and_(true(), *_in_period(published, asked.period)), undated)))


def url_ids(connection: Connection, asked: Asked, after: int = 0, last: int | None = None) -> array[int]:
    """The pages that are stored and gave no article, by their URLs' ids."""
    if asked.articles or asked.articles_only:
        return array("q")
    is_stored = select(Page.id).where(Page.url_id == Url.id, Page.status < 400).exists()
    statement = (
        select(Url.id)
        .where(*_between(Url.id, after, last), Url.article_id.is_(None), is_stored, *_of_sources(Url.source, asked))
        .where(*_in_period(Url.fetched_at, asked.period))
        .order_by(Url.id)
    )
    return _ids(connection, statement)


def _between(column: Any, after: int, last: int | None) -> Iterator[ColumnElement[bool]]:
    yield column > after
    if last is not None:
        yield column <= last


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
