"""Sources that a person has switched off: at once, for every crawl and worker on this database.

`sources.disabled_at` is all there is to it. Taking pages and lists out of the frontier looks at it in the same
statement; a crawl that runs asks about its own sources every DISABLED_CHECK seconds.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

_DISABLED = text("""
SELECT id, coalesce(disabled_why, '') FROM sources WHERE id = ANY(:ids) AND disabled_at IS NOT NULL
""")
_DISABLE = text("""
UPDATE sources SET disabled_at = coalesce(disabled_at, now()), disabled_why = :why WHERE id = :id
""")
_ENABLE = text("UPDATE sources SET disabled_at = NULL, disabled_why = NULL WHERE id = :id AND disabled_at IS NOT NULL")


def disabled(connection: Connection, sources: Collection[str]) -> dict[str, str]:
    """Those of these that are, and why."""
    return dict(connection.execute(_DISABLED, {"ids": list(sources)}).all())


def disable(connection: Connection, source: str, why: str | None) -> bool:
    """False: there is no such source."""
    return connection.execute(_DISABLE, {"id": source, "why": why}).rowcount == 1


def enable(connection: Connection, source: str) -> bool:
    """False: it was not disabled."""
    return connection.execute(_ENABLE, {"id": source}).rowcount == 1


def said(source: str, why: str) -> str:
    """One line for a person."""
    return f"{source} is disabled{f' ({why})' if why else ''}: `scrapy enable {source}` lets it be crawled again"
