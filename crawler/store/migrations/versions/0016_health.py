"""What each source did, day by day, and incidents

The last eight weeks are counted from the crawls and articles that are there, so that a source's past need not be
learned anew. No table is rewritten.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0016"
down_revision = "0015"

INSTANT = sa.DateTime(timezone=True)
COUNTS = (
    *("articles", "dated", "signed", "stored", "changed", "unchanged", "rejected", "rejected_row", "fetched", "failed"),
    *("failed_row", "announced", "dropped_blocks", "dropped_words", "leaked", "lists_row", "answers"),
    *("crawls", "crawls_failed"),
)
CRAWLED = """
INSERT INTO source_days (source, day, crawls)
SELECT source, (finished_at AT TIME ZONE 'UTC')::date, count(*)
FROM crawls, unnest(sources) AS source
WHERE finished_at > now() - interval '56 days' AND spider <> 'archive' AND NOT arguments ?| ARRAY['since', 'until']
    AND source IN (SELECT id FROM sources)
GROUP BY 1, 2
"""
HOURS = ", ".join(f"count(*) FILTER (WHERE fresh AND hour = {hour})" for hour in range(24))
STORED = f"""
INSERT INTO source_days AS d (source, day, articles, by_hour, dated, signed, words, lag)
SELECT source, day, count(*), ARRAY[{HOURS}]::integer[],
    count(*) FILTER (WHERE fresh AND published_at IS NOT NULL), count(*) FILTER (WHERE fresh AND authors <> '{{}}'),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY word_count) FILTER (WHERE fresh),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY lag) FILTER (WHERE fresh)
FROM (
    SELECT source, (stored_at AT TIME ZONE 'UTC')::date AS day, extract(hour FROM stored_at AT TIME ZONE 'UTC') AS hour,
        published_at IS NULL OR published_at > stored_at - interval '3 days' AS fresh,
        published_at, authors, word_count, CASE WHEN published_at IS NOT NULL AND published_raw LIKE '%:%'
            THEN greatest(CAST(extract(epoch FROM stored_at - published_at) AS float8), 0) END AS lag
    FROM articles WHERE stored_at > now() - interval '56 days'
) AS a GROUP BY source, day
ON CONFLICT (source, day) DO UPDATE SET articles = excluded.articles, by_hour = excluded.by_hour,
    dated = excluded.dated, signed = excluded.signed, words = excluded.words, lag = excluded.lag
"""  # noqa: S608 (numbers of our own)


def upgrade() -> None:
    op.add_column("crawls", sa.Column("moved_at", INSTANT, nullable=True))
    op.create_index("ix_crawls_running", "crawls", ["id"], postgresql_where=sa.text("outcome = 'running'"))
    op.create_index(
        "procrastinate_jobs_failed",
        "procrastinate_jobs",
        ["id"],
        schema="procrastinate",
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(  # what is over for long is found by when it came in
        "procrastinate_events_deferred",
        "procrastinate_events",
        ["at"],
        schema="procrastinate",
        postgresql_where=sa.text("type = 'deferred'"),
    )
    op.create_table(
        "source_days",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("by_hour", ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.Column("words", sa.Integer()),
        sa.Column("lag", sa.Double()),
        *(sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False) for name in COUNTS),
        *(sa.Column(name, INSTANT) for name in ("came_at", "read_at")),
        *(sa.Column(name, JSONB(), server_default="{}", nullable=False) for name in ("outcomes", "lists")),
        *(
            sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False)
            for name in ("answer_seconds", "answer_max")
        ),
        sa.Column("failed_why", sa.Text()),
        sa.PrimaryKeyConstraint("source", "day", name="pk_source_days"),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name="fk_source_days_source", ondelete="CASCADE"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text()),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "severity", "detail")),
        sa.Column("since", INSTANT),
        *(
            sa.Column(name, INSTANT, server_default=sa.text("now()"), nullable=False)
            for name in ("opened_at", "last_seen_at")
        ),
        *(sa.Column(name, INSTANT) for name in ("closed_at", "told_at", "recovery_told_at")),
        sa.Column("told_via", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("try_at", INSTANT),
        sa.CheckConstraint("severity IN ('warn', 'fail')", name=op.f("ck_incidents_severity")),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name="fk_incidents_source", ondelete="CASCADE"),
    )
    op.create_index(
        "ix_incidents_open",
        "incidents",
        [sa.text("coalesce(source, '')"), "kind"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_source_days_day", "source_days", ["day"])
    op.create_index("ix_incidents_source_opened_at", "incidents", ["source", "opened_at"])
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"])
    op.execute(CRAWLED)
    op.execute(STORED)
