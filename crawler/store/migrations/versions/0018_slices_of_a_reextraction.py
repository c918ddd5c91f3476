"""A re-extraction in slices, which any number of processes share

A run that was begun before and is not through was begun under the rules of an earlier program: it is not gone on with.
What it has found and not applied stays until the next one is begun, as ever.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"

JSONB = postgresql.JSONB(astext_type=sa.Text())
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("reextractions", sa.Column("seeds", JSONB, server_default=sa.text("'{}'"), nullable=False))
    op.add_column("reextractions", sa.Column("apply", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_column("reextractions", "articles_done")
    op.drop_column("reextractions", "urls_done")
    op.create_table(
        "reextraction_slices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('articles', 'urls')", name=op.f("ck_reextraction_slices_kind")),
        sa.ForeignKeyConstraint(
            ["run_id"], ["reextractions.id"], name=op.f("fk_reextraction_slices_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reextraction_slices")),
    )
    op.create_index(op.f("ix_reextraction_slices_run_id_id"), "reextraction_slices", ["run_id", "id"])
    op.create_index(  # who waits for a run asks for its jobs every second
        "procrastinate_jobs_run",
        "procrastinate_jobs",
        [sa.text("CAST(args ->> 'run' AS bigint)"), "id"],
        schema="procrastinate",
        postgresql_where=sa.text("task_name = 'reextract'"),
    )
    op.drop_index(op.f("ix_reextracted_run_id_outcome_id"), "reextracted")
    name = op.f("ix_reextracted_run_id_source_outcome_id")  # what is found is applied source by source
    op.create_index(name, "reextracted", ["run_id", "source", "outcome", "id"])
