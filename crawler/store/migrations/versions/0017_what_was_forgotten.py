"""What was forgotten, and dictionaries that hold a page of it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "tombstones",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("act", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("article_id", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("forgotten_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("by_whom", sa.Text(), nullable=False),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.Column(
            "changed_xid",
            sa.BigInteger(),
            server_default=sa.text("CAST(CAST(pg_current_xact_id() AS text) AS bigint)"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('page', 'site', 'source')", name=op.f("ck_tombstones_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tombstones")),
    )
    op.create_index(op.f("ix_tombstones_digest"), "tombstones", ["digest"], unique=True)
    op.create_index(op.f("ix_tombstones_act"), "tombstones", ["act"])
    op.create_index(
        "ix_tombstones_article_id",
        "tombstones",
        ["article_id"],
        postgresql_where=sa.text("article_id IS NOT NULL"),
    )
    op.add_column("page_dictionaries", sa.Column("condemned_at", INSTANT, nullable=True))
    op.create_index(
        "ix_urls_leading",
        "urls",
        ["detail"],
        postgresql_using="hash",
        postgresql_where=sa.text("reason IN ('duplicate', 'moved')"),
    )
    op.create_index("ix_crawls_asked", "crawls", ["id"], postgresql_where=sa.text("arguments ? 'url'"))
