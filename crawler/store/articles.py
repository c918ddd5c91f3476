"""Articles in, once each: new, updated with the earlier version kept, or unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler.items import Article
from crawler.recurrence import REASON
from crawler.store import models

Outcome = Literal["new", "updated", "unchanged", "older"]

# What a reader would call another version. Anything else (the ledger, the evidence) is refreshed without a revision.
CONTENT = ("headline", "body", "authors", "published_at", "is_accessible_for_free")
COLUMNS = [
    "source",
    "url",
    "canonical_url",
    "headline",
    "body",
    "authors",
    "published_at",
    "published_raw",
    "published_zone_assumed",
    "modified_at",
    "modified_raw",
    "language",
    "section",
    "tags",
    "description",
    "images",
    "is_accessible_for_free",
    "page_type",
    "page_type_confidence",
    "access",
    "confidence",
    "posts",
    "blocks",
    "evidence",
]
Row = Mapping[Any, Any]
Saved = tuple[int, Outcome]
Dated = tuple[Article, datetime | None]


def save(
    connection: Connection, articles: Sequence[Article], seen: Sequence[datetime | None] | None = None
) -> list[Saved]:
    """Store articles by canonical URL and return (id, outcome) of each, in order. Saving one twice changes nothing.

    `seen`: when each was fetched; what is older than the stored version changes nothing (`older`). None: just now. Two
    of one batch that share a canonical URL are saved one after the other, as they would be in two batches.
    """
    dated = list(zip(articles, seen or [None] * len(articles), strict=True))
    saved: dict[int, Saved] = {}
    waiting = list(range(len(articles)))
    while waiting:
        first: dict[str, int] = {}
        for index in waiting:
            first.setdefault(articles[index].canonical_url, index)
        saved |= _save_distinct(connection, {index: dated[index] for index in first.values()})
        waiting = [index for index in waiting if index not in saved]
    return [saved[index] for index in range(len(articles))]


def _save_distinct(connection: Connection, articles: Mapping[int, Dated]) -> dict[int, Saved]:
    stored = _stored(connection, [article.canonical_url for article, _ in articles.values()])
    rows = {i: {**row_of(article), "seen_at": at or datetime.now(UTC)} for i, (article, at) in articles.items()}
    saved = _insert(connection, {i: row for i, row in rows.items() if row["canonical_url"] not in stored})
    for index, (article, at) in articles.items():
        if old := stored.get(article.canonical_url):
            is_older = at is not None and at < (old["seen_at"] or old["updated_at"])
            saved[index] = (old["id"], "older") if is_older else _update(connection, old, rows[index])
    return saved


def _stored(connection: Connection, urls: Sequence[str]) -> dict[str, Row]:
    table = models.Article.__table__
    statement = (
        select(table)
        .where(models.Article.canonical_url.in_(urls))
        .order_by(models.Article.id)
        .with_for_update(key_share=True)
    )
    return {row["canonical_url"]: row for row in connection.execute(statement).mappings()}


def _insert(connection: Connection, rows: Mapping[int, dict[str, Any]]) -> dict[int, Saved]:
    """Insert what nobody else has inserted meanwhile; the others are left out, and the caller comes back to them."""
    if not rows:
        return {}
    by_url = {row["canonical_url"]: index for index, row in rows.items()}
    statement = (
        upsert(models.Article)
        .on_conflict_do_nothing(index_elements=["canonical_url"])
        .returning(models.Article.id, models.Article.canonical_url)
    )
    in_order = [rows[by_url[url]] for url in sorted(by_url)]  # as every other writer: no deadlock
    return {by_url[url]: (article_id, "new") for article_id, url in connection.execute(statement, in_order)}


def _update(connection: Connection, old: Row, new: dict[str, Any]) -> Saved:
    # The same article through another of its URLs: the first URL stays, so that nothing flips to and fro.
    new = {**new, "url": old["url"], "source": old["source"]}
    if _differ_by_template(new, old):  # which is no publisher's doing; cleaning.py sees to it
        new |= {name: old[name] for name in ("body", "blocks", "word_count")}
    differing = [name for name in new if new[name] != old[name]]
    if not differing:
        return old["id"], "unchanged"
    changed = [name for name in differing if name in CONTENT]
    values: dict[str, Any] = {name: new[name] for name in differing}
    if changed:
        connection.execute(insert(models.Revision).values(revision_of(old, changed)))
        values |= {"revision": old["revision"] + 1, "updated_at": func.now()}
    connection.execute(update(models.Article).where(models.Article.id == old["id"]).values(values))
    return old["id"], "updated" if changed else "unchanged"


def row_of(article: Article) -> dict[str, Any]:
    """The columns of an article."""
    row = {name: getattr(article, name) for name in COLUMNS}
    row["authors"], row["tags"] = list(article.authors), list(article.tags)
    row["images"] = [asdict(image) for image in article.images]
    row["posts"] = [_sparse(_plain(asdict(post))) for post in article.posts]
    row["blocks"] = [_sparse(asdict(block)) for block in article.blocks]
    row["word_count"] = len(article.body.split())
    return row


def kept_of(blocks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The texts of a ledger that are kept, or would be without its source's template."""
    return [block["text"] for block in blocks if block["kept"] or block.get("reason") == REASON]


def _differ_by_template(new: Row, old: Row) -> bool:
    """Whether one body lacks only what its source had taught by then, or had not."""
    differing = new["body"] != old["body"] and new["blocks"] != old["blocks"]
    return differing and kept_of(new["blocks"]) == kept_of(old["blocks"])


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What jsonb takes: instants as ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _sparse(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def revision_of(old: Row, changed: list[str]) -> dict[str, Any]:
    """The row that keeps a version which is about to be replaced."""
    content = {name: old[name] for name in COLUMNS if name not in ("headline", "body")}
    return {
        "article_id": old["id"],
        "revision": old["revision"],
        "headline": old["headline"],
        "body": old["body"],
        "content": _plain(content),
        "changed": changed,
        "stored_at": old["updated_at"],
    }
