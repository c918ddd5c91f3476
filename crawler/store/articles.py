"""Articles in, once each: new, updated with the earlier version kept, or unchanged.

An article's identity is the key of its canonical URL (`urls.url_key`). Publishers err: where a page names another one
as canonical whose text it does not share, the two are two articles, and the page is filed under its own address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler.items import Article
from crawler.recurrence import REASON
from crawler.store import models
from crawler.text import key as text_key
from crawler.urls import url_key

Outcome = Literal["new", "updated", "unchanged", "older"]
Cause = Literal["publisher", "rules"]  # who changed an article: its publisher, or we who read its page anew

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
IDENTITY = ("source", "url", "canonical_url", "key")
STORED = tuple(column for column in models.Article.__table__.columns if column.computed is None)
MIN_SHARED = 8  # words of a line that two versions of one article share
REFUSED = "refused:another-article"
Row = Mapping[Any, Any]


class Saved(NamedTuple):
    """What became of an article, and the key that it is filed under."""

    id: int
    outcome: Outcome
    key: str


def save(
    connection: Connection,
    articles: Sequence[Article],
    seen: Sequence[datetime | None] | None = None,
    cause: Cause = "publisher",
) -> list[Saved]:
    """Store articles by key and return (id, outcome) of each, in order. Saving one twice changes nothing.

    `seen`: when each was fetched; what is older than the stored version changes nothing (`older`). None: just now. Two
    of one batch that share a key are saved one after the other, as they would be in two batches.
    """
    now, captured = datetime.now(UTC), dict(enumerate(seen or ()))
    rows = {index: {**row_of(article), "seen_at": captured.get(index) or now} for index, article in enumerate(articles)}
    saved: dict[int, Saved] = {}
    while len(saved) < len(rows):
        first: dict[str, int] = {}
        for index, row in rows.items():
            if index not in saved:
                first.setdefault(row["key"], index)
        saved |= _save_distinct(connection, {index: rows[index] for index in first.values()}, captured, cause)
    return [saved[index] for index in range(len(articles))]


def _save_distinct(
    connection: Connection, rows: Mapping[int, dict[str, Any]], captured: Mapping[int, datetime | None], cause: Cause
) -> dict[int, Saved]:
    """What is refused the key that it claims is left out with a key of its own, and the caller comes back to it."""
    stored = _stored(connection, [row["key"] for row in rows.values()])
    known = _known_until(connection, stored.values()) if any(captured.get(index) for index in rows) else {}
    fresh: dict[int, dict[str, Any]] = {}
    saved: dict[int, Saved] = {}
    for index, row in rows.items():
        old = stored.get(row["key"])
        if old is None:
            fresh[index] = row
        elif not _is_another(row, old):
            if captured.get(index) and row["seen_at"] < known[old["id"]]:
                saved[index] = Saved(old["id"], "older", old["key"])
            else:
                saved[index] = _update(connection, old, row, cause)
        elif _is_own(row, row["key"]):
            if not _moved(connection, old):
                saved[index] = _update(connection, old, row, cause)
        else:
            row |= {"key": url_key(row["url"]), "canonical_url": row["url"]}
            row["evidence"] = {**row["evidence"], "canonical_url": REFUSED}
    return saved | _insert(connection, fresh)


def _known_until(connection: Connection, stored: Iterable[Row]) -> dict[int, datetime]:
    """When each of these articles was last seen to be as it is stored, by whichever of its addresses."""
    seen: dict[int, datetime] = {row["id"]: row["seen_at"] or row["updated_at"] for row in stored}
    url = models.Url
    looks = select(url.article_id, func.max(url.fetched_at)).where(
        url.article_id.in_(seen), url.state.in_(("fetched", "unchanged"))
    )
    for article_id, at in connection.execute(looks.group_by(url.article_id)):
        if article_id is not None and at is not None:
            seen[article_id] = max(seen[article_id], at)
    return seen


def _is_own(row: Row, key: str) -> bool:
    """Whether a page was fetched under the address that is its key."""
    return url_key(row["url"]) == key


def _is_another(new: Row, old: Row) -> bool:
    """Whether two pages that name one canonical URL tell two stories."""
    if url_key(new["url"]) == url_key(old["url"]) or _named_alike(new, old):
        return False
    return _lines(new["body"]).isdisjoint(_lines(old["body"]))


def _named_alike(new: Row, old: Row) -> bool:
    return text_key(new["headline"] or "") == text_key(old["headline"] or "")


def _moved(connection: Connection, old: Row) -> bool:
    """File an article that held another's key under its own, if that is free."""
    own = url_key(old["url"])
    taken = select(models.Article.id).where(models.Article.key == own).exists()
    statement = (
        update(models.Article)
        .where(models.Article.id == old["id"], ~taken)
        .values(key=own, canonical_url=old["url"], evidence={**old["evidence"], "canonical_url": REFUSED})
    )
    return connection.execute(statement).rowcount == 1


