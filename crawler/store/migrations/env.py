"""Alembic's entrance: always online, on the connection that `engine.migrate` (or a test) hands over."""

from __future__ import annotations

from alembic import context

from crawler.store.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    include_object=lambda _, name, kind, *rest: not (kind == "table" and (name or "").startswith("pages_")),
)
with context.begin_transaction():
    context.run_migrations()
