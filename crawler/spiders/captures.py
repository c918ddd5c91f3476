"""Archives' files, and their records as the pipelines take them and leave them. Pure but for the names of files."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from crawler.dates import parse_instant
from crawler.errors import ConfigurationError
from crawler.items import Candidate, Page, Record
from crawler.spiders import fetches
from crawler.store.writer import Stored
from crawler.warc import Capture, End, Held, Skipped

BATCH_RECORDS, BATCH_BYTES = 200, 4 * 1024 * 1024  # read ahead at a time
KEPT_HEADERS = frozenset(fetches.KEPT_HEADERS) - {"content-encoding"}  # bodies are decoded
Event = Capture | Skipped | End


def archives_at(pattern: object) -> list[Path]:
    """The files that a path or a glob names, sorted. Raises ConfigurationError when there is none."""
    if not isinstance(pattern, str) or not pattern.strip():
        raise ConfigurationError("say which files: -a warc='archives/*.warc.gz'")
    if Path(pattern).is_dir():
        raise ConfigurationError(f"{pattern} is a folder; name its files: -a warc='{pattern.rstrip('/')}/*.warc.gz'")
    found = [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True)  # noqa: PTH207 (absolute ones)
    files = sorted(path for path in map(Path, found) if path.is_file())
    if not files:
        raise ConfigurationError(f"-a warc={pattern} names no file")
    return files


def next_batch(events: Iterator[Event]) -> list[Event]:
    """The next records, until there are enough of them."""
    batch: list[Event] = []
    size = 0
    for event in events:
        batch.append(event)
        size += len(event.body) if isinstance(event, Capture) else 0
        if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
            break
    return batch


def passed_over(capture: Capture) -> Skipped:
    """A record of what was forgotten."""
    held = {one.name: getattr(capture, one.name) for one in fields(Held)}
    return Skipped(**held, reason="forgotten")


def page_of(capture: Capture, source: str, found_at: str) -> Page:
    headers = {name: value for name, value in capture.headers.items() if name in KEPT_HEADERS}
    hints = {name: capture.hints.get(name) for name in ("title", "guid", "published_at", "modified_at")}
    said = {name: value for name, value in hints.items() if isinstance(value, str)}
    candidate = Candidate(
        url=capture.url,
        source=source,
        found_in="archive",
        found_at=found_at,
        title=said.get("title"),
        guid=said.get("guid"),
        published_at=_instant(said.get("published_at")),
        modified_at=_instant(said.get("modified_at")),
    )
    return Page(
        url=capture.url,
        requested_url=capture.url,
        source=source,
        status=capture.status,
        headers=headers,
        html=capture.body,
        fetched_at=capture.at,
        candidate=candidate,
    )


def _instant(raw: str | None) -> datetime | None:
    found = parse_instant(raw)
    return found.at if found else None


def outcome_of(record: Record) -> str:
    """What became of a page, as the archive's row counts it."""
    stored: Stored | None = record.stored
    if stored is not None and stored.forgotten:
        return "forgotten"
    if stored is None or stored.error:
        return "failed" if stored is None else "store_refused"
    return stored.outcome or record.rejected or "not_an_article"
