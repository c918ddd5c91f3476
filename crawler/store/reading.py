"""Stored articles read back as the values they were made of, and the raw page that each came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from sqlalchemy import Connection, RowMapping, Select, or_, select

from crawler.editions import Change, paragraphs_of
from crawler.errors import CrawlerError
from crawler.items import Article, Block, Candidate, Image, Page, Post
from crawler.period import Period
from crawler.store import models
from crawler.store.articles import COLUMNS, STORED
from crawler.store.dictionaries import unpacked
from crawler.urls import url_key

MAX_ID = 2**63 - 1
STREAMED = 20  # rows of a server-side cursor at a time: a page may have 10 MB
STORED_WITHIN = timedelta(hours=1)  # of its fetch, a version of an article: the database may have been away
T = TypeVar("T", Block, Image, Post, Change)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredArticle:
    """An article with what only the database knows of it."""

    id: int
    article: Article
    revision: int
    stored_at: datetime
    updated_at: datetime
    seen_at: datetime | None = None

    def is_older_than(self, page: Page) -> bool:
        """Whether this version was there before that page was fetched: it is made of another one."""
        return page.fetched_at > (self.seen_at or self.updated_at)


def article(connection: Connection, article_id: int) -> StoredArticle | None:
    """The article of that id."""
    if article_id > MAX_ID:
        return None
    return _first(connection, _articles().where(models.Article.id == article_id))


def article_at(connection: Connection, url: str) -> StoredArticle | None:
    """The article of that address, or of any other that leads to it."""
    key = url_key(url) or url
    aliased = select(models.UrlAlias.url_id).where(models.UrlAlias.key == key)
    fetched = select(models.Url.article_id).where(or_(models.Url.key == key, models.Url.id.in_(aliased)))
    own = or_(models.Article.key == key, models.Article.id.in_(fetched))
    return _first(connection, _articles().where(own).order_by(models.Article.id))


def find(connection: Connection, target: str) -> StoredArticle:
    """The article of an id or of an address, as people type it. Raises CrawlerError."""
    by_id = target.isascii() and target.isdigit()
    found = article(connection, int(target)) if by_id else article_at(connection, target)
    if found is None:
        raise CrawlerError(f"there is no stored article {f'with the id {target}' if by_id else f'from {target}'}")
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredEdit:
    """How a version became the next one: the paragraphs of both, and what `revisions` has of it."""

    revision: int  # of the version before
    stored_at: datetime
    replaced_at: datetime
    cause: str
    changed: tuple[str, ...]
    changes: tuple[Change, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]


def edits(connection: Connection, stored: StoredArticle) -> list[StoredEdit]:
    """All edits of an article, the oldest first."""
    revision = models.Revision
    statement = select(revision.__table__).where(revision.article_id == stored.id, revision.revision < stored.revision)
    rows = connection.execute(statement.order_by(revision.revision)).mappings().all()
    texts = [*(row["body"] for row in rows), stored.article.body]
    return [
        StoredEdit(
            revision=row["revision"],
            stored_at=row["stored_at"],
            replaced_at=row["replaced_at"],
            cause=row["cause"],
            changed=tuple(row["changed"]),
            changes=tuple(_made(Change, change) for change in row["diff"]),
            before=paragraphs_of(before),
            after=paragraphs_of(after),
        )
        for row, (before, after) in zip(rows, pairwise(texts), strict=True)
    ]


def raw_page(connection: Connection, article_id: int) -> Page | None:
    """The stored page that the article is made of, with what its feed had said of it; if it is gone, a later one."""
    article = models.Article
    statement = select(article.id, article.key, article.seen_at, article.updated_at).where(article.id == article_id)
    rows = connection.execute(statement).mappings().all()
    held = pages_of(connection, rows, or_any=True).get(article_id)
    return page(connection, held) if held else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A stored page, without its bytes."""

    id: int
    fetched_at: datetime
    url_id: int


