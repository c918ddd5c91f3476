"""Stored articles as a stream of rows, for programs that take files instead of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from crawler.errors import ConfigurationError
from crawler.period import Period
from crawler.store import cursors, models
from crawler.store.cursors import Cursor

STREAMED = 200  # rows of a server-side cursor at a time
LEDGER = ("blocks", "evidence")  # as large as all the rest: only when asked for
COLUMNS = (
    "id", "source", "url", "canonical_url", "headline", "body", "authors", "published_at", "published_raw",
    "published_zone_assumed", "modified_at", "modified_raw", "language", "section", "tags", "description", "images",
    "is_accessible_for_free", "page_type", "page_type_confidence", "access", "confidence", "posts", "word_count",
    "revision", "stored_at", "updated_at", *LEDGER,
)  # fmt: skip
USUAL = tuple(name for name in COLUMNS if name not in LEDGER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which articles, by their source and `published_at`, and what of them. No `sources`: of all."""

    sources: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    columns: tuple[str, ...] = USUAL

    @property
    def asked(self) -> dict[str, Any]:
        """What a cursor notes of it."""
        given = {
            "source": sorted(self.sources),
            "since": self.period.since and self.period.since.isoformat(),
            "until": self.period.until and self.period.until.isoformat(),
        }
        return {name: value for name, value in given.items() if value}


def columns_of(raw: str | None) -> tuple[str, ...]:
    """`a,b,c` in that order; `all`; None: all but the ledger. Raises ConfigurationError for what is no column."""
    if raw is None:
        return USUAL
    if raw.strip() == "all":
        return COLUMNS
    names = tuple(dict.fromkeys(name.strip() for name in raw.split(",") if name.strip()))
    if unknown := [name for name in names if name not in COLUMNS] or ([] if names else ["nothing"]):
        raise ConfigurationError(f"--columns: no column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    return names


def articles(connection: Connection, selection: Selection, since: Cursor | None = None) -> Iterator[dict[str, Any]]:
    """The articles, by id. `since`: only what is new or changed since then. A few are in memory at a time.

    The connection's transaction is the snapshot that they come from.
    """
    article = models.Article
    statement = select(*(getattr(article, name) for name in selection.columns)).order_by(article.id)
    if selection.sources:
        statement = statement.where(article.source.in_(selection.sources))
    if selection.period.since:
        statement = statement.where(article.published_at >= selection.period.since)
    if selection.period.until:
        statement = statement.where(article.published_at < selection.period.until)
    if since is not None:
        statement = statement.where(cursors.since(since))
    for row in connection.execution_options(yield_per=STREAMED).execute(statement).mappings():
        yield dict(row)
