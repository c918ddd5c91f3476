"""Which crawls run and what they have leased is found without reading all crawls and listings"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0015"


def upgrade() -> None:
    op.create_index("ix_crawls_running", "crawls", ["id"], postgresql_where=sa.text("outcome = 'running'"))
    op.create_index(
        "ix_listings_leased", "listings", ["lease_crawl"], postgresql_where=sa.text("lease_crawl IS NOT NULL")
    )
