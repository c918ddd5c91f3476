"""Articles that tell one text, as clusters with a probable original: kept up while articles are stored.

What is what, copies.py says; here an article is settled without looking at more than those that it may concern. Its
bands name a few articles to be held against. If it turns out to be an original that was none before, or no original
any more, those that come after it are looked at again, in the order of their places, and so on: the clusters are
those that all articles at once would give, whatever the order in which they came. Two limits keep the cost of an
article bounded: it is held against the NEAREST articles that share most, and the rarest, bands with it (and their
originals), and an original with more than MOST_COPIES stays one. If such an original leaves (it was edited, or
deleted), a part of its copies find their new one at once; the others wait, and are one cluster again when `catch_up`
has seen to them.

Writers take one lock, at the very end of their transactions: it is held for some milliseconds, and whoever holds it
waits for nobody, so there is no circle to wait in. Of two that store two copies at once, the second sees the first's.
What is left for later (stored before there were clusters; its original was deleted) is a row without an original, and
`catch_up` sees to it.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Engine, Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from crawler.copies import Place, Told, likeness, why
from crawler.likeness import MOST_LETTERS, SHARED, Likeness, bands_of
from crawler.store import tombstones

LOCK = 7_305_129  # of pg_advisory_xact_lock
PER_BAND = 32  # articles that one band may name: of prompts and templates, thousands have the same
NEAREST = 12  # articles that one is held against, besides their originals
STRONG, FEW = 4, 4  # of those that share fewer bands so few: texts of one vocabulary share two by chance
MOST_COPIES = 200
BATCH = 100  # articles that wait, in one transaction

Bands = tuple[int, ...]
_IDS = bindparam("ids", type_=ARRAY(BigInteger))

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
# Whoever changes a body holds its row too, so no two write the bands of one article at a time.
_BODIES = text(
    "SELECT id, left(body, :letters) AS body FROM articles WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE"
).bindparams(_IDS)
_TAKE_DOWN = text("DELETE FROM bands WHERE article_id = ANY(:ids)").bindparams(_IDS)
_PUT_UP = text("INSERT INTO bands (key, article_id) SELECT * FROM unnest(:keys, :ids)").bindparams(
    _IDS, bindparam("keys", type_=ARRAY(BigInteger))
)
# The rarer a band, the more it says: among a robot's reports, all alike, those of one event have theirs to themselves.
_NEAR = text("""
SELECT own.article_id, other.article_id AS other, count(*) AS shared
FROM bands own CROSS JOIN LATERAL (
    SELECT article_id, 1 / count(*) OVER ()::float8 AS rarity
    FROM (SELECT article_id FROM bands WHERE key = own.key ORDER BY article_id LIMIT :per_band) AS first
) AS other
WHERE own.article_id = ANY(:ids) AND other.article_id <> own.article_id
GROUP BY 1, 2 HAVING count(*) >= :shared
ORDER BY 1, sum(rarity) DESC, 2
""").bindparams(_IDS)
_STANDING = text("SELECT article_id, original_id, cluster FROM duplicates WHERE article_id = ANY(:ids)").bindparams(
    _IDS
)
_COPIES = text("""
SELECT copy.article_id, copy.original_id, copy.cluster
FROM unnest(:ids) AS original(id) CROSS JOIN LATERAL (
    SELECT article_id, original_id, cluster FROM duplicates WHERE original_id = original.id LIMIT :most
) AS copy
""").bindparams(_IDS)
ARTICLES = text("""
SELECT a.id, homepage, headline, left(body, :letters) AS body, authors, page_type, published_at, published_raw,
       stored_at, EXISTS (SELECT FROM duplicates WHERE original_id = a.id OFFSET :most) AS settled
FROM articles a JOIN sources s ON s.id = a.source WHERE a.id = ANY(:ids)
""").bindparams(_IDS)
_SAVE = text("""
INSERT INTO duplicates AS d (article_id, original_id, cluster, kind, likeness, contained, why, agency)
SELECT r.* FROM jsonb_to_recordset(:rows) AS r(article_id bigint, original_id bigint, cluster bigint, kind text,
    likeness double precision, contained double precision, why text, agency text)
ON CONFLICT (article_id) DO UPDATE SET
    original_id = excluded.original_id, cluster = excluded.cluster, kind = excluded.kind,
    likeness = excluded.likeness, contained = excluded.contained, why = excluded.why, agency = excluded.agency
