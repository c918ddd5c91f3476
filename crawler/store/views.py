"""The public surface: the views of the schema `news`, each column with its type, what it means and where it comes from.

A contract: columns keep name, type and place; new ones go to the end. PostgreSQL itself refuses anything else when a
view is replaced, and tests/store/contract.yaml pins it. What stands behind a view may change: a migration that has to
change a column under a view drops that view, and surface.py makes it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from crawler.schedule import RESTING
from crawler.store.models import (
    Article,
    Base,
    Crawl,
    Duplicate,
    Incident,
    Listing,
    Page,
    Revision,
    Source,
    Tombstone,
    Url,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of a view. `type` as PostgreSQL's format_type says it; `sql`: the expression behind it."""

    name: str
    type: str
    comment: str
    sql: str


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A view of the schema `news`. `origin`: its query from FROM on."""

    name: str
    comment: str
    columns: tuple[Column, ...]
    origin: str

    @property
    def query(self) -> str:
        """The SELECT that defines it."""
        return f"SELECT {', '.join(f'{one.sql} AS {one.name}' for one in self.columns)} {self.origin}"


def type_of(kind: TypeEngine[object]) -> str:
    """As PostgreSQL's format_type says it."""
    return kind.compile(postgresql.dialect()).lower()  # type: ignore[no-untyped-call]


def _own(alias: str, model: type[Base], names: str, **renamed: str) -> tuple[Column, ...]:
    """A table's own columns with their own comments, by their names; `renamed`: what else some are called here."""
    columns = model.__table__.columns
    return tuple(
        Column(
            name=renamed.get(name, name),
            type=type_of(columns[name].type),
            comment=_public(columns[name].comment or ""),
            sql=f"{alias}.{name}",
        )
        for name in names.split()
    )


def _public(comment: str) -> str:
    """What a table's comment refers to, as readers of the schema `news` know it."""
    return re.sub(
        r"\b(articles|crawls|urls)\.id\b", r"news.\1.id", comment.replace("sources.id", "news.sources.source")
    )


def _made(name: str, kind: str, comment: str, sql: str) -> Column:
    return Column(name=name, type=kind, comment=comment, sql=sql)


WEEK = "now() - interval '7 days'"
DAY_OF = "(coalesce(a.published_at, a.stored_at) AT TIME ZONE 'UTC')::date"
RECENT = f"""LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE a.stored_at > now() - interval '1 day') AS articles_1d, count(*) AS articles_7d,
        avg((a.published_at IS NOT NULL)::int) AS dated, avg((a.authors <> '{{}}')::int) AS signed
    FROM articles a WHERE a.source = s.id AND a.updated_at > {WEEK} AND a.stored_at > {WEEK}
) AS recent ON true"""  # noqa: S608 (names of our own)
ERRORS = f"""LEFT JOIN (
    SELECT source, jsonb_object_agg(reason, n) AS errors FROM (
        SELECT source, reason, count(*) AS n FROM urls
        WHERE state IN ('gone', 'forbidden', 'failed', 'excluded') AND fetched_at > {WEEK} AND reason IS NOT NULL
        GROUP BY source, reason) AS counted
    GROUP BY source
) AS failed ON failed.source = s.id"""  # noqa: S608
DROPPED_RECENTLY = f"""(SELECT count(*) FROM articles a, jsonb_array_elements(a.blocks) b
    WHERE a.source = s.id AND a.updated_at > {WEEK} AND a.stored_at > {WEEK} AND NOT (b ->> 'kept')::boolean)"""  # noqa: S608

JOB_OF = "EXISTS (SELECT FROM procrastinate.procrastinate_jobs j WHERE j.lock = s.id AND j.status = "
SCHEDULE_STATE = f"""CASE WHEN starts_with(s.due_why, '{RESTING}') THEN 'forgotten'
    WHEN s.disabled_at IS NOT NULL THEN 'disabled' WHEN s.seeded_at IS NULL THEN 'gone'
    WHEN {JOB_OF} 'doing') THEN 'running' WHEN {JOB_OF} 'todo') THEN 'waiting'
    WHEN s.due_at IS NULL THEN 'on demand' WHEN s.due_at <= now() THEN 'due' ELSE 'scheduled' END"""
