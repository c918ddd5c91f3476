"""The pipelines without Scrapy: what today's rules make of stored pages, in worker processes, in order.

A few pages are on their way at once, and what comes out has the order of what went in: so how far it has come is one
number. A page that hangs its worker holds up what is behind it for its time limit, and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import crawler
from crawler.errors import ExtractionError
from crawler.extraction.pool import ExtractionPool
from crawler.gains import birth, change, difference, looked_at
from crawler.items import Article, Page
from crawler.pipelines.normalise import article_of
from crawler.pipelines.validate import reason_against
from crawler.recurrence import Template
from crawler.sources import Source
from crawler.store.articles import REFUSED, renewed, row_of
from crawler.store.reextractions import Change
from crawler.store.subjects import Subject

IN_FLIGHT_BYTES = 32 * 1024 * 1024
PER_WORKER = 8  # pages that are on their way
LIBRARIES = ("htmldate", "lxml", "py3langid", "python-dateutil", "trafilatura")
RULES = ("*.py", "extraction/**/*.*", "pipelines/*.py")  # of this program: what a page's article depends on
SEED_KEYS = {"name", "language", "boilerplate", "articles"}  # the same of a seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A subject with all that its extraction takes; without a page when that is not stored any more, or damaged."""

    subject: Subject
    page: Page | None = None
    damage: str | None = None
    source: Source | None = None
    template: Template | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What today's rules make of a subject's page: an article, or the `reason` why it is none, or has `failed`."""

    job: Job
    article: Article | None = None
    reason: str | None = None
    failed: bool = False


async def readings(pool: ExtractionPool, jobs: Iterable[Job], workers: int) -> AsyncGenerator[Reading]:
    """What becomes of each, in their order; `jobs` is read only as far as there is room."""
    waiting: deque[tuple[int, asyncio.Task[Reading]]] = deque()
    size = 0
    try:
        for job in jobs:
            own = len(job.page.html) if job.page else 0
            while waiting and (len(waiting) >= PER_WORKER * workers or size + own > IN_FLIGHT_BYTES):
                bytes_, task = waiting.popleft()
                size -= bytes_
                yield await task
            waiting.append((own, asyncio.create_task(_read(pool, job))))
            size += own
            await asyncio.sleep(0)  # lets it go to a worker before the next page is taken from the database
        while waiting:
            yield await waiting.popleft()[1]
    finally:
        for _, task in waiting:
            task.cancel()


async def _read(pool: ExtractionPool, job: Job) -> Reading:
    page = job.page
    if job.damage is not None:
        return Reading(job=job, reason="page_damaged", failed=True)
    if page is None:
        return Reading(job=job, reason="without_page")
    try:
        extraction = await pool.extract(page.html, page.url, job.source, job.template)
    except ExtractionError as error:
        return Reading(job=job, reason=error.reason, failed=True)
    article = article_of(page, extraction)
    reason = reason_against(article, extraction.page_type)
    return Reading(job=job, article=None if reason else article, reason=reason)


def fingerprint(sources: Iterable[Source]) -> str:
    """Changes whenever a page's article may: with this program, its libraries or these seeds."""
    digest = hashlib.sha256()
    for part in (*_program(), *_libraries()):
        digest.update(part)
    for source in sorted(sources, key=lambda source: source.id):
        told = source.model_dump(mode="json", include=SEED_KEYS)
        digest.update(json.dumps([source.id, told], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _program() -> Iterator[bytes]:
    root = Path(crawler.__file__).parent
    for path in sorted({path for pattern in RULES for path in root.glob(pattern) if path.is_file()}):
        if path.suffix != ".pyc":
            yield path.relative_to(root).as_posix().encode()
            yield path.read_bytes()


def _libraries() -> Iterator[bytes]:
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            yield f"{name} {version(name)}".encode()


def judged(reading: Reading) -> tuple[Counter[str], Change | None]:
    """What a reading is counted as, and what of it is to be stored, if anything."""
    subject = reading.job.subject
    old, row = subject.old, row_of(reading.article) if reading.article else None
    counted = looked_at(old) if old is not None else Counter({"pages": 1})
    if reading.failed:
        counted[f"failed/{reading.reason}"] += 1
        assert subject.held is not None
        detail = f": page {subject.held.id}: {damage}" if (damage := reading.job.damage) else ""
        return counted, Change(subject=subject, outcome="failed", reason=f"{reading.reason}{detail}")
    if old is None:
        if row is None:
            return counted, None
        told = difference((), row["blocks"])
        return counted + birth(told), Change(subject=subject, outcome="new", weight=told.weight, content=row)
    if reading.job.page is None:
        counted["without_page"] += 1
        return counted, None
    if row is None:
        counted[f"rejected/{reading.reason}"] += 1
        return counted, Change(subject=subject, outcome="rejected", reason=reading.reason)
    if row["key"] != old["key"] and old["evidence"].get("canonical_url") != REFUSED:
        counted["readdressed"] += 1
    values, found = renewed(old, row)
    if not values:
        return counted, None
    told = difference(old["blocks"], {**old, **values}["blocks"])
    counted += change(old, values, told, revised=bool(found.changed))
    return counted, Change(subject=subject, outcome="changed", weight=told.weight, content=values)