""").bindparams(bindparam("rows", type_=JSONB))
_WAIT = text("UPDATE duplicates SET original_id = NULL WHERE original_id = :id AND article_id <> ALL(:ids)").bindparams(
    _IDS
)
_DROP = text("DELETE FROM duplicates WHERE article_id = ANY(:ids)").bindparams(_IDS)
_KEPT = text("""
SELECT original.id, copy.cluster
FROM unnest(:ids) AS original(id) CROSS JOIN LATERAL (
    SELECT cluster FROM duplicates WHERE original_id = original.id AND article_id <> ALL(:moved) LIMIT 1
) AS copy
""").bindparams(_IDS, bindparam("moved", type_=ARRAY(BigInteger)))
_NEXT = text("SELECT nextval('duplicates_cluster_seq') FROM generate_series(1, :number)")
_WAITING = text("""
SELECT article_id FROM duplicates WHERE original_id IS NULL ORDER BY article_id DESC LIMIT :most
""")


def learn(connection: Connection, given: Iterable[tuple[int, Bands | None]]) -> None:
    """Take in articles that are new, or whose text or byline changed. None: their bands are to be made of the body.

    To be called at the end of a transaction.
    """
    bands = dict(given)
    if not bands:
        return
    _put_up(connection, bands)
    connection.execute(_LOCK, {"lock": LOCK})
    _Settlement(connection).settle(bands.keys())


def catch_up(engine: Engine, *, seconds: float = math.inf) -> int:
    """Compare what waits to be, the newest first; returns how many those were. What is left waits on."""
    end, done = time.monotonic() + seconds, 0
    while True:
        with engine.begin() as connection:
            tombstones.respect(connection)
            ids = connection.execute(_WAITING, {"most": BATCH}).scalars().all()
            learn(connection, [(one, None) for one in ids])
        done += len(ids)
        if len(ids) < BATCH or time.monotonic() > end:
            return done


def _put_up(connection: Connection, bands: dict[int, Bands | None]) -> None:
    unknown = [one for one, keys in bands.items() if keys is None]
    made: dict[int, Bands] = {one: keys for one, keys in bands.items() if keys is not None}
    if unknown:
        bodies = connection.execute(_BODIES, {"ids": unknown, "letters": MOST_LETTERS})
        made |= {row.id: bands_of(row.body) for row in bodies}
    connection.execute(_TAKE_DOWN, {"ids": list(bands)})
    rows = [(key, one) for one, keys in made.items() for key in keys]
    if rows:
        connection.execute(_PUT_UP, {"keys": [key for key, _ in rows], "ids": [one for _, one in rows]})


class _Settlement:
    """Articles that are being settled, and those that they may concern."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.told: dict[int, Told] = {}
        self.near: dict[int, set[int]] = {}  # of those that were looked up: whom they are held against
        self.before: dict[int, int | None] = {}  # of those that have a row: their original by it
        self.cluster: dict[int, int] = {}  # the same: their cluster
        self.original: dict[int, int] = {}  # as it is by now; an original is its own
        self.found: dict[int, Likeness] = {}  # of the copies that were settled, to their original
        self.heap: list[tuple[Place, int]] = []
        self.queued: set[int] = set()
        self.looked_up: set[int] = set()
        self.has_copies_read: set[int] = set()

    def settle(self, ids: Collection[int]) -> None:
        """Find the originals of these, and of whatever that changes; write what has changed."""
        settled = set(ids)
        self._stand(ids)
        self._read_copies(ids)
        self._queue({*ids, *(one for one in self.original if self.original[one] in ids)})
        while self.heap:
            one = heapq.heappop(self.heap)[1]
            self.queued.remove(one)
            self._queue(self._settled(self.told[one], text_is_new=one in ids))
            settled.add(one)
        self._write(settled)

    def _settled(self, told: Told, *, text_is_new: bool) -> Iterator[int]:
        """Settle an article; gives those that have to be settled anew for that."""
        one = told.id
        before, original = self.original[one], self._original_of(told)
        self.original[one] = original.id if original else one
        moved = self.original[one] != before
        if original is not None:
            yield from self._introduced(told, original)
        else:
            self.found.pop(one, None)
            if moved or text_is_new:
                yield from self._drawn(told)
        if before == one and moved:
            self._read_copies({one} - self.has_copies_read)
            yield from (copy for copy, of in self.original.items() if of == one)

    def _original_of(self, told: Told) -> Told | None:
        """The first of the originals before it that it is like."""
        originals = {self._original_by_now(other) for other in self.near[told.id]} & self.told.keys()
        for original in sorted((self.told[one] for one in originals), key=lambda one: one.place):
            if original.place < told.place and (found := likeness(told, original)):
                self.found[told.id] = found
                return original
        return None

    def _original_by_now(self, one: int) -> int:
        """Of a copy whose original has become a copy, and which is still to be settled anew: that one's original."""
        while (original := self.original.get(one, one)) != one:
            one = original
        return one

    def _introduced(self, copy: Told, original: Told) -> Iterator[int]:
        """Originals near a copy that are like its own: of very many that are alike, not all have all others near.

        Those of its neighbours too: one to which only texts came that were not settled yet may be near to no other.
        """
        near = self.near[copy.id]
        for other in {*near, *map(self._original_by_now, near)} & self.told.keys() - {original.id}:
            known = self.near.setdefault(other, set())
            told = self.told[other]
            if self.original[other] == other and original.id not in known and told.place > original.place:
                known.add(original.id)
                if likeness(told, original):
                    yield other

    def _drawn(self, original: Told) -> Iterator[int]:
        """Those that would rather be copies of this original than what they are; who waits to be settled will see."""
        for other in self.near[original.id]:
            told, now = self.told.get(other), self.told.get(self.original[other])
            waits = other in self.queued
            if told and now and (waits or min(told.place, now.place) > original.place) and likeness(told, original):
                self.near.setdefault(other, set()).add(original.id)
                if not waits:
                    yield other

    # -- what is looked at --------------------------------------------------------------------------------------------

    def _queue(self, ids: Iterable[int]) -> None:
        wanted = set(ids) - self.queued
        self._look_up(wanted - self.looked_up)
        for one in wanted & self.told.keys():
            heapq.heappush(self.heap, (self.told[one].place, one))
        self.queued |= wanted & self.told.keys()

    def _look_up(self, ids: Collection[int]) -> None:
        """Whom these are held against: their nearest, the originals of these, and the one that they have."""
        self.looked_up |= set(ids)
        found: dict[int, list[int]] = {one: [] for one in ids}
        given = {"ids": list(ids), "per_band": PER_BAND, "shared": SHARED}
        for row in self.connection.execute(_NEAR, given) if ids else ():
            if len(found[row.article_id]) < (NEAREST if row.shared >= STRONG else FEW):
                found[row.article_id].append(row.other)
        self._stand({other for others in found.values() for other in others})
        for one, others in found.items():
            near = {*others, *(self.original[other] for other in others), self.original[one]}
            self.near.setdefault(one, set()).update(near - {one})
        company = {one: self.near[one] for one in ids if self.near[one]}
        self._stand({other for others in company.values() for other in others})
        self._tell({*company, *(other for others in company.values() for other in others)})

    def _stand(self, ids: Iterable[int]) -> None:
        """Read where these stand."""
        unknown = set(ids) - self.original.keys()
        if unknown:
            self.original |= {one: one for one in unknown}
            self._note(self.connection.execute(_STANDING, {"ids": list(unknown)}).all())

    def _read_copies(self, ids: Collection[int]) -> None:
        """The copies that these have by what is written. Of too many, the rest is left for later."""
        self.has_copies_read |= set(ids)
        rows = self.connection.execute(_COPIES, {"ids": list(ids), "most": MOST_COPIES}).all() if ids else []
        self._note(row for row in rows if row.article_id not in self.original)
        for one, number in Counter(row.original_id for row in rows).items():
            if number == MOST_COPIES:
                read = [row.article_id for row in rows if row.original_id == one]
                self.connection.execute(_WAIT, {"id": one, "ids": read})

    def _note(self, rows: Iterable[Row[Any]]) -> None:
        for row in rows:
            self.before[row.article_id] = row.original_id
            self.original[row.article_id] = row.original_id or row.article_id
            if row.cluster is not None:
                self.cluster[row.article_id] = row.cluster

    def _tell(self, ids: Collection[int]) -> None:
        unknown = [one for one in ids if one not in self.told]
        given = {"ids": unknown, "letters": MOST_LETTERS, "most": MOST_COPIES}
        for row in self.connection.execute(ARTICLES, given).mappings() if unknown else ():
            self.told[row["id"]] = Told.of(**row)

    # -- what is written ----------------------------------------------------------------------------------------------

    def _write(self, settled: Collection[int]) -> None:
        copies = [one for one in settled if self.original[one] != one and one in self.found]
        gone = [one for one in settled if self.original[one] == one and one in self.before]
        if gone:
            self.connection.execute(_DROP, {"ids": gone})
        if not copies:
            return
        clusters = self._clusters(copies)
        rows = [
            {
                "article_id": one,
                "original_id": original.id,
                "cluster": clusters[original.id],
                "kind": self.found[one].kind,
                "likeness": self.found[one].jaccard,
                "contained": self.found[one].contained,
                "why": why(original, self.told[one]),
                "agency": original.agency,
            }
            for one in sorted(copies)
            for original in [self.told[self.original[one]]]
        ]
        self.connection.execute(_SAVE, {"rows": rows})

    def _clusters(self, copies: Collection[int]) -> dict[int, int]:
        """The numbers of these copies' clusters, by original: the old one wherever there is one.

        A number belongs to the original that has it. If that is none any more, it goes to who takes over its copies.
        """
        heads = {self.cluster[one]: head for one, head in self.before.items() if head and one in self.cluster}
        headed = {head: cluster for cluster, head in heads.items()}
        members: dict[int, set[int]] = {}
        for one in copies:
            members.setdefault(self.original[one], set()).update((one, self.original[one]))
        asked = members.keys() | {head for head in heads.values() if head in self.original}
        kept = self.connection.execute(_KEPT, {"ids": list(asked), "moved": list(copies)})
        own: dict[int, int] = dict(kept.all())
        own |= {one: headed[one] for one in members if one in headed}
        taken, nameless = set(own.values()), []
        for original in sorted(members, key=lambda one: self.told[one].place):
            if original in own:
                continue
            inherited = {self.cluster.get(one) or headed.get(one) or 0 for one in members[original]} - taken - {0}
            if inherited:
                own[original] = min(inherited)
                taken.add(own[original])
            else:
                nameless.append(original)
        if nameless:
            numbers = self.connection.execute(_NEXT, {"number": len(nameless)}).scalars()
            own |= dict(zip(nameless, numbers, strict=True))
        return own