def pages_of(connection: Connection, articles: Sequence[Mapping[Any, Any]], *, or_any: bool = False) -> dict[int, Held]:
    """The stored page that each of these articles (with id, key, seen_at and updated_at) is made of.

    Its own rather than another address's, and of these the newest. Not one that was fetched after this version: the
    crawl has seen that one too, and refused it, or it would be the version (it showed the beginning only, behind a
    paywall). Nor one from long before it, which is an earlier version's, where this one's month is gone. `or_any`:
    rather such a one than none.
    """
    known = {row["id"]: row for row in articles}
    page, url = models.Page, models.Url
    statement = (
        select(url.article_id, page.id, page.fetched_at, page.url_id, page.url, page.outcome)
        .join(url, url.id == page.url_id)
        .where(url.article_id.in_(known), page.status < 400)
        .order_by(page.fetched_at, page.id)
    )
    best: dict[int, tuple[tuple[bool, bool, bool], Held]] = {}
    for row in connection.execute(statement).mappings():
        article_id, article = row["article_id"], known[row["article_id"]]
        seen_at = article["seen_at"]
        is_own = row["fetched_at"] <= (seen_at or article["updated_at"])
        is_own = is_own and (seen_at is None or seen_at - row["fetched_at"] <= STORED_WITHIN)
        if not (is_own or or_any):
            continue
        rank = (is_own, row["outcome"] == "article", url_key(row["url"]) == article["key"])
        if article_id not in best or rank >= best[article_id][0]:
            best[article_id] = rank, Held(id=row["id"], fetched_at=row["fetched_at"], url_id=row["url_id"])
    return {article_id: held for article_id, (_, held) in best.items()}


def page(connection: Connection, held: Held) -> Page | None:
    """With its bytes; None when it was dropped meanwhile. Raises DamagedPage."""
    statement = (
        select(models.Page.__table__, models.Url.source, models.Url.found_in, models.Url.hints)
        .join(models.Url, models.Url.id == models.Page.url_id)
        .where(models.Page.fetched_at == held.fetched_at, models.Page.id == held.id)
    )
    row = connection.execute(statement).mappings().one_or_none()
    return _page(connection, row) if row else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which stored pages are asked for; no `sources`: of all."""

    sources: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    articles_only: bool = False


def pages_in(connection: Connection, wanted: Wanted) -> Iterator[Page]:
    """The stored pages, every version of each, in the order in which they were fetched. A few are in memory at a time.

    The connection's transaction is the snapshot that they come from.
    """
    page, url = models.Page, models.Url
    statement = (
        select(page.__table__, url.source, url.found_in, url.hints)
        .join(url, url.id == page.url_id)
        .order_by(page.fetched_at, page.id)
    )
    if wanted.sources:
        statement = statement.where(url.source.in_(wanted.sources))
    if wanted.period.since:
        statement = statement.where(page.fetched_at >= wanted.period.since)
    if wanted.period.until:
        statement = statement.where(page.fetched_at < wanted.period.until)
    if wanted.articles_only:
        statement = statement.where(page.outcome == "article")
    for row in connection.execution_options(yield_per=STREAMED).execute(statement).mappings():
        yield _page(connection, row)


def _articles() -> Select[Any]:
    return select(*STORED)


def _first(connection: Connection, statement: Select[Any]) -> StoredArticle | None:
    row = connection.execute(statement.limit(1)).mappings().one_or_none()
    if row is None:
        return None
    return StoredArticle(
        id=row["id"],
        article=made_of(row),
        revision=row["revision"],
        stored_at=row["stored_at"],
        updated_at=row["updated_at"],
        seen_at=row["seen_at"],
    )


def made_of(row: Mapping[Any, Any]) -> Article:
    """The article that a row's columns say."""
    values = {name: row[name] for name in COLUMNS}
    values["authors"], values["tags"] = tuple(row["authors"]), tuple(row["tags"])
    values["images"] = tuple(_made(Image, image) for image in row["images"])
    values["blocks"] = tuple(_made(Block, block) for block in row["blocks"])
    values["posts"] = tuple(_made(Post, _with_instant(post)) for post in row["posts"])
    return Article(**values)


def _made(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Keys that a later or earlier version of the program stored and this one does not know are left out."""
    known = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in stored.items() if name in known})


def _with_instant(post: Mapping[str, Any]) -> dict[str, Any]:
    published = post.get("published_at")
    return {**post, "published_at": datetime.fromisoformat(published) if published else None}


def _page(connection: Connection, row: RowMapping) -> Page:
    hints = row["hints"]
    published = hints.get("published_at")
    candidate = Candidate(
        url=row["url"],
        source=row["source"],
        found_in=row["found_in"],
        title=hints.get("title"),
        published_at=datetime.fromisoformat(published) if published else None,
    )
    return Page(
        url=row["url"],
        requested_url=row["url"],
        source=row["source"],
        status=row["status"],
        headers=row["headers"],
        html=unpacked(connection, row["html_zstd"], row["html_bytes"], row["dictionary_id"]),
        fetched_at=row["fetched_at"],
        candidate=candidate,
        url_id=row["url_id"],
    )
