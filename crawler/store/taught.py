"""What a source has taught, for people: to look at, to forgive, to learn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, func, select, update

from crawler.errors import CrawlerError
from crawler.recurrence import Witness, rule_of
from crawler.store import cleaning, models, templates, tombstones
from crawler.store.articles import kept_of

BATCH = 200  # articles in one transaction
LEAST_DIGITS = 4  # of a hash that is typed
EVER = datetime(1970, 1, 1, tzinfo=UTC)
Article, Block = models.Article, models.BoilerplateBlock


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """An article that had the block."""

    id: int
    headline: str | None
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Taught:
    """A block that is learned or forgiven, and why: `evidence` are the first of the `articles` that had it."""

    key: str
    state: str
    text: str
    articles: int
    cleaned: int  # articles that were stored with it and do without it now
    evidence: tuple[Example, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    decided_at: datetime | None


def is_known(connection: Connection, source: str) -> bool:
    """Whether the source was ever crawled here."""
    return connection.execute(select(models.Source.id).where(models.Source.id == source)).scalar() is not None


def taught(connection: Connection, source: str) -> list[Taught]:
    """All that is decided of a source's blocks: learned first, the most frequent first."""
    order = (Block.state.desc(), Block.articles.desc(), Block.first_seen_at, Block.key)
    rows = connection.execute(select(Block.__table__).where(Block.source == source, templates.DECIDED).order_by(*order))
    found = rows.mappings().all()
    examples = _examples(connection, {article_id for row in found for article_id in row["evidence"]})
    return [
        Taught(
            key=row["key"],
            state=row["state"],
            text=row["sample"] or "",
            articles=row["articles"],
            cleaned=row["cleaned"],
            evidence=tuple(examples[one] for one in row["evidence"] if one in examples),
            first_seen_at=row["first_seen_at"],
            last_seen_at=row["last_seen_at"],
            decided_at=row["decided_at"],
        )
        for row in found
    ]


def _examples(connection: Connection, ids: set[int]) -> dict[int, Example]:
    statement = select(Article.id, Article.headline, Article.url).where(Article.id.in_(ids))
    return {row.id: Example(id=row.id, headline=row.headline, url=row.url) for row in connection.execute(statement)}


def forgive(engine: Engine, source: str, name: str) -> tuple[Taught, int]:
    """Never drop that block again, and put it back into the stored articles; returns it, and how many those are.

    `name`: its hash or the beginning of it, or the rule that a ledger shows. Raises CrawlerError for none, or several.
    """
    with engine.begin() as connection:
        _, now = templates.lock(connection, source)
        key = _named(taught(connection, source), source, name).key
        connection.execute(
            update(Block)
            .where(Block.source == source, Block.key == key, Block.state != "forgiven")
            .values(state="forgiven", decided_at=now, clean_from=Block.first_seen_at)
        )
    changed = cleaning.clean(engine, source)
    with engine.connect() as connection:
        return _named(taught(connection, source), source, key), changed


def _named(known: Sequence[Taught], source: str, name: str) -> Taught:
    start = name.strip().lower().removeprefix(rule_of(""))
    found = [one for one in known if len(start) >= LEAST_DIGITS and one.key.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CrawlerError(f"{name!r} may be any of {', '.join(one.key for one in found)}; write more of it")
    raise CrawlerError(f"{source} has learned no block {name!r}; `scrapy template {source}` shows those it has")


def relearn(engine: Engine, source: str) -> tuple[int, int]:
    """Learn the template anew from all stored articles and lay it over them; returns how many those are, and changed.

    What was forgiven stays forgiven.
    """
    with engine.begin() as connection:
        templates.forget(connection, source)
    read, after = 0, 0
    while True:
        with engine.begin() as connection:
            tombstones.respect(connection)
            lessons = _lessons(connection, source, after)
            templates.learn(connection, lessons)
        if not lessons:
            break
        read, after = read + len(lessons), lessons[-1].article_id
    return read, cleaning.clean(engine, source, since=EVER)


def _lessons(connection: Connection, source: str, after: int) -> list[templates.Lesson]:
    statement = (
        select(Article.id, Article.headline, Article.blocks, Article.stored_at)
        .where(Article.source == source, Article.id > after)
        .order_by(Article.id)
        .limit(BATCH)
    )
    return [
        templates.Lesson(
            article_id=row.id,
            source=source,
            witness=Witness.of(row.headline, kept_of(row.blocks)),
            new=True,
            at=row.stored_at,
        )
        for row in connection.execute(statement)
    ]


def stored(connection: Connection, source: str) -> int:
    """How many articles of the source there are."""
    return connection.execute(select(func.count()).where(Article.source == source)).scalar_one()
