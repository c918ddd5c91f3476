"""Sources that a person has switched off: at once, for every crawl and worker on this database.

`sources.disabled_at` is all there is to it. Taking pages and lists out of the frontier looks at it in the same
statement; a crawl that runs asks about its own sources every DISABLED_CHECK seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from crawler.errors import ConfigurationError
from crawler.sources import Source
from crawler.store import tombstones
from crawler.urls import url_key

_DISABLED = text("""
SELECT id, disabled_why AS why, EXISTS (
    SELECT FROM tombstones WHERE kind = 'source' AND source = sources.id AND digest IS NOT NULL) AS is_forgotten
FROM sources WHERE id = ANY(:ids) AND disabled_at IS NOT NULL
""")
_SOURCES_OF = text("SELECT act, source FROM tombstones WHERE kind = 'source' AND act = ANY(:acts)")
_DISABLE = text("""
UPDATE sources SET disabled_at = coalesce(disabled_at, now()), disabled_why = :why WHERE id = :id
""")
_ENABLE = text("UPDATE sources SET disabled_at = NULL, disabled_why = NULL WHERE id = :id AND disabled_at IS NOT NULL")


def disabled(connection: Connection, sources: Collection[str]) -> dict[str, str]:
    """Those of these that are, each with what is to be said to a person."""
    rows = connection.execute(_DISABLED, {"ids": list(sources)}).all()
    return {row.id: _forgotten(row.id) if row.is_forgotten else _said(row.id, row.why) for row in rows}


def barred(connection: Connection, sources: Iterable[Source]) -> dict[str, str]:
    """The same of seeds, and those whose site was forgotten under whatever name."""
    given = list(sources)
    keys = {source.id: url_key(str(source.homepage)) or str(source.homepage) for source in given}
    gone = tombstones.forgotten(connection, dict.fromkeys(keys.values(), ""))
    named: dict[int, str] = dict(connection.execute(_SOURCES_OF, {"acts": list(gone.values())}).all()) if gone else {}
    refused = {source: _forgotten(source, named.get(gone[key])) for source, key in keys.items() if key in gone}
    return refused | disabled(connection, list(keys))


def disable(connection: Connection, source: str, why: str | None) -> bool:
    """False: there is no such source."""
    return connection.execute(_DISABLE, {"id": source, "why": why}).rowcount == 1


def refuse_forgotten(connection: Connection, source: str) -> None:
    """Raises ConfigurationError."""
    if connection.execute(_DISABLED, {"ids": [source]}).scalars(2).first():
        raise ConfigurationError(_forgotten(source))


def enable(connection: Connection, source: str) -> bool:
    """False: it was not disabled."""
    return connection.execute(_ENABLE, {"id": source}).rowcount == 1


def _forgotten(source: str, under: str | None = None) -> str:
    """`under`: the name that it had then."""
    name = under or source
    return (
        f"{source} was forgotten{f' as {name}' if name != source else ''}: its publisher does not want it here; "
        f"if that has changed: scrapy forget --undo {name}"
    )


def _said(source: str, why: str | None) -> str:
    return f"{source} is disabled{f' ({why})' if why else ''}: `scrapy enable {source}` lets it be crawled again"
