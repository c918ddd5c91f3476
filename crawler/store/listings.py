"""Where a source announces its articles, and when each of these documents is worth asking for again.

Feeds and the sitemaps that robots.txt or a seed names are asked for at every crawl, conditionally. A sitemap that an
index names is asked for when the index dates it later than our last look, or, without dates, the more seldom the longer
it has not changed; sections and home pages the more seldom the longer they have given nothing that no feed had named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.outcomes import OUTCOMES, rest
from crawler.text import json_safe

Kind = Literal["homepage", "feed", "sitemap", "archive", "section", "further"]
READ, NOT_A_LIST, NOT_MODIFIED = "read", "not_a_feed", "not_modified"
USUAL = "a usual place"  # the parent of what was only guessed
LINKED = ("homepage", "section", "further")  # kinds that are pages with links
LOST = frozenset(("not_found", "gone", NOT_A_LIST))  # ends that are the document's own; any other may be the network's
NOT_ASKED = frozenset(
    ("host_unavailable", "robots_unreachable", "crawl_closing", "source_disabled")
)  # these say nothing of it
SHARE = 4  # of the time for which it did not change, a document is left alone for one part in so many
LONGEST = timedelta(days=7)
SECTION_SOON, SECTION_FIRST = timedelta(minutes=10), timedelta(hours=1)
FAILURES = 5  # in a row, then a document that no seed names is given up


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A document that may announce articles. `parent` names it; None: the seed does. `modified_at`: says its index."""

    url: str
    kind: Kind
    parent: str | None = None
    modified_at: datetime | None = None
    since: datetime | None = None  # of a further page: the last complete reading of its section


@dataclass(frozen=True, kw_only=True, slots=True)
class DueListing:
    """One that is due, with what a conditional request needs."""

    id: int
    source: str
    url: str
    kind: Kind
    parent: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    failures: int = 0
    body_sha256: bytes | None = None
    found_at: datetime
    checked_at: datetime | None = None
    changed_at: datetime | None = None

    @property
    def covered_until(self) -> datetime | None:
        """What was found before this has been passed by an earlier reading of the section."""
        return self.changed_at if self.kind == "further" else self.checked_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How a request for one ended: `read`, `not_modified`, `not_a_feed` or a word of outcomes.py.

    `entries`: what it lists; `new`: how many of these nothing had named before.
    """

    listing: DueListing
    outcome: str
    detail: str | None = None
    entries: int = 0
    new: int = 0
    body_sha256: bytes | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def changed(self) -> bool:
        """Whether it says something else than at the last reading; of a page with links, whether that was new."""
        if self.outcome != READ:
            return False
        return self.new > 0 or (self.listing.kind not in LINKED and self.body_sha256 != self.listing.body_sha256)


# A document that its seed names is kept whatever happens to it; one that was given up gets another chance after a week,
# and at once when robots.txt names what was only guessed. A further page is due whenever the page before it names it.
_ANNOUNCE = text("""
INSERT INTO listings AS known (source, url, kind, parent, changed_at)
SELECT :source, url, kind, parent, since FROM jsonb_to_recordset(:rows)
    AS r(url text, kind text, parent text, modified_at timestamptz, since timestamptz) ORDER BY url
ON CONFLICT (source, url) DO UPDATE SET
    kind = CASE WHEN excluded.parent IS NULL OR known.parent = :usual THEN excluded.kind ELSE known.kind END,
    parent = CASE WHEN excluded.parent IS NULL OR known.parent = :usual THEN excluded.parent ELSE known.parent END,
    failures = 0,
    changed_at = CASE WHEN excluded.kind = 'further' THEN excluded.changed_at ELSE known.changed_at END,
    not_before = CASE WHEN excluded.parent IS NULL THEN coalesce(known.not_before, now()) ELSE now() END
WHERE excluded.parent IS NULL AND (known.parent IS NOT NULL OR known.not_before IS NULL OR known.kind <> excluded.kind)
   OR excluded.kind = 'further' AND known.kind = 'further'
   OR known.parent = :usual AND excluded.parent <> :usual
   OR known.not_before IS NULL AND known.kind <> 'further' AND known.checked_at < now() - interval '7 days'
""").bindparams(bindparam("rows", type_=JSONB))

# What an index dates later than our last look is due now.
_DATED = text("""
UPDATE listings SET not_before = now()
FROM jsonb_to_recordset(:rows) AS r(url text, modified_at timestamptz)
WHERE listings.source = :source AND listings.url = r.url AND r.modified_at > listings.checked_at
""").bindparams(bindparam("rows", type_=JSONB))

_FORGET = text("""
DELETE FROM listings WHERE source = :source AND parent IS NULL AND NOT url = ANY(:urls)
""")

_DUE = text("""
WITH chosen AS MATERIALIZED (
    SELECT id FROM listings
    WHERE source = :source AND kind = ANY(:kinds) AND (not_before <= now() OR :all AND not_before IS NOT NULL)
      AND (lease_crawl IS NULL OR lease_crawl = :crawl_id)
      AND NOT EXISTS (SELECT FROM sources WHERE sources.id = :source AND disabled_at IS NOT NULL)
    ORDER BY id
    FOR UPDATE SKIP LOCKED
)
UPDATE listings SET lease_crawl = :crawl_id FROM chosen WHERE listings.id = chosen.id
RETURNING listings.id, source, url, kind, parent, etag, last_modified, failures, body_sha256, found_at, checked_at,
    changed_at
