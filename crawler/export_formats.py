"""Rows as files: JSON lines, CSV, Parquet. Each is written as a stream, whatever its size.

Instants are UTC: `2026-11-23T10:30:00Z` in JSON and CSV, timestamps with a zone in Parquet. Lists and objects stay what
they are in JSON and Parquet; in CSV a cell holds their JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, Protocol

from crawler.errors import ConfigurationError

FORMATS = ("parquet", "jsonl", "csv")
GROUP_ROWS, GROUP_CHARACTERS = 10_000, 16_000_000  # of Parquet: what is in memory at a time
Row = Mapping[str, Any]


class Sink:
    """A binary file that counts what it is given, and can tell where it stands even when it is a pipe."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.written, self.closed = file, 0, False
        self._discards = False

    def write(self, data: bytes) -> int:
        if not self._discards:
            self._file.write(data)
        size = memoryview(data).nbytes
        self.written += size
        return size

    def tell(self) -> int:
        return self.written

    def flush(self) -> None:
        if not self._discards:
            self._file.flush()

    def discard(self) -> None:
        """Take no more to the file: a writer that is given up may still want to write its end."""
        self._discards = True

    def close(self) -> None:
        """The file is closed by whoever opened it."""
        self.closed = True


class RowWriter(Protocol):
    """What every format does."""

    def write(self, row: Row) -> None: ...

    def close(self) -> None:
        """Write what is left; a file without it is not whole."""


def writer_for(name: str) -> Callable[[Sink, Sequence[str]], RowWriter]:
    """What writes a format. Raises ConfigurationError when Parquet's package is not installed."""
    if name != "parquet":
        return JsonLines if name == "jsonl" else Csv
    try:
        from crawler.parquet import Parquet
    except ImportError:
        raise ConfigurationError(
            "--format parquet needs pyarrow: pip install 'news-crawler[parquet]' (or pip install pyarrow)"
        ) from None
    return Parquet


class JsonLines:
    """An object a line."""

    def __init__(self, sink: Sink, _: Sequence[str]) -> None:
        self._sink = sink

    def write(self, row: Row) -> None:
        self._sink.write((json.dumps(row, ensure_ascii=False, default=instant) + "\n").encode())

    def close(self) -> None:
        self._sink.flush()


class Csv:
    """RFC 4180 in UTF-8, with a header; NULL is an empty cell."""

    def __init__(self, sink: Sink, columns: Sequence[str]) -> None:
        self._sink, self._columns = sink, columns
        self._line = io.StringIO()
        self._writer = csv.writer(self._line)
        self._put(columns)

    def write(self, row: Row) -> None:
        self._put([_cell(row[name]) for name in self._columns])

    def close(self) -> None:
        self._sink.flush()

    def _put(self, cells: Sequence[Any]) -> None:
        self._writer.writerow(cells)
        self._sink.write(self._line.getvalue().encode())
        self._line.seek(0)
        self._line.truncate()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def instant(at: Any) -> str:
    """ISO 8601 in UTC. Raises TypeError for what is no instant, as json.dumps wants it."""
    if not isinstance(at, datetime):
        raise TypeError(f"{type(at).__name__} cannot be exported")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
