"""One article is one row, however many addresses lead to it: what redirects and rel=canonical say merges rows.

Publishers err, and a temporary redirect is no identity. So a row gives way only if it was never fetched and nobody is
fetching it, by a permanent redirect, or by a canonical link to a page that was announced under the same headline.
Whatever else says that two are one costs a fetch more; the article is one row by its key all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, text

from crawler.store import tombstones
from crawler.store.frontier import Due
from crawler.text import key as text_key
from crawler.urls import url_key

How = Literal["address", "redirect", "canonical"]
Hop = Literal["follow", "merged", "duplicate", "moved", "new", "forgotten", "refused"]

_FIND = text("""
SELECT id, state = 'leased' OR article_id IS NOT NULL OR not_before IS NOT NULL AS is_alive,
    state = 'queued' AND fetched_at IS NULL AND article_id IS NULL AS waits
FROM urls
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
_LOCK_WAITING = text("""
SELECT id, hints ->> 'title' AS title FROM urls
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
    """An address that turned out to be that of the page `url_id`. `headline`: of the article, for a canonical link."""

    url_id: int
    url: str
    how: How
    headline: str | None = None


def redirected(connection: Connection, due: Due, target: str, *, permanent: bool, is_own: bool = True) -> Hop:
    """What a leased page that redirects means.

    `follow`: its target is to be fetched for it. `merged`: the target has a row that was, is being or will be fetched,
    and this one has become its alias. `duplicate`: the same, but this row was fetched before and stays. `moved`: it
    redirects for the time being only, so both are pages; `new`: the same, with a target that is not known. A target
    that only waits in the frontier gives way to a permanent redirect. `forgotten`: the target was, and so is this row
    now; `refused`: the same, but this row has an article of its own. `is_own`: on the same site; others are followed.
    """
    key = url_key(target) or target
    tombstones.respect(connection)
    if act := tombstones.forgotten(connection, {key: due.candidate.source}).get(key):
        keys = [url_key(url) or url for url in (due.candidate.url, *due.chain)]
        return "forgotten" if tombstones.bury(connection, due.url_id, keys, act) else "refused"
    if not is_own:
        return "follow"
    if key == url_key(due.candidate.url):
        return "follow"
    found = connection.execute(_FIND, {"key": key}).one_or_none()
    if found is not None and found.id == due.url_id:
        return "follow"
    if found is None or not found.is_alive:
        return "follow" if permanent else "new"
    if not permanent:
        return "moved"
    if found.waits and _absorbed(connection, Alias(url_id=due.url_id, url=target, how="redirect")):
        return "follow"
    is_fresh = connection.execute(_IS_FRESH, {"id": due.url_id}).scalar_one_or_none()
    if is_fresh is False:
        return "duplicate"
    _give_way(connection, due.url_id, found.id, "redirect")
    return "merged"


def merge(connection: Connection, aliases: Sequence[Alias]) -> None:
    """Note further addresses of pages that hold articles; rows that wait under such an address are merged."""
    for alias in sorted(aliases, key=lambda one: one.url):
        _absorbed(connection, alias)
        if alias.how == "redirect":
            given = {"key": url_key(alias.url) or alias.url, "into": alias.url_id, "how": alias.how, "url": alias.url}
            connection.execute(_ALIAS, given)


def _absorbed(connection: Connection, alias: Alias) -> bool:
    """Whether a row that waited under the address has become one with its page."""
    given = {"key": url_key(alias.url) or alias.url, "into": alias.url_id}
    waiting = connection.execute(_LOCK_WAITING, given).one_or_none()
    if waiting is None or (alias.how == "canonical" and not _named_alike(waiting.title, alias.headline)):
        return False
    _give_way(connection, waiting.id, alias.url_id, alias.how)
    return True


def _named_alike(title: str | None, headline: str | None) -> bool:
    """Feeds put the publication's name behind a headline, and pages theirs."""
    one, other = text_key(title or ""), text_key(headline or "")
    return bool(one and other) and (one.startswith(other) or other.startswith(one))


def _give_way(connection: Connection, gone: int, into: int, how: How) -> None:
    connection.execute(_ALIASES_MOVE, {"gone": gone, "into": into})
    connection.execute(_GOES, {"gone": gone, "into": into, "how": how})
