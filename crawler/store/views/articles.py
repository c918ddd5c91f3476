"""Articles as they are now, how many there are, and those that are gone."""

from __future__ import annotations

from crawler.store.models import Article, Tombstone
from crawler.store.views.view import View, made, own

DAY_OF = "(coalesce(a.published_at, a.stored_at) AT TIME ZONE 'UTC')::date"

ARTICLES = View(
    name="articles",
    comment="The current version of every article.",
    columns=(
        *own("a", Article, "id source url canonical_url headline description body authors published_at"),
        *own("a", Article, "modified_at language section tags images is_accessible_for_free access page_type"),
        *own("a", Article, "word_count revision stored_at updated_at seen_at published_raw"),
        *own("a", Article, "published_zone_assumed modified_raw page_type_confidence confidence posts blocks"),
        *own("a", Article, "evidence"),
        made(
            "duplicate_of",
            "bigint",
            "The probable original of its text: news.articles.id; null: this one (news.duplicates)",
            "d.original_id",
        ),
    ),
    origin="FROM articles a LEFT JOIN duplicates d ON d.article_id = a.id",
)

DROPPED_BLOCKS = View(
    name="dropped_blocks",
    comment="What was dropped from articles: a row a block, with the reason and the rule that dropped it.",
    columns=(
        made("article_id", "bigint", "The article: news.articles.id", "a.id"),
        *own("a", Article, "source url language published_at stored_at"),
        made("position", "bigint", "Place of the block on its page, from 1", "b.position"),
        made("kind", "text", "paragraph, heading, quote, list, table, caption, …", "b.block ->> 'kind'"),
        made("reason", "text", "Kind of boilerplate: support, paywall, …", "b.block ->> 'reason'"),
        made("rule", "text", "Id of what dropped it", "b.block ->> 'rule'"),
        made("text", "text", "The block's text", "b.block ->> 'text'"),
        made(
            "score",
            "double precision",
            "The model's probability that it is the article's, 0 to 1; null: a rule decided",
            "(b.block ->> 'score')::double precision",
        ),
    ),
    origin="FROM articles a, jsonb_array_elements(a.blocks) WITH ORDINALITY AS b(block, position) "
    "WHERE NOT (b.block ->> 'kept')::boolean",
)

DAILY_COUNTS = View(
    name="daily_counts",
    comment="Articles by source and day (UTC): the day of publication or, without a date, of storage.",
    columns=(
        *own("a", Article, "source"),
        made("day", "date", "Day in UTC", DAY_OF),
        made("articles", "bigint", "Articles of that day", "count(*)"),
        made("words", "bigint", "Words of their bodies", "sum(a.word_count)"),
        made("with_published_at", "bigint", "Of these, with a publication date", "count(a.published_at)"),
        made("with_authors", "bigint", "Of these, with an author", "count(*) FILTER (WHERE a.authors <> '{}')"),
        made("truncated", "bigint", "Of these, cut off", "count(*) FILTER (WHERE a.access = 'truncated')"),
        made("revised", "bigint", "Of these, changed since", "count(*) FILTER (WHERE a.revision > 1)"),
    ),
    origin=f"FROM articles a GROUP BY a.source, {DAY_OF}",
)

SEARCH_INDEX = View(
    name="search_index",
    comment="For full-text conditions beyond news.search: WHERE search @@ news.search_query('en', 'words').",
    columns=(
        made("article_id", "bigint", "The article: news.articles.id", "a.id"),
        *own("a", Article, "source language published_at search"),
    ),
    origin="FROM articles a",
)

FORGOTTEN = View(
    name="forgotten",
    comment="Articles that their publishers wanted removed: whoever keeps copies removes them, too.",
    columns=(
        made("article_id", "bigint", "What its news.articles.id was", "t.article_id"),
        *own("t", Tombstone, "source forgotten_at why"),
    ),
    origin="FROM tombstones t WHERE t.article_id IS NOT NULL",
)
