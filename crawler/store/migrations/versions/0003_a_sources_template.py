"""What each source's template has taught, and a way to what changed since"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "boilerplate_blocks",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="seen", nullable=False),
        sa.Column("sample", sa.Text(), nullable=True),
        sa.Column("articles", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cleaned", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clean_from", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('seen', 'learned', 'forgiven')", name=op.f("ck_boilerplate_blocks_state")),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_boilerplate_blocks_source")),
        sa.PrimaryKeyConstraint("source", "key", name=op.f("pk_boilerplate_blocks")),
    )
    op.create_index(
        "ix_boilerplate_blocks_decided",
        "boilerplate_blocks",
        ["source"],
        unique=False,
        postgresql_where=sa.text("state <> 'seen'"),
    )
    op.create_index(op.f("ix_articles_source_updated_at"), "articles", ["source", "updated_at"], unique=False)
