"""Group commit: one thread writes whatever waits, in one transaction, and only then is a page done.

Measured: batches of 100 in one commit wrote 12,277 rows/s, one commit a row 267. There is no timer: a batch is what
came in while the last one was written. A row that the database refuses is found by halving the batch; the others are
stored.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

from crawler.errors import DatabaseUnreachable
from crawler.items import Article, Candidate
from crawler.outcomes import OUTCOMES
from crawler.recurrence import REASON, Witness
from crawler.store import (
    archives,
    articles,
    duplicates,
    frontier,
    identity,
    learning,
    notices,
    pages,
    partitions,
    templates,
    tombstones,
)
from crawler.store.duplicates import Bands
from crawler.store.patience import Patience, first_line
from crawler.text import json_safe
from crawler.urls import url_key

logger = logging.getLogger(__name__)
MAX_BATCH = 100
FETCHED_WEIGHT = 3  # a fetched page tells more of its address's shape than a feed that names it
CHANGED = frozenset(("new", "updated", "reread"))  # outcomes of an article's storing that leave another text
NO_ARTICLES = frozenset(("listing", "not_an_article", "no_headline"))  # outcomes that tell what an address is for


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """All that one fetch leaves behind: written together or not at all.

    `bands`: of the article's body, if they are made already.
    `found`: set for a page out of an archive, which was not leased: its row is found or made when it is written (until
    then `url_id` is 0), and what is newer stays as it is. Its visit has the time of the capture as `fetched_at`.
    """

    visit: frontier.Visit
    archived: pages.Archived | None = None
    article: Article | None = None
    shape: str | None = None  # of its address
    bands: tuple[int, ...] | None = None
    found: Candidate | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the database made of an entry. `error` is set when it was quarantined: kept as a page, not as an article.

    `forgotten`: nothing is kept, since that is what was wanted (tombstones.py).
    """

    article_id: int | None = None
    outcome: articles.Outcome | None = None
    error: str | None = None
    forgotten: bool = False


def commit(
    connection: Connection, crawl_id: int | None, entries: Sequence[Entry], keep_months: int = 0
) -> list[Stored]:
    """Write entries in the transaction of `connection`, not what was forgotten. `keep_months`: PAGES_KEEP_MONTHS."""
    tombstones.respect(connection)
    gone = forgotten_of(connection, entries)
    for index, act in gone.items():
        _refuse(connection, entries[index], act, crawl_id)
    stored = iter(_commit(connection, crawl_id, [one for i, one in enumerate(entries) if i not in gone], keep_months))
    return [Stored(forgotten=True) if index in gone else next(stored) for index in range(len(entries))]


def forgotten_of(connection: Connection, entries: Sequence[Entry]) -> dict[int, int]:
    """Which of these are of something that was forgotten, by any of their addresses, and the number of the act."""
    keys = {index: keys for index, entry in enumerate(entries) if (keys := keys_of(entry))}
    found = tombstones.forgotten(
        connection, {key: entries[index].visit.source for index, some in keys.items() for key in some}
    )
    return {index: found[key] for index, some in keys.items() for key in some if key in found}


def keys_of(entry: Entry) -> set[str]:
    """Of all addresses that an entry would leave in the database."""
    urls: list[str] = []
    if entry.archived:
        page = entry.archived.page
        urls += [page.url, page.requested_url, *page.chain]
    if entry.article:
        urls += [entry.article.url, entry.article.canonical_url]
    if entry.visit.outcome in ("duplicate", "moved") and entry.visit.detail:
        urls.append(entry.visit.detail)
    return {url_key(url) or url for url in urls}


def _refuse(connection: Connection, entry: Entry, act: int, crawl_id: int | None) -> None:
    """Its addresses are those of what was forgotten; a stored article that names it as its own stays as it is."""
    visit = entry.visit
    if visit.url_id and not tombstones.bury(connection, visit.url_id, keys_of(entry), act):
        ended = frontier.Visit(url_id=visit.url_id, source=visit.source, outcome="forgotten")
        frontier.finish(connection, [ended], crawl_id)