# The same weekday of the last eight weeks, by this hour; days on which nobody looked are none of them.
USUAL = """LEFT JOIN LATERAL (
    SELECT avg((SELECT coalesce(sum(n), 0) FROM unnest(d.by_hour) WITH ORDINALITY AS h(n, hour)
                WHERE hour - 1 < extract(hour FROM now() AT TIME ZONE 'UTC'))) AS by_now,
        avg((SELECT coalesce(sum(n), 0) FROM unnest(d.by_hour) AS n)) AS all_day
    FROM source_days d
    WHERE d.source = s.id AND (d.crawls > 0 OR d.articles > 0)
        AND d.day IN (SELECT (now() AT TIME ZONE 'UTC')::date - 7 * week FROM generate_series(1, 8) AS week)
) AS usual ON true
LEFT JOIN source_days today ON today.source = s.id AND today.day = (now() AT TIME ZONE 'UTC')::date
LEFT JOIN LATERAL (
    SELECT array_agg(i.kind ORDER BY i.severity, i.kind) AS kinds, bool_or(i.severity = 'fail') AS fails
    FROM incidents i WHERE i.source = s.id AND i.closed_at IS NULL
) AS open ON true"""

STORIES = """FROM (
    SELECT article_id, original_id, cluster, kind, likeness, contained, why, agency
    FROM duplicates WHERE original_id IS NOT NULL
    UNION ALL
    SELECT original_id, original_id, min(cluster), 'original', 1, 1, min(why), min(agency)
    FROM duplicates WHERE original_id IS NOT NULL GROUP BY original_id
) AS d JOIN articles a ON a.id = d.article_id
LEFT JOIN (
    SELECT original_id, count(*) + 1 AS articles FROM duplicates WHERE original_id IS NOT NULL GROUP BY original_id
) AS n ON n.original_id = d.original_id"""  # counted once a cluster; not at all where nobody asks how many there are

