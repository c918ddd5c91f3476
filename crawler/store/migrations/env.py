"""Alembic's entrance: always online, on the connection that `engine.migrate` (or a test) hands over.

At the newest version the views and comments follow, which are kept as they should be, not as changes (surface.py).
"""

from __future__ import annotations

from alembic import context

from crawler.store import surface
from crawler.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    include_object=lambda _, name, kind, *rest: not (kind == "table" and (name or "").startswith("pages_")),
)
with context.begin_transaction():
    context.run_migrations()
    if context.get_context().get_current_revision() == context.get_head_revision():
        surface.lay(context.get_bind())
