"""The queue, in a schema of its own, and when each source is due

procrastinate's own SQL makes its tables, from the version that pyproject.toml pins. A newer one of it needs another
migration, with its SQL for who has these tables already.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from procrastinate.schema import SchemaManager

revision = "0013"
down_revision = "0012"

INSTANT = sa.DateTime(timezone=True)
# Its triggers name its tables without the schema: so they find them, whoever writes there.
OWN_PATH = """
DO $$ DECLARE function regprocedure; BEGIN
    FOR function IN SELECT oid FROM pg_proc WHERE pronamespace = CAST('procrastinate' AS regnamespace) LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = procrastinate', function);
    END LOOP;
END $$
"""


def upgrade() -> None:
    path = op.get_bind().exec_driver_sql("SELECT current_setting('search_path')").scalar_one()
    op.execute("CREATE SCHEMA procrastinate")
    op.execute("SET LOCAL search_path = procrastinate")
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    op.get_bind().execute(sa.text("SELECT set_config('search_path', :path, true)"), {"path": path})
    op.get_bind().exec_driver_sql(OWN_PATH.replace("%", "%%"))
    for name in ("seeded_at", "due_at", "queued_at", "disabled_at"):
        op.add_column("sources", sa.Column(name, INSTANT, nullable=True))
    for name in ("due_why", "disabled_why"):
        op.add_column("sources", sa.Column(name, sa.Text(), nullable=True))
    op.create_index("ix_sources_due_at", "sources", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL"))
