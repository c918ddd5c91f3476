"""The sources, and when each is crawled."""

from __future__ import annotations

from crawler.schedule import RESTING
from crawler.store.models import Source
from crawler.store.views.view import View, made, own

JOB_OF = "EXISTS (SELECT FROM procrastinate.procrastinate_jobs j WHERE j.lock = s.id AND j.status = "
SCHEDULE_STATE = f"""CASE WHEN starts_with(s.due_why, '{RESTING}') THEN 'forgotten'
    WHEN s.disabled_at IS NOT NULL THEN 'disabled' WHEN s.seeded_at IS NULL THEN 'gone'
    WHEN {JOB_OF} 'doing') THEN 'running' WHEN {JOB_OF} 'todo') THEN 'waiting'
    WHEN s.due_at IS NULL THEN 'on demand' WHEN s.due_at <= now() THEN 'due' ELSE 'scheduled' END"""

SOURCES = View(
    name="sources",
    comment="The sources that were ever crawled.",
    columns=own("s", Source, "id name homepage language country loaded_at crawled_at", id="source"),
    origin="FROM sources s",
)

SCHEDULE = View(
    name="schedule",
    comment="When each source is crawled next, and how its last crawl ended (`scrapy schedule`).",
    columns=(
        *own("s", Source, "id schedule due_at due_why", id="source"),
        made(
            "state",
            "text",
            "forgotten (its publisher does not want it here), disabled (by a person), gone (it has no seed), "
            "running, waiting (in the queue), on demand, due, or scheduled",
            SCHEDULE_STATE,
        ),
        *own("s", Source, "seed_error queued_at"),
        made("last_crawl_id", "bigint", "Its last run: news.crawls.id", "s.last_crawl"),
        made("last_started_at", "timestamp with time zone", "When that began", "c.started_at"),
        made("last_finished_at", "timestamp with time zone", "When it ended; null: it runs", "c.finished_at"),
        made("last_outcome", "text", "How it ended: see news.crawls.outcome", "c.outcome"),
        made(
            "last_articles",
            "bigint",
            "New articles of this source that it stored; null: it runs, or there was none",
            "CASE WHEN c.finished_at IS NOT NULL "
            "THEN coalesce(CAST(c.stats ->> format('news/%s/stored', s.id) AS bigint), 0) END",
        ),
        *own("s", Source, "failures disabled_at disabled_why"),
    ),
    origin="FROM sources s LEFT JOIN crawls c ON c.id = s.last_crawl",
)
