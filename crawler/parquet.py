"""Parquet. The only import of pyarrow, which is the extra `[parquet]`: imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from crawler.errors import StoreError
from crawler.export_formats import GROUP_CHARACTERS, GROUP_ROWS, Row, Sink

INSTANT = pa.timestamp("us", tz="UTC")
TEXTS = pa.list_(pa.string())
IMAGES = pa.list_(pa.struct({name: pa.string() for name in ("url", "caption", "credit", "alt")}))
POSTS = pa.list_(pa.struct({"headline": pa.string(), "published_at": INSTANT, "url": pa.string()}))
BLOCKS = pa.list_(
    pa.struct(
        {
            "kind": pa.string(),
            "text": pa.string(),
            "kept": pa.bool_(),
            "reason": pa.string(),
            "rule": pa.string(),
            "level": pa.int32(),
            "score": pa.float64(),
            "post": pa.int32(),
        }
    )
)
TYPES = {
    "id": pa.int64(),
    "authors": TEXTS,
    "tags": TEXTS,
    "published_at": INSTANT,
    "modified_at": INSTANT,
    "stored_at": INSTANT,
    "updated_at": INSTANT,
    "published_zone_assumed": pa.bool_(),
    "is_accessible_for_free": pa.bool_(),
    "page_type_confidence": pa.float64(),
    "confidence": pa.float64(),
    "word_count": pa.int32(),
    "revision": pa.int32(),
    "images": IMAGES,
    "posts": POSTS,
    "blocks": BLOCKS,
    "evidence": pa.map_(pa.string(), pa.string()),
}  # all others are text


class Parquet:
    """A row group is written when enough rows, or large ones, have come together."""

    def __init__(self, sink: Sink, columns: Sequence[str]) -> None:
        self._schema = pa.schema([(name, TYPES.get(name, pa.string())) for name in columns])
        self._writer = parquet.ParquetWriter(sink, self._schema, compression="zstd")
        self._rows: list[Row] = []
        self._characters = 0

    def write(self, row: Row) -> None:
        self._rows.append(_with_instants(row) if row.get("posts") else row)
        self._characters += sum(map(_size, row.values()))
        if len(self._rows) >= GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
            self._put()

    def close(self) -> None:
        if self._rows:
            self._put()
        self._writer.close()

    def _put(self) -> None:
        try:
            batch = pa.Table.from_pylist(self._rows, schema=self._schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise StoreError(f"a stored value is not of its column's type: {error}") from error
        self._writer.write_table(batch)
        self._rows, self._characters = [], 0


def _with_instants(row: Row) -> dict[str, Any]:
    """Instants within JSON are text."""
    return {**row, "posts": [_post(post) for post in row["posts"]]}


def _post(post: Mapping[str, Any]) -> dict[str, Any]:
    at = post.get("published_at")
    return {**post, "published_at": datetime.fromisoformat(at) if at else None}


def _size(value: Any) -> int:
    """About how many characters a value has."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values())) + 8 * len(value)
    return sum(map(_size, value)) + 8 * len(value) if isinstance(value, list) else 8
