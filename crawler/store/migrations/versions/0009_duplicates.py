"""Articles that tell one text; those that are stored already wait to be compared"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# OR REPLACE: a restored backup of an earlier schema meets the function that was here before.
_FUNCTION = """
CREATE OR REPLACE FUNCTION articles_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM bands WHERE article_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER articles_gone AFTER DELETE ON articles REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION articles_gone()
"""
_WAIT = "INSERT INTO duplicates (article_id) SELECT id FROM articles ORDER BY id"


def upgrade() -> None:
    op.create_table(
        "bands",
        sa.Column("key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("article_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("key", "article_id", name=op.f("pk_bands")),
    )
    op.create_index(op.f("ix_bands_article_id"), "bands", ["article_id"])
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    op.create_table(
        "duplicates",
        sa.Column("article_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("original_id", sa.BigInteger(), nullable=True),
        sa.Column("cluster", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("likeness", sa.Double(), nullable=True),
        sa.Column("contained", sa.Double(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.CheckConstraint("original_id <> article_id", name=op.f("ck_duplicates_other")),
        sa.CheckConstraint(
            "original_id IS NULL OR cluster IS NOT NULL AND kind IS NOT NULL AND likeness IS NOT NULL "
            "AND contained IS NOT NULL AND why IS NOT NULL",
            name=op.f("ck_duplicates_complete"),
        ),
        sa.CheckConstraint("kind IN ('copy', 'shortened', 'extended', 'adapted')", name=op.f("ck_duplicates_kind")),
        sa.CheckConstraint(
            "why IN ('agency_page', 'agency_credit', 'published_first', 'stored_first', 'settled')",
            name=op.f("ck_duplicates_why"),
        ),
    )
    op.execute("CREATE SEQUENCE duplicates_cluster_seq OWNED BY duplicates.cluster")
    op.execute(_WAIT)  # before the keys to articles are there to be looked up one by one
    op.create_primary_key(op.f("pk_duplicates"), "duplicates", ["article_id"])
    for column, gone in (("article_id", "CASCADE"), ("original_id", "SET NULL")):
        op.create_foreign_key(
            op.f(f"fk_duplicates_{column}"), "duplicates", "articles", [column], ["id"], ondelete=gone
        )
    op.create_index(op.f("ix_duplicates_original_id"), "duplicates", ["original_id"])
    op.create_index(
        "ix_duplicates_waiting", "duplicates", ["article_id"], postgresql_where=sa.text("original_id IS NULL")
    )
