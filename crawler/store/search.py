"""`news.search`: full-text search for whoever knows only SQL; and what the schema's functions are for.

What decides which words an article has (news.search_vector and what it calls) belongs to the stored column, and so to
its migration; this is only how it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

RANKED = 300  # the newest articles that match; they are ranked, and a word that is everywhere costs no more than this
WINDOW, WINDOW_GROWTH = 1_000, 4  # articles in the first window of time; the next are larger
PROBE_AFTER = 2  # windows
MOST_ASKED = 4_000  # articles that have the words of a phrase; 40 µs each


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
        f"The newest {RANKED} that match are ranked, words of the headline above those of the body. A phrase is looked "
        f"for in the newest {MOST_ASKED:,} articles that have its words; a query that only excludes finds nothing. "
        "until is exclusive; with since or until, articles without a date are left out. Its columns are those of "
        "news.found.",
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
# An article is asked in its own language's reading of the query and in no other: what another stemmer makes of "news"
# is English "new". Articles of one language are one arm of the join, and codes with the same reading are one group.
MATCHES = """unnest(readings, loosened, groups) AS r(reading, loose, codes)
            CROSS JOIN LATERAL (
                SELECT i.article_id, i.published_at, i.search FROM news.search_index i
                WHERE i.search @@ r.loose AND strpos(r.codes, ',' || news.search_code(i.language) || ',') > 0
                    AND (only_source IS NULL OR i.source = only_source)
                    AND (tongue IS NULL OR lower(i.language) = tongue OR lower(i.language) LIKE tongue || '-%')
                    AND news.search_price(i.article_id)"""
IN_WINDOW = "AND i.published_at >= lower_end AND i.published_at < upper_end) AS i"
# Ranks what is found as it comes. A phrase is looked up by its words, which the index knows, and then asked for as it
# is: hence `asks`, which bounds the time for words that are common and never stand together.
TAKE = """
            asks := asks - 1;
            CONTINUE WHEN match.loose IS DISTINCT FROM match.reading AND NOT match.search @@ match.reading;
            newest := newest || match.article_id;
            ranks := ranks || ts_rank(match.search, match.reading, 1);"""


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
    wanted text := regexp_replace(left(query, 1000), '(-\\s*){{2,}}', '-', 'g'); -- each would be a level of negation
    tongue text := lower(language);
    only_source text := source;
    readings tsquery[];
    loosened tsquery[];
    groups text[];
    match record;
    newest bigint[] := '{{}}';
    ranks real[] := '{{}}';
    asks integer := {MOST_ASKED};
    few bigint;
    first timestamptz := coalesce(since, '-infinity');
    upper_end timestamptz := coalesce(until, 'infinity');
    lower_end timestamptz;
    size bigint := :window;
    windows integer := 0;
    is_rest boolean := false;
BEGIN
    SELECT array_agg(reading::tsquery), array_agg((CASE WHEN reading LIKE '%!%' THEN reading
        ELSE regexp_replace(reading, '<(-|\\d+)>', '&', 'g') END)::tsquery), array_agg(codes)
    INTO readings, loosened, groups FROM (
        SELECT reading, ',' || string_agg(code, ',') || ',' AS codes FROM (
            SELECT code, news.search_query(code, wanted)::text AS reading
            FROM unnest(CASE WHEN tongue IS NULL THEN news.search_codes() ELSE ARRAY[news.search_code(tongue)] END)
                AS code) AS read
        WHERE reading <> '' AND querytree(reading::tsquery) <> 'T' GROUP BY reading) AS grouped;
    IF readings IS NULL OR most <= 0 THEN
        RETURN;
    END IF;
    LOOP
        lower_end := first;
        IF NOT is_rest THEN
            lower_end := greatest(coalesce(news.search_edge(only_source, upper_end, size), first), first);
        END IF;
        FOR match IN SELECT i.article_id, i.search, r.reading, r.loose FROM {MATCHES} {IN_WINDOW}
            ORDER BY i.published_at DESC LIMIT asks
        LOOP{TAKE}
            EXIT WHEN cardinality(newest) >= {RANKED};
        END LOOP;
        EXIT WHEN cardinality(newest) >= {RANKED} OR asks <= 0 OR lower_end <= first;
        upper_end := lower_end;
        size := size * {WINDOW_GROWTH};
        windows := windows + 1;
        IF windows = {PROBE_AFTER} THEN
            lower_end := first;
            SELECT count(*) INTO few FROM (SELECT FROM {MATCHES} {IN_WINDOW} LIMIT {RANKED} + 1) AS probed;
            is_rest := few <= {RANKED};
        END IF;
    END LOOP;
    IF since IS NULL AND until IS NULL THEN
        FOR match IN SELECT i.article_id, i.search, r.reading, r.loose FROM {MATCHES} AND i.published_at IS NULL) AS i
            ORDER BY i.article_id DESC LIMIT {RANKED}
        LOOP{TAKE}
        END LOOP;
    END IF;
    RETURN QUERY
    WITH best AS (
        SELECT found.id, found.rank, a.published_at FROM unnest(newest, ranks) AS found(id, rank)
        JOIN news.articles a ON a.id = found.id
        ORDER BY found.rank DESC, a.published_at DESC NULLS LAST, found.id DESC LIMIT most
    )
    SELECT a.id, a.source, a.url, a.published_at, a.language, a.headline,
        news.search_excerpt(a.language, a.body, wanted), best.rank
    FROM best JOIN news.articles a ON a.id = best.id
    ORDER BY best.rank DESC, a.published_at DESC NULLS LAST, a.id DESC;
END
$plpgsql$
"""  # noqa: S608 (numbers of our own)
