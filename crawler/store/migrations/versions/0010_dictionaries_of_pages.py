"""Dictionaries that pages are compressed with; those that are stored stay as they are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "page_dictionaries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("content_zstd", sa.LargeBinary(), nullable=True),
        sa.Column("content_bytes", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("bytes_before", sa.BigInteger(), nullable=False),
        sa.Column("bytes_after", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.id"], name=op.f("fk_page_dictionaries_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page_dictionaries")),
    )
    op.create_index(op.f("ix_page_dictionaries_source_id"), "page_dictionaries", ["source", "id"])
    op.execute("ALTER TABLE page_dictionaries ALTER COLUMN content_zstd SET STORAGE EXTERNAL")
    op.add_column("pages", sa.Column("dictionary_id", sa.BigInteger(), nullable=True))
    # From now on; it is compressed already, and pglz would only try in vain.
    op.execute("ALTER TABLE pages ALTER COLUMN html_zstd SET STORAGE EXTERNAL")
