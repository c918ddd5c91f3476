"""What kind of page an article is, how much of it we see, and how sure we are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("articles", sa.Column("page_type", sa.Text(), server_default="article", nullable=False))
    op.add_column("articles", sa.Column("page_type_confidence", sa.Double(), nullable=True))
    op.add_column("articles", sa.Column("access", sa.Text(), server_default="unknown", nullable=False))
    op.add_column("articles", sa.Column("confidence", sa.Double(), nullable=True))
    op.add_column(
        "articles",
        sa.Column("posts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    )
