"""What each source's template is: learned while its articles are stored, at a bounded cost for each.

A block that an article keeps leaves a row with its key and the article's id. An article that has it too is held
against those: when it is no version of theirs it is evidence, and what evidence it takes, `recurrence` says. Rows that
found no second article are pruned. Whoever writes a source's rows holds its lock, and takes it after the articles' own
locks, so two runs of one source wait for each other here and never in a circle.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from crawler.recurrence import BASE, INSIDE, WITNESSES, Template, Witness, unrelated, versions
from crawler.store import models
from crawler.store.articles import kept_of

LOCK = 7_305_114  # the first key of pg_advisory_xact_lock(int, int)
MAX_EVIDENCE = 8  # articles that are named for a block; further ones are only counted
SEEN_FOR = timedelta(days=30)  # without a second witness
MOST_SEEN = 20_000  # rows of a source that wait for a second witness
Block = models.BoilerplateBlock
DECIDED = text("state <> 'seen'")  # as the index on it says


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """A stored article as it teaches. `at`: since when it has stood so, if not since now."""

    article_id: int
    source: str
    witness: Witness
    new: bool  # stored for the first time
    at: datetime | None = None


@dataclass(kw_only=True, slots=True)
class _Row:
    """A row of `boilerplate_blocks` that is being written."""

    source: str
    key: str
    state: str
    sample: str | None
    articles: int
    evidence: list[int]
    first_seen_at: datetime
    last_seen_at: datetime
    decided_at: datetime | None = None
    clean_from: datetime | None = None


_COLUMNS = [field.name for field in fields(_Row)]
_LOCK = text("SELECT pg_advisory_xact_lock(:lock, key) FROM unnest(CAST(:keys AS integer[])) AS key")
_ROWS = text(f"""
SELECT {", ".join(f"b.{name}" for name in _COLUMNS)}
FROM unnest(CAST(:sources AS text[]), CAST(:keys AS text[])) AS given(source, key)
JOIN boilerplate_blocks b USING (source, key)
""")  # noqa: S608 (names of our own)
_SAVE = text("""
INSERT INTO boilerplate_blocks AS b (source, key, state, sample, articles, evidence, first_seen_at, last_seen_at,
                                     decided_at, clean_from)
SELECT r.* FROM jsonb_to_recordset(:rows)
    AS r(source text, key text, state text, sample text, articles int, evidence jsonb, first_seen_at timestamptz,
         last_seen_at timestamptz, decided_at timestamptz, clean_from timestamptz)
ON CONFLICT (source, key) DO UPDATE SET
    state = excluded.state, sample = excluded.sample, articles = excluded.articles, evidence = excluded.evidence,
    last_seen_at = excluded.last_seen_at, decided_at = excluded.decided_at, clean_from = excluded.clean_from
""").bindparams(bindparam("rows", type_=JSONB))

_ON_MOST = text("""
SELECT r.key FROM jsonb_to_recordset(:rows) AS r(key text, articles int)
WHERE 2 * r.articles >= (SELECT count(*) FROM (
    SELECT FROM articles WHERE source = :source LIMIT 2 * r.articles + 1) AS counted)
""").bindparams(bindparam("rows", type_=JSONB))

# Since a block was first seen: a prompt that is new to a source counts as soon as one of long standing.
_ON_MANY = text("""
SELECT r.key FROM jsonb_to_recordset(:rows) AS r(key text, articles int, since timestamptz)
WHERE :inside * r.articles >= greatest(:base, (SELECT count(*) FROM (
    SELECT FROM articles WHERE source = :source AND updated_at >= r.since LIMIT :inside * r.articles + 1) AS counted))
""").bindparams(bindparam("rows", type_=JSONB))

_LEARNED_SINCE = text("""
SELECT count(*) FROM boilerplate_blocks WHERE source = :source AND state = 'learned'
    AND decided_at >= (SELECT started_at FROM crawls WHERE id = :crawl)
