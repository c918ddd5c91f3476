"""`news.search`: full-text search for whoever knows only SQL; and what the schema's functions are for.

What decides which words an article has (news.search_vector and what it calls) belongs to the stored column, and so to
its migration; this is only how it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

RANKED = 300  # the newest articles that match; they are ranked, and a word that is everywhere costs no more than this


@dataclass(frozen=True, kw_only=True, slots=True)
class Function:
    """A function of the schema `news`. `signature`: its name with its arguments' types; `usage`: as it is called."""

    signature: str
    usage: str
    comment: str


FOUND_COMMENT = "What news.search finds: a row an article."
FOUND = {  # the columns of news.found
    "article_id": ("bigint", "The article: news.articles.id"),
    "source": ("text", "Whose article it is"),
    "url": ("text", "Its address"),
    "published_at": ("timestamp with time zone", "When it was published"),
    "language": ("text", "BCP 47 tag"),
    "headline": ("text", "Headline"),
    "excerpt": ("text", "Passages that answer the query: plain text in which <b> and </b> mark the words found"),
    "rank": ("real", "How well it answers; the higher, the better"),
}
FUNCTIONS = (
    Function(
        signature="search(text, text, timestamptz, timestamptz, text, integer)",
        usage="news.search(query text, language text DEFAULT NULL, since timestamptz DEFAULT NULL, "
        "until timestamptz DEFAULT NULL, source text DEFAULT NULL, most integer DEFAULT 20)",
        comment='Articles that answer a query as search engines take it (words, "a phrase", or, -without), best first. '
        f"The newest {RANKED} that match are ranked, words of the headline above those of the body. until is "
        "exclusive; with since or until, articles without a date are left out. Its columns are those of news.found.",
    ),
    Function(
        signature="search_query(text, text)",
        usage="news.search_query(language text, query text)",
        comment="The tsquery that a query means for articles of that language.",
    ),
    Function(
        signature="search_excerpt(text, text, text)",
        usage="news.search_excerpt(language text, body text, query text)",
        comment="The passages of a text that answer a query, its words between <b> and </b>.",
    ),
)

# The newest matches are found either through the GIN index or by walking back from today, as the planner thinks fit
# for these very words: hence a plan for each call. What another language's reading of the query found is left out by
# asking each article in its own. `@@` stands last, since it is the condition that has to fetch a stored vector.
SEARCH = f"""
CREATE OR REPLACE FUNCTION news.search(query text, language text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, source text DEFAULT NULL, most integer DEFAULT 20)
RETURNS SETOF news.found
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET jit = off SET client_min_messages = warning AS $plpgsql$
#variable_conflict use_column
DECLARE
    wanted text := left(query, 1000);
    tongue text := language;
    only_source text := source;
    codes text[] := CASE WHEN language IS NULL THEN news.search_codes() ELSE ARRAY[news.search_code(language)] END;
    meant tsquery;
BEGIN
    SELECT string_agg('(' || reading || ')', ' | ')::tsquery INTO meant FROM (
        SELECT DISTINCT news.search_query(code, wanted)::text AS reading FROM unnest(codes) AS code) AS readings
    WHERE reading <> '';
    IF meant IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH dated AS (
        SELECT i.article_id, i.language, i.published_at, i.search FROM news.search_index i
        WHERE i.published_at IS NOT NULL
            AND (since IS NULL OR i.published_at >= since) AND (until IS NULL OR i.published_at < until)
            AND (only_source IS NULL OR i.source = only_source)
            AND (tongue IS NULL OR i.language = tongue OR i.language LIKE tongue || '-%')
            AND i.search @@ meant
        ORDER BY i.published_at DESC LIMIT {RANKED}
    ), undated AS (
        SELECT i.article_id, i.language, i.published_at, i.search FROM news.search_index i
        WHERE since IS NULL AND until IS NULL AND i.published_at IS NULL
            AND (only_source IS NULL OR i.source = only_source)
            AND (tongue IS NULL OR i.language = tongue OR i.language LIKE tongue || '-%')
            AND i.search @@ meant
        LIMIT {RANKED}
    ), readings AS MATERIALIZED (
        SELECT code, news.search_query(code, wanted) AS reading FROM unnest(codes) AS code
    ), best AS (
        SELECT found.article_id, ts_rank(found.search, reading, 1) AS rank
        FROM (SELECT * FROM dated UNION ALL SELECT * FROM undated) AS found
        JOIN readings ON code = news.search_code(found.language)
        WHERE found.search @@ reading
        ORDER BY rank DESC, found.published_at DESC NULLS LAST, found.article_id DESC LIMIT most
    )
    SELECT a.id, a.source, a.url, a.published_at, a.language, a.headline,
        news.search_excerpt(a.language, a.body, wanted), best.rank
    FROM best JOIN news.articles a ON a.id = best.article_id
    ORDER BY best.rank DESC, a.published_at DESC NULLS LAST, a.id DESC;
END
$plpgsql$
"""  # noqa: S608 (a number of our own)
