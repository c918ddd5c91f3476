"""Articles in, once each: new, updated with the earlier version kept, or unchanged.

An article's identity is the key of its canonical URL (`urls.url_key`). Publishers err: where a page names another one
as canonical whose text it does not share, the two are two articles, and the page is filed under its own address.

What makes another version is decided by `editions`. Where nothing but noise sets two texts apart, the stored one stays
with its blocks: body, blocks and search go on to agree, and what changes little by little is held against what it was.
A page that shows only the beginning of what is stored leaves it whole; `evidence` says that it was seen so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from crawler.editions import FIELDS, Cause, Comparison, Edition, compare, flickers
from crawler.items import Article, Block, Post
from crawler.recurrence import REASON
from crawler.store import models
from crawler.text import key as text_key
from crawler.urls import url_key

# `reread`: the page is what it was, and our rules see it otherwise now; there is a revision, which is no edit.
Outcome = Literal["new", "updated", "reread", "unchanged", "older"]

CONTENT: Final = FIELDS  # what can make a revision; anything else (the ledger, the evidence) is refreshed without one
COMPARED = frozenset(("headline", "body", "blocks", "authors", "published_at", "access", "is_accessible_for_free"))
TEXT = ("body", "blocks", "posts", "word_count", "confidence")
SEEN_WHOLE = ("access", "page_type", "page_type_confidence", "seen_at")  # what else belongs to the text
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
        saved |= _save_distinct(connection, {index: rows[index] for index in first.values()}, captured)
    return [saved[index] for index in range(len(articles))]


def _save_distinct(
    connection: Connection,
    rows: Mapping[int, dict[str, Any]],
    captured: Mapping[int, datetime | None],
) -> dict[int, Saved]:
    """What is refused the key that it claims is left out with a key of its own, and the caller comes back to it."""
    stored = _stored(connection, [row["key"] for row in rows.values()])
    aged = any(captured.get(index) for index in rows)
    known = _known_until(connection, stored.values()) if aged else {}
    fresh: dict[int, dict[str, Any]] = {}
    saved: dict[int, Saved] = {}
    for index, row in rows.items():
        old = stored.get(row["key"])
        if old is None:
            fresh[index] = row
        elif not _is_another(row, old):
            if aged and captured.get(index) and row["seen_at"] < known[old["id"]]:
                saved[index] = Saved(old["id"], "older", old["key"])
            else:
                saved[index] = _update(connection, old, row)
        elif _is_own(row, row["key"]):
            if not _moved(connection, old):
                saved[index] = _update(connection, old, row)
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


def _update(connection: Connection, old: Row, new: dict[str, Any]) -> Saved:
    if _is_own(old, old["key"]) and not _is_own(new, old["key"]):
        return Saved(old["id"], "unchanged", old["key"])  # a print version, page 2: the canonical page itself is held
    if not _is_own(new, old["key"]):  # through another of its addresses: the first stays, so that nothing flips
        new = {**new, "url": old["url"], "canonical_url": old["canonical_url"]}
    elif _is_own(old, old["key"]):
        new = {**new, "url": old["url"]}
    new = {**new, "source": old["source"]}
    found, differing = Comparison(), _differing(new, old)
    if not COMPARED.isdisjoint(differing):
        found = compare(Edition.of(old), Edition.of(new))
        if held := _held(old, new, found):
            new |= held
            differing = _differing(new, old)
    if not differing or differing == ["seen_at"]:
        return Saved(old["id"], "unchanged", old["key"])
    values = {name: new[name] for name in differing}
    return Saved(old["id"], renew(connection, old, values, found, "publisher"), old["key"])


def _differing(new: Row, old: Row) -> list[str]:
    return [name for name in new if new[name] != old[name]]


def _held(old: Row, new: Row, found: Comparison) -> dict[str, Any]:
    """What of the stored version stays, whatever the new one has. Its ledger notes what the new one corrects."""
    if not found.text_stays:
        return {}
    notes = [one.after for one in found.changes if one.field == "correction"]
    beside = [{"kind": "paragraph", "text": text, "kept": False, "reason": "outside"} for text in notes]
    text = {name: old[name] for name in TEXT} | {"blocks": [*old["blocks"], *beside]}
    if not found.cut:
        return text
    of_text = {name: old["evidence"][name] for name in ("body", "page_type") if name in old["evidence"]}
    evidence = {**new["evidence"], **of_text, "access": found.cut}
    return text | {name: old[name] for name in SEEN_WHOLE} | {"evidence": evidence}


def renew(connection: Connection, old: Row, values: Mapping[str, Any], found: Comparison, cause: Cause) -> Outcome:
    """Change these columns of a stored article; the version that was is kept if `found` calls this another."""
    new: dict[str, Any] = dict(values)
    if found.changed:
        connection.execute(insert(models.Revision).values(revision_of(old, found)))
        new |= {"revision": old["revision"] + 1, "updated_at": func.now()}
    connection.execute(update(models.Article).where(models.Article.id == old["id"]).values(new))
    if not found.changed:
        return "unchanged"
    return "updated" if found.cause == cause else "reread"


def renewed(old: Row, new: Row) -> tuple[dict[str, Any], Comparison]:
    """The columns of a stored article that differ in what is made of its own page now (see `row_of`), and how.

    It stays the article that it is, whatever address the page is found to name. Where the stored text has outlived
    other counters or teasers (see `editions`), it outlives those of the page as well; and a page that shows only the
    beginning of it, when the whole one is no longer kept.
    """
    evidence = dict(new["evidence"])
    if any(new[name] != old[name] for name in IDENTITY):
        evidence.pop("canonical_url", None)
        evidence |= {name: told for name, told in old["evidence"].items() if name == "canonical_url"}
    now = {**new, **{name: old[name] for name in IDENTITY}, "evidence": evidence}
    if flickers(Edition.of(old), Edition.of(now)):
        now |= {name: old[name] for name in TEXT}
    found = compare(Edition.of(old), Edition.of(now), ours=True)
    now |= _held(old, now, found)
    return {name: now[name] for name in _differing(now, old)}, found


def row_of(article: Article) -> dict[str, Any]:
    """The columns of an article."""
    row = {name: getattr(article, name) for name in COLUMNS}
    row["key"] = url_key(article.canonical_url) or article.canonical_url
    row["authors"], row["tags"] = list(article.authors), list(article.tags)
    row["images"] = [asdict(image) for image in article.images]
    row["posts"] = [_plain(_sparse(post)) for post in article.posts]
    row["blocks"] = [_sparse(block) for block in article.blocks]
    row["word_count"] = len(article.body.split())
    return row


def kept_of(blocks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The texts of a ledger that are kept, or would be without its source's template."""
    return [block["text"] for block in blocks if block["kept"] or block.get("reason") == REASON]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """What jsonb takes: instants as ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _sparse(record: Block | Post) -> dict[str, Any]:
    """Its fields that are set; a tenth of what asdict() takes, which copies every value."""
    return {name: value for name in type(record).__slots__ if (value := getattr(record, name)) is not None}


def revision_of(old: Row, found: Comparison) -> dict[str, Any]:
    """The row that keeps a version which is about to be replaced."""
    content = {name: old[name] for name in COLUMNS if name not in ("headline", "body")}
    return {
        "article_id": old["id"],
        "revision": old["revision"],
        "headline": old["headline"],
        "body": old["body"],
        "content": _plain(content),
        "changed": list(found.changed),
        "cause": found.cause,
        "diff": [change.plain() for change in found.changes],
        "stored_at": old["updated_at"],
    }
