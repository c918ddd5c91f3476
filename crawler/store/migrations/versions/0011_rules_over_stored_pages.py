"""What today's rules would make of stored pages, until it is applied"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

JSONB = postgresql.JSONB(astext_type=sa.Text())
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "reextractions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("asked", JSONB, nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("started_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.Column("applied_at", INSTANT, nullable=True),
        sa.Column("articles_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("urls_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("applied", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("revised", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("skipped", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reextractions")),
    )
    op.create_table(
        "reextracted_sources",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("found", JSONB, nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reextractions.id"], name=op.f("fk_reextracted_sources_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_reextracted_sources_source")),
        sa.PrimaryKeyConstraint("run_id", "source", name=op.f("pk_reextracted_sources")),
    )
    op.create_table(
        "reextracted",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("article_id", sa.BigInteger(), nullable=True),
        sa.Column("url_id", sa.BigInteger(), nullable=False),
        sa.Column("page_id", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", INSTANT, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("content", JSONB, server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint("outcome IN ('changed', 'new', 'rejected', 'failed')", name=op.f("ck_reextracted_outcome")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reextractions.id"], name=op.f("fk_reextracted_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reextracted")),
    )
    op.create_index(op.f("ix_reextracted_run_id_outcome_id"), "reextracted", ["run_id", "outcome", "id"])
