"""How each source does, and what was found wrong."""

from __future__ import annotations

from crawler.store.models import Incident, Source
from crawler.store.views.view import View, made, own

WEEK = "now() - interval '7 days'"
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

SOURCE_HEALTH = View(
    name="source_health",
    comment="How each source does: last crawl, last days' articles and their completeness, errors.",
    columns=(
        *own("s", Source, "id name homepage language country crawled_at", id="source"),
        made(
            "last_updated_at",
            "timestamp with time zone",
            "When an article of it was last stored or changed",
            "(SELECT max(a.updated_at) FROM articles a WHERE a.source = s.id)",
        ),
        made(
            "articles",
            "bigint",
            "Articles stored",
            "(SELECT count(*) FROM articles a WHERE a.source = s.id)",
        ),
        made("articles_1d", "bigint", "Articles first stored in the last 24 hours", "recent.articles_1d"),
        made("articles_7d", "bigint", "Articles first stored in the last 7 days", "recent.articles_7d"),
        made(
            "published_at_share",
            "double precision",
            "Share of these 7 days' with a date, 0 to 1; null: no articles",
            "recent.dated::double precision",
        ),
        made(
            "authors_share",
            "double precision",
            "Share of these 7 days' with an author, 0 to 1; null: no articles",
            "recent.signed::double precision",
        ),
        made("dropped_blocks_7d", "bigint", "Blocks dropped from these 7 days' articles", DROPPED_RECENTLY),
        made(
            "errors_7d",
            "jsonb",
            "Pages whose last fetch, in the last 7 days, failed: how many by outcome (docs/crawling.md)",
            "coalesce(failed.errors, '{}')",
        ),
        made(
            "failing_listings",
            "bigint",
            "Feeds, sitemaps and sections whose last request failed",
            "(SELECT count(*) FROM listings l WHERE l.source = s.id AND l.failures > 0)",
        ),
        made(
            "health",
            "text",
            "fail or warn: an incident is open; disabled; ok: none is",
            "CASE WHEN s.disabled_at IS NOT NULL THEN 'disabled' WHEN open.fails THEN 'fail' "
            "WHEN open.kinds IS NOT NULL THEN 'warn' ELSE 'ok' END",
        ),
        made(
            "incidents",
            "text[]",
            "Kinds of its open incidents, as a scheduler or `scrapy health --tell` last found them; {}: none",
            "coalesce(open.kinds, '{}')",
        ),
        made(
            "articles_today",
            "bigint",
            "Fresh articles stored today (UTC)",
            "coalesce((SELECT sum(n) FROM unnest(today.by_hour) AS n), 0)",
        ),
        made(
            "usual_by_now",
            "double precision",
            "The same by the last full hour on this weekday, on average of eight weeks; null: not known yet",
            "usual.by_now::double precision",
        ),
        made(
            "usual_day",
            "double precision",
            "The same over the whole day",
            "usual.all_day::double precision",
        ),
        made(
            "lag_today",
            "interval",
            "From publication to storage, the median of today's articles; null: none dated",
            "make_interval(secs => today.lag)",
        ),
        made(
            "answer_seconds_today",
            "double precision",
            "Seconds that its hosts took to answer today, on average; null: not asked",
            "today.answer_seconds / nullif(today.answers, 0)",
        ),
    ),
    origin=f"FROM sources s {RECENT} {ERRORS} {USUAL}",
)

INCIDENTS = View(
    name="incidents",
    comment="What was found wrong with a source or with the whole, and when it was over.",
    columns=own(
        "i",
        Incident,
        "id source kind severity detail since opened_at last_seen_at closed_at told_at recovery_told_at",
    ),
    origin="FROM incidents i",
)
