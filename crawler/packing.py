"""How the bytes of a page are packed: zstd, with other pages of the same source as the dictionary where that pays.

The pages of one source share their template, scripts and menus. A dictionary here is simply a few whole pages, one
after another, chosen by what they save on pages that are not among them. Measured (benchmarks/pages.py): one other page
of the same host brings real pages to 0.58 of what they take by themselves, two to 0.49, at no more time. What zstd
itself trains, up to 112 KiB, is made for small records: 0.76.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import zstandard

LEVEL = 3  # measured: 0.17 of the size at 211 MB/s; level 19 gives 0.147 at 2 MB/s
MOST = 1 << 20  # bytes of a dictionary
PAYS = 0.9  # a dictionary has to bring pages to this share of what they take without it, or with the one before
GROWS = 0.95  # and one more page in it, to this share of what they take without that page


class Damaged(ValueError):
    """The packed bytes are not what was packed, or not with this dictionary."""


@dataclass(frozen=True)
class Dictionary:
    """Pages that others refer to. It may be used by several threads at once."""

    content: bytes

    @cached_property
    def packing(self) -> zstandard.ZstdCompressionDict:
        """With its table of matches, which takes longer to make than a page to pack."""
        made = self.unpacking
        made.precompute_compress(level=LEVEL)
        return made

    @cached_property
    def unpacking(self) -> zstandard.ZstdCompressionDict:
        return zstandard.ZstdCompressionDict(self.content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def pack(html: bytes, dictionary: Dictionary | None = None) -> bytes:
    """The length is in the frame. With a dictionary a checksum is, too: nothing else would tell a wrong one."""
    if dictionary is None:
        return zstandard.ZstdCompressor(level=LEVEL).compress(html)
    return zstandard.ZstdCompressor(dict_data=dictionary.packing, write_checksum=True).compress(html)


def unpack(packed: bytes, length: int, dictionary: Dictionary | None = None) -> bytes:
    """What was packed, of which the length is known: a broken or hostile frame takes no more memory than that.

    Raises Damaged.
    """
    try:
        if zstandard.frame_content_size(packed) != length:
            raise Damaged("the packed page has another length than it should have")
        unpacker = zstandard.ZstdDecompressor(dict_data=dictionary.unpacking if dictionary else None)
        return unpacker.decompress(packed, max_output_size=length)
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What the best dictionary saves on pages that are not in it. `dictionary`: None when none is worth it."""

    dictionary: Dictionary | None
    before: int  # bytes of these pages as they were packed so far
    after: int


def trained(pages: Sequence[bytes], current: Dictionary | None = None) -> Trial:
    """The best dictionary out of every second page, judged by the others; a page is added as long as that pays.

    `current`: the dictionary that is in use, which a new one has to surpass.
    """
    candidates, judges = list(pages[::2]), pages[1::2]
    before = best = packed_size(judges, current)
    content = b""
    aim = before * PAYS if current is None else packed_size(judges, None)
    while candidates:
        tried = [(packed_size(judges, Dictionary(one + content)), one) for one in candidates if one]
        tried = [one for one in tried if len(one[1]) + len(content) <= MOST]
        if not tried:
            break
        size, page = min(tried)
        if size >= aim:
            break
        content, best, aim = page + content, size, size * GROWS
        candidates.remove(page)
    if not content or best > before * PAYS:
        return Trial(dictionary=None, before=before, after=before)
    return Trial(dictionary=Dictionary(content), before=before, after=best)


def packed_size(pages: Sequence[bytes], dictionary: Dictionary | None) -> int:
    """Bytes of all of them packed."""
    return sum(len(pack(page, dictionary)) for page in pages)
