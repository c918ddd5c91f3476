"""Where records of a WARC file can begin, whatever compresses them: the way back in, and on beyond damage."""

from __future__ import annotations

import re
from typing import BinaryIO, Literal

Framing = Literal["gzip", "zstd", "plain", "opaque"]

BLOCK = 1024 * 1024  # bytes read at a time
OVERLAP = 32  # bytes: longer than any mark
MARKS: dict[Framing, re.Pattern[bytes]] = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "plain": re.compile(rb"(?:(?<=\n)|\A)WARC/[01]\.\d+\r?\n"),
}


def framing(file: BinaryIO) -> Framing:
    """What a file begins with. `opaque`: lz4, or zstd with a dictionary, in whose middle nothing can be read."""
    file.seek(0)
    head = file.read(4)
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head == b"\x28\xb5\x2f\xfd":
        return "zstd"
    if head[1:] == b"\x2a\x4d\x18" or head == b"\x04\x22\x4d\x18":
        return "opaque"
    return "plain"


def starts_at(file: BinaryIO, kind: Framing, at: int) -> bool:
    """Whether a record, or a compressed frame of some, may begin at that byte."""
    if kind == "opaque":
        return False
    file.seek(at)
    return MARKS[kind].match(file.read(OVERLAP)) is not None


def next_start(file: BinaryIO, kind: Framing, at: int) -> int | None:
    """The first byte from `at` on where a record may begin; None when there is none."""
    if kind == "opaque":
        return None
    skip = min(at, 1)  # a line's end may be the byte before
    at -= skip
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if found := MARKS[kind].search(block, skip):
            return at + found.start()
        if len(block) < BLOCK:
            return None
        at, skip = at + len(block) - OVERLAP, 1
