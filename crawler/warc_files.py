"""Pages written as WARC 1.1: response records whose headers agree with their bodies, which are stored decoded."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler import __version__
from crawler.errors import ConfigurationError
from crawler.items import Page
from crawler.warc import HINTS

ENDINGS = (".warc.gz", ".warc")
NOT_KEPT = frozenset({"connection", "content-encoding", "content-length", "transfer-encoding"})  # not of a stored body
MAX_HINTS = 8_192  # characters; readers bound the length of a header
BREAKS = re.compile(r"[\r\n\x00]+")


class WarcFiles:
    """Writes pages to `path`, or from `max_size` bytes on to the next of path-00000, path-00001, …

    A file has its name only once it is complete; until then it ends in `.part`. Leaving it by an exception removes the
    one that is not. Raises ConfigurationError when a file of that name exists, or the name is not that of a WARC file.
    """

    def __init__(self, path: Path, about: Mapping[str, str], max_size: int | None = None) -> None:
        self.path, self.max_size = path, max_size
        self.about = {"software": f"news-crawler/{__version__}", "format": "WARC File Format 1.1", **about}
        self.ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
        if path.name.removesuffix(self.ending) in ("", path.name):
            raise ConfigurationError(f"{path}: name it OUT.warc.gz or OUT.warc")
        self.done: list[Path] = []
        self.pages = self.size = 0
        self._file: BinaryIO | None = None
        self._writer: WARCWriter | None = None
        self._target()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            self._complete()
        elif self._file is not None:
            self._file.close()
            Path(self._file.name).unlink()

    def write(self, page: Page) -> None:
        if self._file is not None and self.max_size is not None and self._file.tell() >= self.max_size:
            self._complete()
        writer = self._writer or self._open()
        writer.write_record(
            writer.create_warc_record(
                page.url,
                "response",
                payload=io.BytesIO(page.html),
                length=len(page.html),
                http_headers=StatusAndHeaders(_status(page.status), _headers(page), protocol="HTTP/1.1"),
                warc_headers_dict={"WARC-Date": _instant(page.fetched_at)} | _hints(page),
            )
        )
        self.pages += 1

    @property
    def written(self) -> int:
        """Bytes, of all files."""
        return self.size + (self._file.tell() if self._file is not None else 0)

    def _open(self) -> WARCWriter:
        target = self._target()
        self._file = target.with_name(f"{target.name}.part").open("wb")
        self._writer = WARCWriter(self._file, gzip=self.ending == ".warc.gz", warc_version="1.1")
        self._writer.write_record(self._writer.create_warcinfo_record(target.name, self.about))
        return self._writer

    def _complete(self) -> None:
        if self._file is None:
            return
        self.size += self._file.tell()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        target = self._target()
        Path(self._file.name).rename(target)
        self.done.append(target)
        self._file = self._writer = None

    def _target(self) -> Path:
        """Where the next file belongs."""
        number = "" if self.max_size is None else f"-{len(self.done):05}"
        target = self.path.with_name(f"{self.path.name.removesuffix(self.ending)}{number}{self.ending}")
        if target.exists():
            raise ConfigurationError(f"{target} exists already; it is not overwritten")
        if not target.parent.is_dir():
            raise ConfigurationError(f"{target.parent} is no folder")
        return target


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Unknown"


def _headers(page: Page) -> list[tuple[str, str]]:
    kept = [(name, BREAKS.sub(" ", value)) for name, value in page.headers.items() if name.lower() not in NOT_KEPT]
    return [*kept, ("content-length", str(len(page.html)))]


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _hints(page: Page) -> dict[str, str]:
    """What a page's feed had said, and whose page it is: an import makes the same article of it."""
    said = {"source": page.source}
    if (hints := page.candidate) is not None:
        said |= {"title": hints.title} if hints.title else {}
        said |= {"published_at": hints.published_at.isoformat()} if hints.published_at else {}
    written = json.dumps(said)
    return {HINTS: written} if len(written) <= MAX_HINTS else {}
