"""What was forgotten, and by whom; what of it is stored again; how it is allowed to come back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from crawler.errors import ConfigurationError
from crawler.schedule import RESTING
from crawler.store import tombstones
from crawler.urls import url_key

_NEXT = text("SELECT nextval(pg_get_serial_sequence('tombstones', 'id'))")


def next_number(connection: Connection) -> int:
    return int(connection.execute(_NEXT).scalar_one())


_ACTS = text("""
SELECT act, min(forgotten_at) AS forgotten_at, min(source) AS source, min(why) AS why, min(by_whom) AS by_whom,
    bool_or(kind = 'source') AS is_source, count(article_id) AS articles, min(article_id) AS article_id,
    max(undone_at) AS undone_at
FROM tombstones GROUP BY act ORDER BY min(forgotten_at), act
""")


def everything(connection: Connection) -> list[RowMapping]:
    """Everything that was forgotten, the oldest first."""
    return list(connection.execute(_ACTS).mappings())


_ACTS_OF = text("""
SELECT DISTINCT act FROM tombstones WHERE digest = ANY(:digests) OR digest IS NOT NULL AND article_id = :article
""")
_WHOLE_OF = text("""
SELECT source FROM tombstones WHERE kind = 'source' AND digest IS NOT NULL AND act IN (
    SELECT act FROM tombstones WHERE digest = ANY(:digests) OR digest IS NOT NULL AND article_id = :article)
""")


def acts_of(
    connection: Connection, *, url: str | None = None, article_id: int | None = None, source: str | None = None
) -> list[int]:
    """The numbers of those that keep it away. Raises ConfigurationError for a page that goes with its whole source."""
    digests = tombstones.digests(url_key(url) or url) if url else []
    digests += [tombstones.of_source(source)] if source else []
    given = {"digests": digests, "article": article_id}
    whole = connection.execute(_WHOLE_OF, given).scalar() if source is None else None
    if whole is not None:
        raise ConfigurationError(
            f"{url or article_id} is kept away with all of {whole}: scrapy forget --undo {whole} allows that"
        )
    return list(connection.execute(_ACTS_OF, given).scalars())


_UNDO_SOURCE = text("""
UPDATE sources SET disabled_at = NULL, disabled_why = NULL,
    due_why = CASE WHEN seeded_at IS NOT NULL OR NOT starts_with(due_why, :forgotten) THEN due_why END
WHERE id IN (SELECT source FROM tombstones WHERE act = ANY(:acts) AND kind = 'source')
""")
_UNDO = (
    text("DELETE FROM tombstones WHERE act = ANY(:acts) AND article_id IS NULL"),
    text("UPDATE tombstones SET digest = NULL, undone_at = now() WHERE act = ANY(:acts)"),
)


def undo(connection: Connection, numbers: Collection[int]) -> None:
    """Let it come again. What was removed stays so, and who keeps copies is told of it all the same."""
    given: dict[str, Any] = {"acts": list(numbers)}
    connection.execute(_UNDO_SOURCE, {**given, "forgotten": RESTING})
    for statement in _UNDO:
        connection.execute(statement, given)


_RETURNED_SOURCES = text("""
SELECT id FROM sources WHERE id IN (SELECT source FROM tombstones WHERE kind = 'source' AND digest IS NOT NULL)
    AND id IN (SELECT source FROM articles UNION ALL SELECT source FROM urls) ORDER BY id
""")


def returned_sources(connection: Connection) -> list[str]:
    """Sources of which something is stored though all was forgotten: an older backup was restored."""
    return list(connection.execute(_RETURNED_SOURCES).scalars())


_RETURNED = text(f"""
WITH stored AS (
    SELECT url, key, source FROM articles UNION SELECT url, key, source FROM urls
    UNION SELECT url_aliases.url, url_aliases.key, urls.source FROM url_aliases JOIN urls ON urls.id = url_id
)
SELECT url FROM stored WHERE source <> ALL(:sources) AND EXISTS (
    SELECT FROM ({tombstones.SQL_DIGESTS}) AS own(digest) JOIN tombstones USING (digest))
""")  # noqa: S608 (SQL of our own)


def returned(connection: Connection, but: Sequence[str] = ()) -> list[str]:
    """The same of addresses; not those of these sources."""
    return list(connection.execute(_RETURNED, {"sources": list(but)}).scalars())
