"""What a scheduler knows of a source: its schedule, its last crawl, how often it publishes, what is wrong with its seed

Three of the four new columns are null and the fourth has a constant default: no row is written for them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
LAST_CRAWLS = """
UPDATE sources SET last_crawl = last.crawl
FROM (SELECT unnest(sources) AS source, max(id) AS crawl FROM crawls GROUP BY 1) AS last
WHERE sources.id = last.source
"""


def upgrade() -> None:
    op.add_column("sources", sa.Column("schedule", sa.Text(), nullable=True))
    op.add_column("sources", sa.Column("seed_error", sa.Text(), nullable=True))
    op.add_column("sources", sa.Column("last_crawl", sa.BigInteger(), nullable=True))
    op.add_column("sources", sa.Column("failures", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.execute(LAST_CRAWLS)
    op.create_table(
        "rhythms",
        sa.Column("source", sa.Text(), sa.ForeignKey("sources.id", name="fk_rhythms_source"), nullable=False),
        sa.Column("counts", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("undated", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("since", INSTANT, nullable=True),
        sa.Column("learned_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("learn_at", INSTANT, nullable=True, server_default=NOW),
        sa.PrimaryKeyConstraint("source", name="pk_rhythms"),
    )
    op.create_index("ix_rhythms_learn_at", "rhythms", ["learn_at"])
    op.create_table(
        "schedulers",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("led_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("ticked_at", INSTANT, nullable=False, server_default=NOW),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("queued", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("trouble", sa.dialects.postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.PrimaryKeyConstraint("id", name="pk_schedulers"),
    )
