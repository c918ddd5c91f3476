"""WARC files: every record in its place, the pages decoded, damage stepped over. One record is in memory at a time."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from crawler.dates import parse_instant
from crawler.errors import PayloadError
from crawler.payload import decoded
from crawler.urls import canonical_url
from crawler.warc_marks import framing, next_start, starts_at

HINTS = "News-Crawler-Hints"  # a header field of our own: what the page's feed had said of it
HEAD = 64 * 1024  # bytes of a file's beginning, and of its end, that tell it from others
HTML = ("text/html", "application/xhtml")
SNIFFED = 512  # bytes
Refusal = Callable[[str, datetime, Mapping[str, Any]], str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """A record: the how manieth of its file, from 1, and the byte where it, or the compressed frame around it, begins.

    `damage`: what was wrong with the file since the record before it.
    """

    number: int
    offset: int
    damage: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture(Held):
    """A page. Header names are lower-case; `body` is decoded."""

    url: str
    at: datetime
    status: int
    headers: dict[str, str]
    body: bytes
    hints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped(Held):
    """A record that is no page, and why."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The last thing that a file gives. `damage`: what was wrong with it since its last record."""

    damage: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A file by what it holds, wherever it lies."""

    path: Path
    size: int
    fingerprint: str


def identity(path: Path) -> Identity:
    """Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for start in (0, max(0, size - HEAD)):
            file.seek(start)
            digest.update(file.read(HEAD))
    return Identity(path=path, size=size, fingerprint=digest.hexdigest())


def read(
    path: Path, *, limit: int, after: tuple[int, int] = (0, 0), refusal: Refusal = lambda *_: None
) -> Iterator[Capture | Skipped | End]:
    """The records of a file in their order, those behind `after` (number and offset of a record), then its End.

    `limit`: bytes that a body may have, before and after it is decoded. `refusal` gives the reason why a page of that
    address and time, with these hints, is not wanted: its body is not looked at. Raises OSError when the disk fails.
    """
    with path.open("rb") as file:
        kind = framing(file)
        done, start = after
        if not (done and starts_at(file, kind, start)):  # nothing done yet, or compressed as a whole: from the start
            number, start = 0, 0
        else:
            number = done - 1
        damage = None
        at: int | None = start
        while at is not None:
            last, wrong = at, None
            for record in _records(file, at):
                if isinstance(record, str):
                    wrong = record
                    break
                number, last = number + 1, record.stream_pos
                found, wrong = _examined(record, number, damage, limit, refusal, number > done)
                if number > done:
                    yield found
                    damage = None
                if wrong:
                    break
            damage = damage or (f"damaged from byte {last} on: {wrong}" if wrong else None)
            at = next_start(file, kind, last + 1) if wrong else None
        if number == 0:
            damage = "there is no WARC record in it" if damage else "it is empty"
        yield End(damage=damage)


def _records(file: BinaryIO, at: int) -> Iterator[WarcRecord | str]:
    """Records from a byte on; last, the complaint about what follows them if that is no record."""
    file.seek(at)
    try:
        yield from ArchiveIterator(file, parse_http=False, strict_mode=False)
    except OSError as error:
        if error.errno is not None:
            raise
        yield str(error)
    except ValueError as error:
        yield str(error)


def _examined(
    record: WarcRecord, number: int, damage: str | None, limit: int, refusal: Refusal, new: bool
) -> tuple[Capture | Skipped, str | None]:
    """A record, and what is wrong with the file from here on."""
    place: dict[str, Any] = {"number": number, "offset": record.stream_pos, "damage": damage}
    if "Content-Length" not in record.headers or not record.record_id:
        return Skipped(**place, reason="damaged"), "a record without its header"
    try:
        reason = _kind(record)
        if reason is None and new:
            found, whole = _page(record, place, limit, refusal)
        else:
            found, whole = Skipped(**place, reason=reason or "known"), True
        whole = _rest(record) and whole
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        return Skipped(**place, reason="damaged"), str(error)
    if not whole:
        return Skipped(**place, reason="truncated"), "a record that is cut off"
    return found, None


def _kind(record: WarcRecord) -> str | None:
    """Why it cannot be a page."""
    if record.record_type == WarcRecordType.revisit:
        return "revisit"
    if record.record_type != WarcRecordType.response:
        return "not_response"
    if not record.is_http:
        return "not_http"
    return "truncated" if record.headers.get("WARC-Truncated") else None


def _page(record: WarcRecord, place: dict[str, Any], limit: int, refusal: Refusal) -> tuple[Capture | Skipped, bool]:
    """A page or why it is none, and whether all of it was there as far as it was read."""
    url = canonical_url((record.headers.get("WARC-Target-URI") or "").strip("<> "))
    date = parse_instant(record.headers.get("WARC-Date"))
    if url is None or date is None:
        return Skipped(**place, reason="bad_address" if url is None else "bad_date"), True
    hints, at = _hints(record.headers.get(HINTS)), date.at.astimezone(UTC)
    if (reason := refusal(url, at, hints)) is not None:
        return Skipped(**place, reason=reason), True
    try:
        record.parse_http(strict_mode=False)
        status, headers = record.http_headers.status_code, _headers(record)
    except (OSError, ValueError):
        return Skipped(**place, reason="bad_http"), True
    if status != 200:
        return Skipped(**place, reason="not_200" if status else "bad_http"), True
    if (said := headers.get("content-type", "").lower()) and not any(kind in said for kind in HTML):
        return Skipped(**place, reason="not_html"), True
    if record.content_length > limit:
        return Skipped(**place, reason="too_large"), True
    raw = record.reader.read(record.content_length)
    if len(raw) < record.content_length:
        return Skipped(**place, reason="truncated"), False
    try:
        body = decoded(raw, headers, limit)
    except PayloadError as error:
        return Skipped(**place, reason=error.reason), True
    if not said and b"<" not in body[:SNIFFED]:
        return Skipped(**place, reason="not_html"), True
    return Capture(**place, url=url, at=at, status=status, headers=headers, body=body, hints=hints), True


def _rest(record: WarcRecord) -> bool:
    """Read what is left of a record; whether all of it was there."""
    left = record.content_length - record.reader.tell()
    return left <= 0 or record.consume() >= left


def _headers(record: WarcRecord) -> dict[str, str]:
    """Of the response; one that was sent twice is joined as RFC 9110 says."""
    found: dict[str, str] = {}
    for name, value in record.http_headers.to_tuples():
        name = name.lower()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _hints(raw: str | None) -> Mapping[str, Any]:
    try:
        found = json.load(io.StringIO(raw or "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