""")
_RESTING = text(f"""
SELECT CASE WHEN outcome NOT IN ('{READ}', '{NOT_MODIFIED}') AND not_before > now() THEN outcome END AS ended, count(*)
FROM listings WHERE source = :source AND kind <> 'further' AND not_before IS NOT NULL GROUP BY ended
""")  # noqa: S608 (our own words)
_GIVE_BACK = text("UPDATE listings SET lease_crawl = NULL WHERE lease_crawl = ANY(:crawl_ids)")

_SAVE = text("""
UPDATE listings SET
    outcome = :outcome, detail = :detail, failures = :failures, lease_crawl = NULL,
    checked_at = now(), not_before = now() + :rest,
    changed_at = CASE WHEN :changed THEN now() ELSE changed_at END,
    entries = CASE WHEN :was_read THEN :entries ELSE entries END,
    gave = gave + :new,
    body_sha256 = CASE WHEN :was_read THEN :body_sha256 ELSE body_sha256 END,
    etag = CASE WHEN :was_read THEN :etag ELSE etag END,
    last_modified = CASE WHEN :was_read THEN :last_modified ELSE last_modified END
WHERE id = :id
""")


def announce(connection: Connection, source: str, found: Sequence[Found]) -> None:
    """Note documents; known ones stay as they are, unless their index dates them later than the last look at them.

    A `further` page of a section is due whenever the page before it names it.
    """
    unique = {one.url: one for one in reversed(found)}
    rows = [
        {
            "url": one.url,
            "kind": one.kind,
            "parent": one.parent,
            "modified_at": one.modified_at.isoformat() if one.modified_at else None,
            "since": one.since.isoformat() if one.since else None,
        }
        for one in unique.values()
    ]
    if rows:
        connection.execute(_ANNOUNCE, {"source": source, "rows": json_safe(rows), "usual": USUAL})
        connection.execute(_DATED, {"source": source, "rows": json_safe(rows)})


def seeded(connection: Connection, source: str, found: Sequence[Found]) -> None:
    """What the seed names now; what it named before and does not any more is forgotten."""
    connection.execute(_FORGET, {"source": source, "urls": [one.url for one in found]})
    announce(connection, source, found)


def addresses(connection: Connection, source: str) -> list[str]:
    """All that are known of a source."""
    return list(connection.execute(text("SELECT url FROM listings WHERE source = :s"), {"s": source}).scalars())


def due(
    connection: Connection, source: str, kinds: Sequence[Kind], *, every: bool = False, crawl_id: int | None = None
) -> list[DueListing]:
    """Those of a source that are to be asked for now, leased to the run, so that no other asks as well.

    `every`: whether it is time or not. What a run asks for again it is given again.
    """
    given = {"source": source, "kinds": list(kinds), "all": every, "crawl_id": crawl_id}
    found = [DueListing(**row) for row in connection.execute(_DUE, given).mappings()]
    return sorted(found, key=lambda one: (one.parent is not None, one.id))


def resting(connection: Connection, source: str) -> dict[str, int]:
    """If all lists of a source are left alone because they failed, how many ended how."""
    found: dict[str, int] = dict(connection.execute(_RESTING, {"source": source}).all())
    return {} if None in found else found


def give_back(connection: Connection, crawl_ids: Sequence[int]) -> None:
    """What runs that are over have leased and not asked for is free again."""
    connection.execute(_GIVE_BACK, {"crawl_ids": list(crawl_ids)})


def finish(connection: Connection, reading: Reading, now: datetime | None = None) -> None:
    """Record how a request for a document ended, and when it is due again."""
    failed = reading.outcome not in (READ, NOT_MODIFIED)
    counts = reading.outcome not in NOT_ASKED
    connection.execute(
        _SAVE,
        {
            "id": reading.listing.id,
            "outcome": reading.outcome,
            "detail": json_safe(reading.detail)[:500] if reading.detail else None,
            "failures": reading.listing.failures + counts if failed else 0,
            "rest": rest_of(reading, now or datetime.now(UTC)),
            "changed": reading.changed,
            "was_read": reading.outcome == READ,
            "entries": reading.entries,
            "new": reading.new,
            "body_sha256": reading.body_sha256,
            "etag": reading.etag,
            "last_modified": reading.last_modified,
        },
    )


def rest_of(reading: Reading, now: datetime) -> timedelta | None:
    """How long to leave the document alone; None: for ever."""
    listing = reading.listing
    if reading.outcome not in (READ, NOT_MODIFIED):
        return _after_failure(reading)
    if listing.kind == "further":  # read when the page before it gives something new
        return None
    is_root = listing.parent is None or listing.parent.endswith("/robots.txt")
    if listing.kind == "feed" or (listing.kind == "sitemap" and is_root):
        return timedelta(0)
    still = now - (now if reading.changed else listing.changed_at or listing.found_at)
    if listing.kind in ("homepage", "section"):
        return SECTION_SOON if reading.new else min(LONGEST, max(SECTION_FIRST, still))
    return min(LONGEST, still / SHARE)


def _after_failure(reading: Reading) -> timedelta | None:
    failures, day = reading.listing.failures + 1, timedelta(days=1)
    is_lost = failures >= FAILURES or reading.outcome == "gone" or reading.listing.parent == USUAL
    if reading.listing.parent is not None and reading.outcome in LOST and is_lost:
        return None
    pause = rest(reading.outcome, failures) if reading.outcome in OUTCOMES else None
    return min(pause or day, day)
