"""Sources that a person has switched off: at once, for every crawl and worker on this database.

`sources.disabled_at` is all there is to it. Taking pages and lists out of the frontier looks at it in the same
statement; a crawl that runs asks about its own sources every DISABLED_CHECK seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, text

from crawler.errors import ConfigurationError
from crawler.sources import Source
from crawler.store import tombstones
from crawler.urls import url_key

_DISABLED = text("""
SELECT id, disabled_why AS why,
    EXISTS (SELECT FROM tombstones WHERE digest = sha256(convert_to('source ' || sources.id, 'UTF8'))) AS is_forgotten
FROM sources WHERE id = ANY(:ids) AND disabled_at IS NOT NULL
""")
# With the source that was forgotten as a whole, if it was one.
_BARRING = text("""
SELECT t.digest, whole.source FROM tombstones AS t
LEFT JOIN tombstones AS whole ON whole.act = t.act AND whole.kind = 'source' AND whole.digest IS NOT NULL
WHERE t.digest = ANY(:digests)
""")
_HOMEPAGE = text("SELECT homepage FROM sources WHERE id = :id")
_DISABLE = text("""
UPDATE sources SET disabled_at = coalesce(disabled_at, now()), disabled_why = :why WHERE id = :id
""")
_ENABLE = text("UPDATE sources SET disabled_at = NULL, disabled_why = NULL WHERE id = :id AND disabled_at IS NOT NULL")


def disabled(connection: Connection, sources: Collection[str]) -> dict[str, str]:
    """Those of these that are, each with what is to be said to a person."""
    rows = connection.execute(_DISABLED, {"ids": list(sources)}).all()
    return {row.id: said_of(row.id, row.id) if row.is_forgotten else _said(row.id, row.why) for row in rows}


def barred(connection: Connection, sources: Iterable[Source]) -> dict[str, str]:
    """The same of seeds, and those whose site was forgotten under whatever name."""
    homepages = {source.id: str(source.homepage) for source in sources}
    refused = {source: said_of(source, under) for source, under in forgotten(connection, homepages).items()}
    return disabled(connection, list(homepages)) | refused


def forgotten(connection: Connection, homepages: Mapping[str, str]) -> dict[str, str]:
    """Those of these sources that were, or whose home page lies where all was; each with what --undo has to name."""
    wanted = {source: tombstones.digests(url_key(url) or url, source) for source, url in homepages.items()}
    given = list({one for some in wanted.values() for one in some})
    found: dict[bytes, str | None] = dict(connection.execute(_BARRING, {"digests": given}).all())
    barring = {source: [found[one] for one in some if one in found] for source, some in wanted.items()}
    return {source: some[0] or homepages[source] for source, some in barring.items() if some}


def disable(connection: Connection, source: str, why: str | None) -> bool:
    """False: there is no such source."""
    return connection.execute(_DISABLE, {"id": source, "why": why}).rowcount == 1


def refuse_forgotten(connection: Connection, source: str) -> None:
    """Raises ConfigurationError."""
    homepage = connection.execute(_HOMEPAGE, {"id": source}).scalar_one()
    for under in forgotten(connection, {source: homepage}).values():
        raise ConfigurationError(said_of(source, under))


def enable(connection: Connection, source: str) -> bool:
    """False: it was not disabled."""
    return connection.execute(_ENABLE, {"id": source}).rowcount == 1


def said_of(source: str, under: str) -> str:
    """That it was forgotten, for a person. `under`: the name that it had then, or its home page."""
    return (
        f"{source} was forgotten{f' as {under}' if under != source else ''}: its publisher does not want it here; "
        f"if that has changed: scrapy forget --undo {under}"
    )


def _said(source: str, why: str | None) -> str:
    return f"{source} is disabled{f' ({why})' if why else ''}: `scrapy enable {source}` lets it be crawled again"
