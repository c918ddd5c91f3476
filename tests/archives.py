"""WARC files for tests, made by warcio of the newspaper's pages, and what may be wrong with them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import zstandard
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from tests.site.generated import Generated
from tests.site.pages import article_page
from tests.site.publication import PAPERS

SITE = "https://www.herald.example"
AT = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
HTML = (("Content-Type", "text/html; charset=utf-8"),)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A record as it goes into a file."""

    url: str
    body: bytes
    at: datetime | str = AT
    status: str = "200 OK"
    headers: Sequence[tuple[str, str]] = HTML
    kind: str = "response"
    fields: dict[str, str] = field(default_factory=dict)  # of the WARC header


def stories(numbers: Iterable[int], site: str = SITE, at: datetime = AT, more: str = "") -> list[Kept]:
    """Generated articles of the herald, `more` added to their text."""
    paper = Generated(PAPERS[0], range(1_000_000))
    found = []
    for number in numbers:
        page = article_page(paper.article(number), site)
        page = page.replace("</p>", f" {more}</p>", 1) if more else page
        found.append(Kept(url=site + paper.path(number), body=page.encode(), at=at))
    return found


def write(path: Path, records: Iterable[Kept], *, gzip: bool = True) -> list[int]:
    """Write a file and return where each record begins, the warcinfo record first."""
    offsets = [0]
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=gzip, warc_version="1.1")
        writer.write_record(writer.create_warcinfo_record(path.name, {"software": "tests"}))
        for kept in records:
            offsets.append(file.tell())
            writer.write_record(_record(writer, kept))
    return offsets


def write_zstd(path: Path, records: Iterable[Kept]) -> list[int]:
    """As write(), a frame of zstd for each record."""
    plain = path.with_suffix(".plain")
    offsets = write(plain, records, gzip=False)
    data = plain.read_bytes()
    frames = [zstandard.compress(data[a:b]) for a, b in zip(offsets, [*offsets[1:], len(data)], strict=True)]
    path.write_bytes(b"".join(frames))
    plain.unlink()
    return [sum(map(len, frames[:n])) for n in range(len(frames))]


def _record(writer: WARCWriter, kept: Kept) -> object:
    date = kept.at if isinstance(kept.at, str) else kept.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    http = StatusAndHeaders(kept.status, list(kept.headers), protocol="HTTP/1.1")
    return writer.create_warc_record(
        kept.url,
        kept.kind,
        payload=io.BytesIO(kept.body),
        length=len(kept.body),
        http_headers=http if kept.kind in ("response", "revisit") else None,
        warc_content_type="" if kept.kind in ("response", "revisit") else "text/plain",
        warc_headers_dict={"WARC-Date": date, **kept.fields},
    )