""")
_PRUNE = text("""
DELETE FROM boilerplate_blocks WHERE source = :source AND state = 'seen' AND (
    last_seen_at < now() - :seen_for
    OR key IN (SELECT key FROM boilerplate_blocks WHERE source = :source AND state = 'seen'
               ORDER BY last_seen_at DESC, key OFFSET :most))
""")


def lock(connection: Connection, *sources: str) -> tuple[datetime, datetime]:
    """Hold the sources' templates until the transaction ends; returns when that began, and the time."""
    keys = sorted({zlib.crc32(source.encode()) - (1 << 31) for source in sources})  # in the order of every other writer
    connection.execute(_LOCK, {"lock": LOCK, "keys": keys})
    began, now = connection.execute(text("SELECT now(), clock_timestamp()")).one()
    return began, now


def learned(connection: Connection, source: str) -> Template:
    """What a source has taught so far."""
    return Template.of(_learned_keys(connection, [source])[source])


def _learned_keys(connection: Connection, sources: Collection[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {source: set() for source in sources}
    statement = select(Block.source, Block.key).where(Block.source.in_(found), DECIDED, Block.state == "learned")
    for source, key in connection.execute(statement):
        found[source].add(key)
    return found


def learn(connection: Connection, lessons: Sequence[Lesson]) -> None:
    """Take in what stored articles teach. The same article twice teaches nothing more."""
    by_source: dict[str, list[Lesson]] = {}
    for lesson in lessons:
        if lesson.witness.blocks:
            by_source.setdefault(lesson.source, []).append(lesson)
    if not by_source:
        return
    began, now = lock(connection, *by_source)
    rows = _rows(connection, {(one.source, key) for one in lessons for key in one.witness.blocks})
    ids = {article_id for row in rows.values() if row.state == "seen" for article_id in row.evidence}
    witnesses = _witnesses(connection, ids) | {lesson.article_id: lesson.witness for lesson in lessons}
    known = _learned_keys(connection, by_source)
    changed: list[_Row] = []
    for source, its_lessons in by_source.items():
        classroom = _Classroom(source, rows, witnesses, known[source], now)
        for lesson in its_lessons:
            classroom.teach(lesson, lesson.at or began)
        for row in (*_on_most(connection, source, classroom.open()), *_on_many(connection, source, classroom.inside())):
            classroom.decide(row)
        changed += classroom.changed.values()
    _save(connection, changed)


class _Classroom:
    """The rows of one source and what is done to them by one article after the other."""

    def __init__(
        self,
        source: str,
        rows: dict[tuple[str, str], _Row],
        witnesses: Mapping[int, Witness],
        known: Collection[str],
        now: datetime,
    ) -> None:
        self.source, self.rows, self.witnesses, self.learned, self.now = source, rows, witnesses, set(known), now
        self.changed: dict[str, _Row] = {}

    def teach(self, lesson: Lesson, at: datetime) -> None:
        versions_of_it: dict[int, bool] = {}
        for key, block in lesson.witness.blocks.items():
            row = self.rows.get((self.source, key))
            if row is None:
                row = self.first(key, lesson.article_id, at)
                self.rows[self.source, key] = self.changed[key] = row
            elif lesson.article_id not in row.evidence:
                if row.state == "seen":
                    for other in row.evidence:
                        if other not in versions_of_it:
                            versions_of_it[other] = self.is_version(lesson, other)
                    if any(versions_of_it[other] for other in row.evidence):
                        continue
                self.count(row, lesson, block, at)

    def first(self, key: str, article_id: int, at: datetime) -> _Row:
        """The row of a block that was never seen before."""
        return _Row(
            source=self.source,
            key=key,
            state="seen",
            sample=None,
            articles=1,
            evidence=[article_id],
            first_seen_at=at,
            last_seen_at=at,
        )

    def is_version(self, lesson: Lesson, other: int) -> bool:
        witness = self.witnesses.get(other)
        return witness is not None and versions(lesson.witness, witness, self.learned)

    def count(self, row: _Row, lesson: Lesson, block: str, at: datetime) -> None:
        new_evidence = len(row.evidence) < MAX_EVIDENCE
        if new_evidence:
            row.evidence.append(lesson.article_id)
        elif not lesson.new:
            return  # it may have been counted before
        row.articles += 1
        row.sample = row.sample or block
        row.first_seen_at, row.last_seen_at = min(row.first_seen_at, at), max(row.last_seen_at, at)
        self.changed[row.key] = row
        if row.state == "seen" and new_evidence and self.is_proven(row):
            self.decide(row)

    def is_proven(self, row: _Row, *, anywhere: bool = False) -> bool:
        """By different stories, at the edge of whose texts it stands, or `anywhere`."""
        known = [self.witnesses[one] for one in row.evidence if one in self.witnesses]
        return unrelated((one for one in known if anywhere or row.key in one.edges), WITNESSES)

    def decide(self, row: _Row) -> None:
        row.state, row.decided_at, row.clean_from = "learned", self.now, row.first_seen_at
        self.learned.add(row.key)

    def open(self) -> list[_Row]:
        """What was seen often enough by now at the edges of texts, but on articles of one story."""
        return [row for row in self.changed.values() if row.state == "seen" and self.number_at_edges(row) >= WITNESSES]

    def inside(self) -> list[_Row]:
        """What different stories have, but within their texts."""
        rows = [row for row in self.changed.values() if row.state == "seen" and INSIDE * row.articles >= BASE]
        return [row for row in rows if self.is_proven(row, anywhere=True)]

    def number_at_edges(self, row: _Row) -> int:
        return sum(row.key in self.witnesses[one].edges for one in row.evidence if one in self.witnesses)


def _rows(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], _Row]:
    given = {"sources": [source for source, _ in keys], "keys": [key for _, key in keys]}
    found = [_Row(**row) for row in connection.execute(_ROWS, given).mappings()]
    return {(row.source, row.key): row for row in found}


def _on_most(connection: Connection, source: str, rows: Sequence[_Row]) -> list[_Row]:
    """Those that at least half of the source's articles have."""
    if not rows:
        return []
    given = [{"key": row.key, "articles": row.articles} for row in rows]
    keys = set(connection.execute(_ON_MOST, {"source": source, "rows": given}).scalars())
    return [row for row in rows if row.key in keys]


def _on_many(connection: Connection, source: str, rows: Sequence[_Row]) -> list[_Row]:
    """Those that a good part of the source's articles have, of those that came since each was first seen."""
    if not rows:
        return []
    given = [{"key": row.key, "articles": row.articles, "since": row.first_seen_at.isoformat()} for row in rows]
    found = connection.execute(_ON_MANY, {"source": source, "rows": given, "inside": INSIDE, "base": BASE})
    keys = set(found.scalars())
    return [row for row in rows if row.key in keys]


def _witnesses(connection: Connection, ids: Collection[int]) -> dict[int, Witness]:
    if not ids:
        return {}
    article = models.Article
    statement = select(article.id, article.headline, article.blocks).where(article.id.in_(ids))
    return {
        article_id: Witness.of(headline, kept_of(blocks))
        for article_id, headline, blocks in connection.execute(statement)
    }


def _save(connection: Connection, rows: Iterable[_Row]) -> None:
    given = [{name: _plain(getattr(row, name)) for name in _COLUMNS} for row in rows]
    if given:
        connection.execute(_SAVE, {"rows": given})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def learned_since(connection: Connection, source: str, crawl_id: int) -> int:
    """How many blocks were learned since that run began."""
    return int(connection.execute(_LEARNED_SINCE, {"source": source, "crawl": crawl_id}).scalar_one())


def prune(connection: Connection, source: str) -> int:
    """Forget what found no second witness; returns how many rows."""
    lock(connection, source)
    return connection.execute(_PRUNE, {"source": source, "seen_for": SEEN_FOR, "most": MOST_SEEN}).rowcount


def forget(connection: Connection, source: str) -> None:
    """Start anew; what was forgiven stays forgiven."""
    lock(connection, source)
    connection.execute(delete(Block).where(Block.source == source, Block.state != "forgiven"))
    connection.execute(update(Block).where(Block.source == source).values(articles=0, evidence=[]))