def _commit(connection: Connection, crawl_id: int | None, entries: Sequence[Entry], keep_months: int) -> list[Stored]:
    entries = _placed(connection, entries)
    kept_from = partitions.kept_from(keep_months, datetime.now(UTC))
    packings = pages.begin(connection, _new_pages(connection, entries), kept_from)
    wanted = [(index, entry.article) for index, entry in enumerate(entries) if entry.article]
    seen = [entries[index].visit.fetched_at for index, _ in wanted]
    saved = dict(zip([i for i, _ in wanted], articles.save(connection, [a for _, a in wanted], seen), strict=True))
    fresh = [(saved[index], article) for index, article in wanted if saved[index].outcome in CHANGED]
    templates.learn(connection, [lesson(article, one) for one, article in fresh])
    notices.tell(connection, [(one.id, "new" if one.outcome == "new" else "updated") for one, _ in fresh])
    pages.finish(connection, packings, crawl_id)
    visits = [
        replace(entry.visit, article_id=saved[index].id) if index in saved else entry.visit
        for index, entry in enumerate(entries)
    ]
    frontier.finish(
        connection, [visit for entry, visit in zip(entries, visits, strict=True) if entry.found is None], crawl_id
    )
    archives.settle(connection, [visit for entry, visit in zip(entries, visits, strict=True) if entry.found])
    keys = {index: one.key for index, one in saved.items()}
    identity.merge(connection, [alias for i, key in keys.items() for alias in aliases_of(entries[i], key)])
    learning.looked(connection, looks_of(entries, saved))
    learning.shaped(connection, shapes_of(entries), FETCHED_WEIGHT)
    duplicates.learn(connection, texts_of(entries, saved))  # last: its lock is everybody's
    return [
        Stored(article_id=saved[index].id, outcome=saved[index].outcome) if index in saved else Stored()
        for index in range(len(entries))
    ]