VIEWS = (
    View(
        name="articles",
        comment="The current version of every article.",
        columns=(
            *_own("a", Article, "id source url canonical_url headline description body authors published_at"),
            *_own("a", Article, "modified_at language section tags images is_accessible_for_free access page_type"),
            *_own("a", Article, "word_count revision stored_at updated_at seen_at published_raw"),
            *_own("a", Article, "published_zone_assumed modified_raw page_type_confidence confidence posts blocks"),
            *_own("a", Article, "evidence"),
            _made(
                "duplicate_of",
                "bigint",
                "The probable original of its text: news.articles.id; null: this one (news.duplicates)",
                "d.original_id",
            ),
        ),
        origin="FROM articles a LEFT JOIN duplicates d ON d.article_id = a.id",
    ),
    View(
        name="revisions",
        comment="Earlier versions of articles, with what the next version changed.",
        columns=(
            *_own("r", Revision, "article_id revision"),
            *_own("a", Article, "source url"),
            *_own("r", Revision, "headline body"),
            _made(
                "authors",
                "text[]",
                Article.__table__.c.authors.comment or "",
                "ARRAY(SELECT jsonb_array_elements_text(r.content -> 'authors'))",
            ),
            _made(
                "published_at",
                "timestamp with time zone",
                Article.__table__.c.published_at.comment or "",
                "(r.content ->> 'published_at')::timestamptz",
            ),
            *_own("r", Revision, "changed stored_at replaced_at cause"),
        ),
        origin="FROM revisions r JOIN articles a ON a.id = r.article_id",
    ),
    View(
        name="dropped_blocks",
        comment="What was dropped from articles: a row a block, with the reason and the rule that dropped it.",
        columns=(
            _made("article_id", "bigint", "The article: news.articles.id", "a.id"),
            *_own("a", Article, "source url language published_at stored_at"),
            _made("position", "bigint", "Place of the block on its page, from 1", "b.position"),
            _made("kind", "text", "paragraph, heading, quote, list, table, caption, …", "b.block ->> 'kind'"),
            _made("reason", "text", "Kind of boilerplate: support, paywall, …", "b.block ->> 'reason'"),
            _made("rule", "text", "Id of what dropped it", "b.block ->> 'rule'"),
            _made("text", "text", "The block's text", "b.block ->> 'text'"),
            _made(
                "score",
                "double precision",
                "The model's probability that it is the article's, 0 to 1; null: a rule decided",
                "(b.block ->> 'score')::double precision",
            ),
        ),
        origin="FROM articles a, jsonb_array_elements(a.blocks) WITH ORDINALITY AS b(block, position) "
        "WHERE NOT (b.block ->> 'kept')::boolean",
    ),
    View(
        name="sources",
        comment="The sources that were ever crawled.",
        columns=_own("s", Source, "id name homepage language country loaded_at crawled_at", id="source"),
        origin="FROM sources s",
    ),
    View(
        name="crawls",
        comment="The runs of the crawler.",
        columns=(
            *_own("c", Crawl, "id spider sources arguments host version started_at finished_at outcome reason stats"),
            _made(
                "duration",
                "interval",
                "From start to end, or till now",
                "coalesce(c.finished_at, now()) - c.started_at",
            ),
        ),
        origin="FROM crawls c",
    ),
    View(
        name="urls",
        comment="Every page that was ever found, and what became of it.",
        columns=(
            *_own("u", Url, "id source url state reason detail found_in attempts found_at fetched_at"),
            *_own("u", Url, "not_before published_at article_id", not_before="due_at"),
        ),
        origin="FROM urls u",
    ),
    View(
        name="listings",
        comment="The feeds, sitemaps, sections and home pages in which sources announce articles.",
        columns=(
            *_own("l", Listing, "id source url kind parent outcome detail failures entries gave found_at checked_at"),
            *_own("l", Listing, "changed_at not_before", not_before="due_at"),
        ),
        origin="FROM listings l",
    ),
    View(
        name="daily_counts",
        comment="Articles by source and day (UTC): the day of publication or, without a date, of storage.",
        columns=(
            *_own("a", Article, "source"),
            _made("day", "date", "Day in UTC", DAY_OF),
            _made("articles", "bigint", "Articles of that day", "count(*)"),
            _made("words", "bigint", "Words of their bodies", "sum(a.word_count)"),
            _made("with_published_at", "bigint", "Of these, with a publication date", "count(a.published_at)"),
            _made("with_authors", "bigint", "Of these, with an author", "count(*) FILTER (WHERE a.authors <> '{}')"),
            _made("truncated", "bigint", "Of these, cut off", "count(*) FILTER (WHERE a.access = 'truncated')"),
            _made("revised", "bigint", "Of these, changed since", "count(*) FILTER (WHERE a.revision > 1)"),
        ),
        origin=f"FROM articles a GROUP BY a.source, {DAY_OF}",
    ),
    View(
        name="source_health",
        comment="How each source does: last crawl, last days' articles and their completeness, errors.",
        columns=(
            *_own("s", Source, "id name homepage language country crawled_at", id="source"),
            _made(
                "last_updated_at",
                "timestamp with time zone",
                "When an article of it was last stored or changed",
                "(SELECT max(a.updated_at) FROM articles a WHERE a.source = s.id)",
            ),
            _made(
                "articles",
                "bigint",
                "Articles stored",
                "(SELECT count(*) FROM articles a WHERE a.source = s.id)",
            ),
            _made("articles_1d", "bigint", "Articles first stored in the last 24 hours", "recent.articles_1d"),
            _made("articles_7d", "bigint", "Articles first stored in the last 7 days", "recent.articles_7d"),
            _made(
                "published_at_share",
                "double precision",
                "Share of these 7 days' with a date, 0 to 1; null: no articles",
                "recent.dated::double precision",
            ),
            _made(
                "authors_share",
                "double precision",
                "Share of these 7 days' with an author, 0 to 1; null: no articles",
                "recent.signed::double precision",
            ),
            _made("dropped_blocks_7d", "bigint", "Blocks dropped from these 7 days' articles", DROPPED_RECENTLY),
            _made(
                "errors_7d",
                "jsonb",
                "Pages whose last fetch, in the last 7 days, failed: how many by outcome (docs/crawling.md)",
                "coalesce(failed.errors, '{}')",
            ),
            _made(
                "failing_listings",
                "bigint",
                "Feeds, sitemaps and sections whose last request failed",
                "(SELECT count(*) FROM listings l WHERE l.source = s.id AND l.failures > 0)",
            ),
            _made(
                "health",
                "text",
                "fail or warn: an incident is open; disabled; ok: none is",
                "CASE WHEN s.disabled_at IS NOT NULL THEN 'disabled' WHEN open.fails THEN 'fail' "
                "WHEN open.kinds IS NOT NULL THEN 'warn' ELSE 'ok' END",
            ),
            _made(
                "incidents",
                "text[]",
                "Kinds of its open incidents, as a scheduler or `scrapy health --tell` last found them; {}: none",
                "coalesce(open.kinds, '{}')",
            ),
            _made(
                "articles_today",
                "bigint",
                "Fresh articles stored today (UTC)",
                "coalesce((SELECT sum(n) FROM unnest(today.by_hour) AS n), 0)",
            ),
            _made(
                "usual_by_now",
                "double precision",
                "The same by the last full hour on this weekday, on average of eight weeks; null: not known yet",
                "usual.by_now::double precision",
            ),
            _made(
                "usual_day",
                "double precision",
                "The same over the whole day",
                "usual.all_day::double precision",
            ),
            _made(
                "lag_today",
                "interval",
                "From publication to storage, the median of today's articles; null: none dated",
                "make_interval(secs => today.lag)",
            ),
            _made(
                "answer_seconds_today",
                "double precision",
                "Seconds that its hosts took to answer today, on average; null: not asked",
                "today.answer_seconds / nullif(today.answers, 0)",
            ),
        ),
        origin=f"FROM sources s {RECENT} {ERRORS} {USUAL}",
    ),
    View(
        name="search_index",
        comment="For full-text conditions beyond news.search: WHERE search @@ news.search_query('en', 'words').",
        columns=(
            _made("article_id", "bigint", "The article: news.articles.id", "a.id"),
            *_own("a", Article, "source language published_at search"),
        ),
        origin="FROM articles a",
    ),
    View(
        name="pages",
        comment="What was fetched, without the bytes: a row for each version (`scrapy pages save` writes the bytes).",
        columns=(
            *_own("p", Page, "id"),
            *_own("u", Url, "article_id source"),
            *_own("p", Page, "url fetched_at status outcome detail html_bytes"),
            _made("stored_bytes", "integer", "Its length in bytes as stored, compressed", "octet_length(p.html_zstd)"),
            *_own("p", Page, "rights crawl_id"),
        ),
        origin="FROM pages p LEFT JOIN urls u ON u.id = p.url_id",
    ),
    View(
        name="revision_changes",
        comment="What edits changed, before and after: a row a headline, a date, a paragraph, …",
        columns=(
            *_own("r", Revision, "article_id"),
            _made("revision", "integer", "Number of the version before; the one after is the next", "r.revision"),
            *_own("a", Article, "source url"),
            _made("changed_at", "timestamp with time zone", "When the version after was stored", "r.replaced_at"),
            _made(
                "field",
                "text",
                "headline, body, correction (a note of the newspaper that is new; one in the text is a row of the body "
                "too), authors, published_at, access or is_accessible_for_free",
                "d.change ->> 'field'",
            ),
            _made(
                "change",
                "text",
                "changed, or of paragraphs also added, removed and moved (word by word)",
                "d.change ->> 'change'",
            ),
            _made(
                "position",
                "integer",
                "Which paragraph of the body after, from 1; a removed one: of the body before; null: no paragraph",
                "1 + coalesce((d.change ->> 'to')::integer, (d.change ->> 'at')::integer)",
            ),
            _made("before", "text", "The value or paragraph before; null: there was none", "d.change ->> 'before'"),
            _made("after", "text", "The value or paragraph after; null: there is none", "d.change ->> 'after'"),
            _made(
                "cause",
                "text",
                "publisher; rules: the page had it before too, and our rules keep it now or no longer; "
                "noise: a counter, a teaser, a block of the source's template",
                "d.change ->> 'cause'",
            ),
            _made("number", "bigint", "Order of the rows of one revision, from 1: as one reads", "d.number"),
            *_own("a", Article, "headline language"),
        ),
        origin="FROM revisions r JOIN articles a ON a.id = r.article_id, "
        "jsonb_array_elements(r.diff) WITH ORDINALITY AS d(change, number)",
    ),
    View(
        name="duplicates",
        comment="Articles that tell one text: a row an article of a cluster, its probable original among them.",
        columns=(
            _made("cluster_id", "bigint", Duplicate.__table__.c.cluster.comment or "", "d.cluster"),
            _made("article_id", "bigint", "The article: news.articles.id", "d.article_id"),
            *_own("a", Article, "source url headline published_at"),
            _made("is_original", "boolean", "It is the probable original", "d.article_id = d.original_id"),
            _made("original_id", "bigint", "The probable original: news.articles.id", "d.original_id"),
            _made("kind", "text", f"original; else {Duplicate.__table__.c.kind.comment}", "d.kind"),
            *_own("d", Duplicate, "likeness contained why agency"),
            _made("articles", "bigint", "Articles of the cluster", "n.articles"),
        ),
        origin=STORIES,
    ),
    View(
        name="forgotten",
        comment="Articles that their publishers wanted removed: whoever keeps copies removes them, too.",
        columns=(
            _made("article_id", "bigint", "What its news.articles.id was", "t.article_id"),
            *_own("t", Tombstone, "source forgotten_at why"),
        ),
        origin="FROM tombstones t WHERE t.article_id IS NOT NULL",
    ),
    View(
        name="schedule",
        comment="When each source is crawled next, and how its last crawl ended (`scrapy schedule`).",
        columns=(
            *_own("s", Source, "id schedule due_at due_why", id="source"),
            _made(
                "state",
                "text",
                "forgotten (its publisher does not want it here), disabled (by a person), gone (it has no seed), "
                "running, waiting (in the queue), on demand, due, or scheduled",
                SCHEDULE_STATE,
            ),
            *_own("s", Source, "seed_error queued_at"),
            _made("last_crawl_id", "bigint", "Its last run: news.crawls.id", "s.last_crawl"),
            _made("last_started_at", "timestamp with time zone", "When that began", "c.started_at"),
            _made("last_finished_at", "timestamp with time zone", "When it ended; null: it runs", "c.finished_at"),
            _made("last_outcome", "text", "How it ended: see news.crawls.outcome", "c.outcome"),
            _made(
                "last_articles",
                "bigint",
                "New articles of this source that it stored; null: it runs, or there was none",
                "CASE WHEN c.finished_at IS NOT NULL "
                "THEN coalesce(CAST(c.stats ->> format('news/%s/stored', s.id) AS bigint), 0) END",
            ),
            *_own("s", Source, "failures disabled_at disabled_why"),
        ),
        origin="FROM sources s LEFT JOIN crawls c ON c.id = s.last_crawl",
    ),
    View(
        name="incidents",
        comment="What was found wrong with a source or with the whole, and when it was over.",
        columns=_own(
            "i",
            Incident,
            "id source kind severity detail since opened_at last_seen_at closed_at told_at recovery_told_at",
        ),
        origin="FROM incidents i",
    ),
)