def _lines(body: str) -> set[str]:
    return {text_key(line) for line in body.split("\n") if len(line.split()) >= MIN_SHARED or not line.isascii()}


def _stored(connection: Connection, keys: Sequence[str]) -> dict[str, Row]:
    statement = (
        select(*STORED).where(models.Article.key.in_(keys)).order_by(models.Article.id).with_for_update(key_share=True)
    )
    return {row["key"]: row for row in connection.execute(statement).mappings()}


def _insert(connection: Connection, rows: Mapping[int, dict[str, Any]]) -> dict[int, Saved]:
    """Insert what nobody else has inserted meanwhile; the others are left out, and the caller comes back to them."""
    if not rows:
        return {}
    by_key = {row["key"]: index for index, row in rows.items()}
    statement = (
        upsert(models.Article)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(models.Article.id, models.Article.key)
    )
    in_order = [rows[by_key[key]] for key in sorted(by_key)]  # as every other writer: no deadlock
    return {by_key[key]: Saved(article_id, "new", key) for article_id, key in connection.execute(statement, in_order)}


def _update(connection: Connection, old: Row, new: dict[str, Any], cause: Cause) -> Saved:
    if _is_own(old, old["key"]) and not _is_own(new, old["key"]):
        return Saved(old["id"], "unchanged", old["key"])  # a print version, page 2: the canonical page itself is held
    if not _is_own(new, old["key"]):  # through another of its addresses: the first stays, so that nothing flips
        new = {**new, "url": old["url"], "canonical_url": old["canonical_url"]}
    elif _is_own(old, old["key"]):
        new = {**new, "url": old["url"]}
    new = {**new, "source": old["source"]}
    if _differ_by_template(new, old):  # which is no publisher's doing; cleaning.py sees to it
        new |= {name: old[name] for name in ("body", "blocks", "word_count")}
    differing = [name for name in new if new[name] != old[name]]
    if not differing or differing == ["seen_at"]:
        return Saved(old["id"], "unchanged", old["key"])
    return Saved(old["id"], renew(connection, old, {name: new[name] for name in differing}, cause), old["key"])


def renew(connection: Connection, old: Row, values: Mapping[str, Any], cause: Cause) -> Outcome:
    """Change these columns of a stored article; the version that was is kept if a reader would call this another."""
    changed = [name for name in values if name in CONTENT]
    new: dict[str, Any] = dict(values)
    if changed:
        connection.execute(insert(models.Revision).values(revision_of(old, changed, cause)))
        new |= {"revision": old["revision"] + 1, "updated_at": func.now()}
    connection.execute(update(models.Article).where(models.Article.id == old["id"]).values(new))
    return "updated" if changed else "unchanged"


def renewed(old: Row, new: Row) -> dict[str, Any]:
    """The columns of a stored article that differ in what is made of its own page now (see `row_of`).

    It stays the article that it is, whatever address the page is found to name.
    """
    evidence = dict(new["evidence"])
    if any(new[name] != old[name] for name in IDENTITY):
        evidence.pop("canonical_url", None)
        evidence |= {name: told for name, told in old["evidence"].items() if name == "canonical_url"}
    now = {**new, **{name: old[name] for name in IDENTITY}, "evidence": evidence}
    if _differ_by_template(now, old):
        now |= {name: old[name] for name in ("body", "blocks", "word_count")}
    return {name: now[name] for name in now if now[name] != old[name]}


def row_of(article: Article) -> dict[str, Any]:
    """The columns of an article."""
    row = {name: getattr(article, name) for name in COLUMNS}
    row["key"] = url_key(article.canonical_url) or article.canonical_url
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


def revision_of(old: Row, changed: list[str], cause: Cause) -> dict[str, Any]:
    """The row that keeps a version which is about to be replaced."""
    by = {"cause": cause} if "cause" in models.Revision.__table__.columns else {}
    content = {name: old[name] for name in COLUMNS if name not in ("headline", "body")}
    return {
        "article_id": old["id"],
        "revision": old["revision"],
        "headline": old["headline"],
        "body": old["body"],
        "content": _plain(content),
        "changed": changed,
        "stored_at": old["updated_at"],
        **by,
    }