def _placed(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries, those out of archives with their pages' rows."""
    ids = archives.place(connection, [entry.found for entry in entries if entry.found])
    return [_at(entry, ids[entry.found.url]) if entry.found else entry for entry in entries]


def _at(entry: Entry, url_id: int) -> Entry:
    archived = entry.archived
    if archived is not None:
        archived = replace(archived, page=replace(archived.page, url_id=url_id))
    return replace(entry, visit=replace(entry.visit, url_id=url_id), archived=archived)


def _new_pages(connection: Connection, entries: Sequence[Entry]) -> list[pages.Archived]:
    """Those whose bytes are not the ones that are stored already; two copies of one capture are one page."""
    known = _hashes(connection, [entry.visit.url_id for entry in entries])
    captured = {(entry.visit.url_id, entry.visit.fetched_at) for entry in entries if entry.found}
    held = pages.held(connection, captured)
    found: list[pages.Archived] = []
    for entry in entries:
        place = (entry.visit.url_id, entry.visit.fetched_at)
        if entry.archived and not _is_known(entry.visit, known) and not (entry.found and place in held):
            found.append(entry.archived)
            held.add(place)
    return found


def aliases_of(entry: Entry, key: str) -> list[identity.Alias]:
    """The other addresses of a page whose article is filed under `key`.

    Only of an article: any other redirect may lead to a wall or a home page, which is everybody's.
    """
    assert entry.archived and entry.article
    page, canonical = entry.archived.page, entry.article.canonical_url
    own = url_key(page.requested_url)
    named: dict[str, identity.How] = {canonical: "canonical"} if url_key(canonical) == key else {}
    named |= dict.fromkeys((*page.chain, page.url) if page.is_permanent else (), "redirect")
    return [
        identity.Alias(url_id=entry.visit.url_id, url=url, how=how, headline=entry.article.headline)
        for url, how in named.items()
        if url_key(url) != own
    ]


def looks_of(entries: Sequence[Entry], saved: Mapping[int, articles.Saved]) -> Iterator[learning.Looked]:
    """Which entries were looks at pages that are held, and whether an article was edited; a failure tells nothing.

    Neither noise is an edit nor what our own rules changed.
    """
    for index, entry in enumerate(entries):
        visit = entry.visit
        if visit.looked is not None and OUTCOMES[visit.outcome].state in ("fetched", "unchanged"):
            yield visit.source, visit.looked, index in saved and saved[index].outcome == "updated"


def texts_of(entries: Sequence[Entry], saved: Mapping[int, articles.Saved]) -> Iterator[tuple[int, Bands | None]]:
    """The articles whose likes are to be found. An edited one may have been stored with another body than it came with.

    Of one that came twice, the later entry counts, which has edited the earlier one.
    """
    for index, one in saved.items():
        if one.outcome in CHANGED:
            yield one.id, entries[index].bands if one.outcome == "new" else None


def shapes_of(entries: Sequence[Entry]) -> Iterator[learning.Shaped]:
    """What fetched pages teach of their source's addresses."""
    for entry in entries:
        if entry.shape is not None and (entry.article is not None or entry.visit.outcome in NO_ARTICLES):
            yield entry.visit.source, entry.shape, entry.article is not None


def lesson(article: Article, saved: articles.Saved) -> templates.Lesson:
    """What a stored article teaches about its source's template."""
    texts = [block.text for block in article.blocks if block.kept or block.reason == REASON]
    witness = Witness.of(article.headline, texts)
    return templates.Lesson(article_id=saved.id, source=article.source, witness=witness, new=saved.outcome == "new")


def _hashes(connection: Connection, url_ids: Sequence[int]) -> dict[int, bytes]:
    """Of those URLs that have a page: what went with its month and is still to be had, is stored again."""
    return dict(connection.execute(_HASHES, {"ids": list(url_ids)}).all())


# A subquery with a LIMIT stays one: a few looks into an index, however many pages there are.
_HASHES = text("""
SELECT id, html_sha256 FROM urls WHERE id = ANY(:ids) AND html_sha256 IS NOT NULL
    AND (SELECT true FROM pages WHERE url_id = urls.id LIMIT 1)
""")


def _is_known(visit: frontier.Visit, known: Mapping[int, bytes]) -> bool:
    return visit.html_sha256 is not None and known.get(visit.url_id) == visit.html_sha256


def quarantined(entry: Entry, error: str) -> Entry:
    """The entry less what the database refused: the raw page stays, with the error as its outcome.

    Without ETag and Last-Modified, the next run is given the page again, not a 304.
    """
    visit = replace(entry.visit, outcome="store_refused", detail=error, etag=None, last_modified=None, look=None)
    if entry.archived is None:
        return Entry(visit=visit, found=entry.found)
    page = entry.archived.page
    page = replace(page, url=json_safe(page.url), headers=json_safe(page.headers))
    archived = pages.Archived(page=page, outcome="store_refused", detail=json_safe(error))
    return Entry(visit=visit, archived=archived, found=entry.found)


def given_up(entry: Entry) -> Entry:
    """When not even the page can be stored."""
    old = entry.visit
    visit = frontier.Visit(url_id=old.url_id, source=old.source, outcome="store_refused", fetched_at=old.fetched_at)
    return Entry(visit=visit, found=entry.found)


Batch = list[tuple[Entry, "Future[Stored]"]]


class Writer:
    """The thread. `submit` may be called from any other; `close` writes what waits and ends it.

    `hold` is called before each transaction: it makes sure of the run's lock. `keep_months`: see PAGES_KEEP_MONTHS.
    """

    def __init__(
        self, engine: Engine, crawl_id: int | None, patience: Patience, hold: Callable[[], None], keep_months: int = 0
    ) -> None:
        self._engine, self._crawl_id, self._patience, self._hold = engine, crawl_id, patience, hold
        self._keep_months = keep_months
        self._waiting: queue.SimpleQueue[tuple[Entry, Future[Stored]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, entry: Entry) -> Future[Stored]:
        """The future is done once the entry is committed; it raises DatabaseUnreachable when it could not be."""
        future: Future[Stored] = Future()
        future.set_running_or_notify_cancel()  # what was fetched is written, even if nobody waits for it any more
        self._waiting.put((entry, future))
        return future

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch = [self._waiting.get()]
            while len(batch) < MAX_BATCH and not self._waiting.empty():
                batch.append(self._waiting.get())
            open_ = None not in batch
            self._write([one for one in batch if one is not None])

    def _write(self, batch: Batch) -> None:
        """Settles every future of the batch by itself: what happens to one half is not told to the other."""
        if not batch:
            return
        try:
            stored = self._transaction([entry for entry, _ in batch])
        except DatabaseUnreachable as error:
            for _, future in batch:
                future.set_exception(error)
        except Exception as error:  # whatever it is that cannot be stored: the thread and the other rows live on
            self._refused(batch, first_line(error))
        else:
            for (_, future), result in zip(batch, stored, strict=True):
                future.set_result(result)

    def _refused(self, batch: Batch, message: str) -> None:
        if len(batch) > 1:
            half = len(batch) // 2
            self._write(batch[:half])
            self._write(batch[half:])
            return
        [(entry, future)] = batch
        logger.error("the database refused %s: %s", _address(entry), message)
        try:
            self._quarantine(entry, message)
        except DatabaseUnreachable as error:
            future.set_exception(error)
        else:
            future.set_result(Stored(error=message))

    def _quarantine(self, entry: Entry, message: str) -> None:
        for rest in (quarantined(entry, message), given_up(entry)):
            try:
                self._transaction([rest])
            except DatabaseUnreachable:
                raise
            except Exception as error:  # as above
                logger.error("nor is it quarantined: %s", first_line(error))
            else:
                return

    def _transaction(self, entries: list[Entry]) -> list[Stored]:
        def transaction() -> list[Stored]:
            self._hold()
            with self._engine.begin() as connection:
                return commit(connection, self._crawl_id, entries, self._keep_months)

        return self._patience.wait_for(transaction)


def _address(entry: Entry) -> str:
    return str(json_safe(entry.archived.page.url)) if entry.archived else f"URL {entry.visit.url_id}"
