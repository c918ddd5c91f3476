"""Workers, and the attempts at jobs that came to nothing"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("crawls", sa.Integer(), nullable=False),
        sa.Column("connections", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("seen_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("lost_at", INSTANT, nullable=True),
        sa.Column("stopped_at", INSTANT, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_running", "workers", ["id"], postgresql_where=sa.text("stopped_at IS NULL"))
    op.create_table(
        "job_failures",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", sa.BigInteger(), nullable=True),
        sa.Column("at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("crawl_id", sa.BigInteger(), nullable=True),
        sa.Column("instead", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_failures")),
        sa.CheckConstraint("kind IN ('failed', 'dropped', 'lost')", name=op.f("ck_job_failures_kind")),
    )
    op.create_index("ix_job_failures_job_id", "job_failures", ["job_id"])
    op.create_index("ix_job_failures_at", "job_failures", ["at"])
    op.add_column("crawls", sa.Column("lost_at", INSTANT, nullable=True))
    op.create_index("ix_crawls_started_at", "crawls", ["started_at"])  # what was done today
