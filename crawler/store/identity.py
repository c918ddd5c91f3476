"""One article is one row, however many addresses lead to it: what redirects and rel=canonical say merges rows.

A row gives way only if it was never fetched and nobody is fetching it, so no page that is kept loses its row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from crawler.store.frontier import Due
from crawler.urls import url_key

How = Literal["address", "redirect", "canonical"]
Hop = Literal["follow", "merged", "duplicate"]

_FIND = text("""
SELECT id, state, fetched_at IS NULL AND article_id IS NULL AS is_fresh FROM urls
WHERE id IN (SELECT id FROM urls WHERE key = :key UNION ALL SELECT url_id FROM url_aliases WHERE key = :key)
ORDER BY (key = :key) DESC LIMIT 1
""")
_IS_FRESH = text("SELECT fetched_at IS NULL AND article_id IS NULL FROM urls WHERE id = :id")
# Aliases of the row that goes follow it; its own address becomes one.
_ALIASES_MOVE = text("UPDATE url_aliases SET url_id = :into WHERE url_id = :gone")
_GOES = text("""
WITH gone AS (DELETE FROM urls WHERE id = :gone RETURNING url, key)
INSERT INTO url_aliases (url, key, url_id, how) SELECT url, key, :into, :how FROM gone
ON CONFLICT (url) DO UPDATE SET url_id = excluded.url_id
RETURNING url
""")
_LOCK_FRESH = text("""
SELECT id FROM urls
WHERE key = :key AND id <> :into AND state = 'queued' AND fetched_at IS NULL AND article_id IS NULL
FOR UPDATE SKIP LOCKED
""")
_ALIAS = text("""
INSERT INTO url_aliases (url, key, url_id, how)
SELECT :url, :key, :into, :how WHERE NOT EXISTS (SELECT FROM urls WHERE key = :key)
ON CONFLICT (url) DO NOTHING
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Alias:
    """An address that turned out to be that of the page `url_id`."""

    url_id: int
    url: str
    how: How


def redirected(connection: Connection, due: Due, target: str) -> Hop:
    """What a leased page that redirects means.

    `follow`: its target is to be fetched for it. `merged`: the target has a row that was or is being fetched, and this
    one has become its alias. `duplicate`: the same, but this row was fetched before and stays. A target that only waits
    in the frontier gives way to this page.
    """
    key = url_key(target) or target
    if key == url_key(due.candidate.url):
        return "follow"
    found = connection.execute(_FIND, {"key": key}).one_or_none()
    if found is None or found.id == due.url_id:
        return "follow"
    if found.state == "queued" and found.is_fresh:
        # If another run leases it this very moment, both fetch it; the article is one row all the same.
        merge(connection, [Alias(url_id=due.url_id, url=target, how="redirect")])
        return "follow"
    if not connection.execute(_IS_FRESH, {"id": due.url_id}).scalar_one():
        return "duplicate"
    _give_way(connection, due.url_id, found.id, "redirect")
    return "merged"


def _give_way(connection: Connection, gone: int, into: int, how: How) -> None:
    connection.execute(_ALIASES_MOVE, {"gone": gone, "into": into})
    connection.execute(_GOES, {"gone": gone, "into": into, "how": how})


def merge(connection: Connection, aliases: Sequence[Alias]) -> None:
    """Note further addresses of pages; rows that wait under such an address are merged into the page's own."""
    for alias in sorted(aliases, key=lambda one: one.url):
        given = {"key": url_key(alias.url) or alias.url, "into": alias.url_id, "how": alias.how, "url": alias.url}
        for (gone,) in connection.execute(_LOCK_FRESH, given).all():
            _give_way(connection, gone, alias.url_id, alias.how)
        connection.execute(_ALIAS, given)
