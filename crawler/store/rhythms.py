"""How often sources publish, learned from their articles: what `schedule: auto` goes by (schedule.py).

Counted are the articles of four weeks that were published since the source is crawled: what its lists showed at the
first crawl is only a part of what there had been. A young rhythm is learned anew often, an old one twice a day.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from crawler.schedule import HOURS, WINDOW

BATCH = 100  # sources of one transaction
SOON, SELDOM = timedelta(minutes=15), timedelta(hours=12)  # between two learnings of a source
SHARE = 10  # a rhythm of ten hours is learned anew after one

_STALE = text("SELECT source FROM rhythms WHERE learn_at <= now() ORDER BY learn_at LIMIT :most FOR UPDATE SKIP LOCKED")

# A date without a time of day, or with midnight for it, tells no hour: such an article counts by when it was found.
_LEARN = text(r"""
WITH first AS (
    SELECT r.source, coalesce(r.since, (
        SELECT min(c.started_at) FROM crawls c WHERE c.sources @> ARRAY[r.source] AND c.outcome = 'finished'
    ), s.crawled_at) AS since
    FROM rhythms r JOIN sources s ON s.id = r.source
    WHERE r.source = ANY(:ids) AND (r.since IS NOT NULL OR s.crawled_at IS NOT NULL)
), begun AS (
    SELECT r.source, CASE WHEN f.since IS NOT NULL THEN greatest(f.since, now() - :window) END AS since
    FROM (SELECT unnest(CAST(:ids AS text[])) AS source) AS r
    LEFT JOIN first f USING (source)
), seen AS (
    SELECT b.source, CASE WHEN a.published_raw ~ '[0-9]\:[0-9]' AND a.published_raw !~ '[T ]00\:00(\:00)?'
        THEN CAST(extract(isodow FROM a.published_at AT TIME ZONE 'UTC') - 1 AS integer) * 24
            + CAST(extract(hour FROM a.published_at AT TIME ZONE 'UTC') AS integer) END AS hour
    FROM begun b JOIN articles a ON a.source = b.source AND a.published_at > b.since AND a.published_at <= now()
    UNION ALL
    SELECT b.source, NULL
    FROM begun b JOIN articles a ON a.source = b.source AND a.published_at IS NULL
    WHERE coalesce((SELECT min(u.found_at) FROM urls u WHERE u.article_id = a.id), a.stored_at) > b.since
), counted AS (
    SELECT source, hour, count(*) AS articles FROM seen GROUP BY source, hour
)
UPDATE rhythms SET since = b.since, learned_at = now(),
    counts = ARRAY(SELECT coalesce(c.articles, 0) FROM generate_series(0, :hours - 1) AS h(hour)
        LEFT JOIN counted c ON c.source = b.source AND c.hour = h.hour ORDER BY h.hour),
    undated = coalesce((SELECT c.articles FROM counted c WHERE c.source = b.source AND c.hour IS NULL), 0),
    learn_at = now() + least(:seldom, greatest(:soon, (now() - coalesce(b.since, now())) / :share))
FROM begun b WHERE rhythms.source = b.source
""")


def learn(connection: Connection, most: int = BATCH) -> int:
    """Learn the rhythms that are due for it, the latest first; returns how many."""
    ids = connection.execute(_STALE, {"most": most}).scalars().all()
    if ids:
        given = {"ids": ids, "window": WINDOW, "hours": HOURS, "soon": SOON, "seldom": SELDOM, "share": SHARE}
        connection.execute(_LEARN, given)
    return len(ids)
