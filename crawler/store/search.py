"""`news.search`: full-text search for whoever knows only SQL; and what the schema's functions are for.

What decides which words an article has (news.search_vector and what it calls) belongs to the stored column, and so to
its migration; this is only how it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

RANKED = 300  # the newest articles that match; they are ranked, and a word that is everywhere costs no more than this
WINDOW, WINDOW_GROWTH = 1_000, 4  # articles in the first window of time; the next are larger
PROBE_AFTER = 2  # windows


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

# Windows of time, the newest first and each WINDOW_GROWTH times as large as the one before, until RANKED matches are
# found. In each the GIN index and the one by date are put together as bitmaps, so that a row is looked at only when it
# answers: to walk back by date and ask each stored vector costs 40 µs a row, to fetch all that match of a common word
# and sort them 4 µs a row, and which of both is worse for a word the planner cannot know. Hence what is switched off.
# Words that few articles have need no windows: after PROBE_AFTER of them it is tried whether the rest is that small.
# What another language's reading of the query found is left out by asking each article in its own.

# What the planner does not know: that to ask a row's vector is dear, since it lies elsewhere. This is always true
# and is said to cost what fetching does (in units of cpu_operator_cost), so the planner asks few rows.
DEAR = """
CREATE OR REPLACE FUNCTION news.search_price(article_id bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 800 AS $plpgsql$ BEGIN RETURN true; END $plpgsql$
"""
# Where a window of so many articles begins, walking back by index; null where fewer are left.
EDGE = """
CREATE OR REPLACE FUNCTION news.search_edge(only_source text, upper_end timestamptz, size bigint) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan SET enable_indexscan = on SET enable_sort = off
AS $plpgsql$
BEGIN
    IF only_source IS NULL THEN
        RETURN (SELECT published_at FROM news.search_index WHERE published_at < upper_end
            ORDER BY published_at DESC OFFSET size LIMIT 1);
    END IF;
    RETURN (SELECT published_at FROM news.search_index WHERE source = only_source AND published_at < upper_end
        ORDER BY published_at DESC OFFSET size LIMIT 1);
END $plpgsql$
"""
MATCHES = """news.search_index i
            WHERE i.published_at >= lower_end AND i.published_at < upper_end
                AND (only_source IS NULL OR i.source = only_source)
                AND (tongue IS NULL OR i.language = tongue OR i.language LIKE tongue || '-%')
                AND i.search @@ meant AND news.search_price(i.article_id)"""


def functions(window: int = WINDOW) -> tuple[str, ...]:
    """The statements that make the search, in their order. `window`: articles in the first window of time."""
    return DEAR, EDGE, _SEARCH.replace(":window", str(window))


_SEARCH = f"""
CREATE OR REPLACE FUNCTION news.search(query text, language text DEFAULT NULL, since timestamptz DEFAULT NULL,
    until timestamptz DEFAULT NULL, source text DEFAULT NULL, most integer DEFAULT 20)
RETURNS SETOF news.found
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan SET jit = off SET client_min_messages = warning
SET enable_indexscan = off SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $plpgsql$
#variable_conflict use_column
DECLARE
    wanted text := left(query, 1000);
    tongue text := language;
    only_source text := source;
    codes text[] := CASE WHEN language IS NULL THEN news.search_codes() ELSE ARRAY[news.search_code(language)] END;
    meant tsquery;
    newest bigint[] := '{{}}';
    rest bigint[];
    first timestamptz := coalesce(since, '-infinity');
    upper_end timestamptz := coalesce(until, 'infinity');
    lower_end timestamptz;
    size bigint := :window;
    windows integer := 0;
BEGIN
    SELECT string_agg('(' || reading || ')', ' | ')::tsquery INTO meant FROM (
        SELECT DISTINCT news.search_query(code, wanted)::text AS reading FROM unnest(codes) AS code) AS readings
    WHERE reading <> '';
    IF meant IS NULL THEN
        RETURN;
    END IF;
    LOOP
        lower_end := news.search_edge(only_source, upper_end, size);
        lower_end := greatest(coalesce(lower_end, first), first);
        newest := newest || ARRAY(
            SELECT i.article_id FROM {MATCHES}
            ORDER BY i.published_at DESC LIMIT {RANKED} - cardinality(newest));
        EXIT WHEN cardinality(newest) >= {RANKED} OR lower_end <= first;
        upper_end := lower_end;
        size := size * {WINDOW_GROWTH};
        windows := windows + 1;
        IF windows = {PROBE_AFTER} THEN
            lower_end := first;
            rest := ARRAY(SELECT i.article_id FROM {MATCHES} LIMIT {RANKED} - cardinality(newest) + 1);
            IF cardinality(newest || rest) <= {RANKED} THEN
                newest := newest || rest;
                EXIT;
            END IF;
        END IF;
    END LOOP;
    IF since IS NULL AND until IS NULL THEN
        newest := newest || ARRAY(
            SELECT i.article_id FROM news.search_index i
            WHERE i.published_at IS NULL AND (only_source IS NULL OR i.source = only_source)
                AND (tongue IS NULL OR i.language = tongue OR i.language LIKE tongue || '-%')
                AND i.search @@ meant
            LIMIT {RANKED});
    END IF;
    RETURN QUERY
    WITH readings AS MATERIALIZED (
        SELECT code, news.search_query(code, wanted) AS reading FROM unnest(codes) AS code
    ), best AS (
        SELECT found.article_id, ts_rank(found.search, reading, 1) AS rank
        FROM news.search_index AS found JOIN readings ON code = news.search_code(found.language)
        WHERE found.article_id = ANY (newest) AND found.search @@ reading
        ORDER BY rank DESC, found.published_at DESC NULLS LAST, found.article_id DESC LIMIT most
    )
    SELECT a.id, a.source, a.url, a.published_at, a.language, a.headline,
        news.search_excerpt(a.language, a.body, wanted), best.rank
    FROM best JOIN news.articles a ON a.id = best.article_id
    ORDER BY best.rank DESC, a.published_at DESC NULLS LAST, a.id DESC;
END
$plpgsql$
"""  # noqa: S608 (numbers of our own)
