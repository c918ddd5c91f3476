"""What raw pages take, packed in several ways, and the time for it.

    python -m benchmarks.pages --data-root DIR

Real pages, of hosts that have more than one in the corpora (benchmarks/corpora.py). Each is packed by itself, with one
other page of its host as the dictionary, with all others, and with a dictionary that zstd has trained on variants of
the others: their own bytes, every second long word between tags replaced by another. No page is in its dictionary. The
corpora's pages of one host are mostly of other years: pages of one month have more in common.

November 2026, two cores that others used, 123 pages of 57 hosts, of 230 KB: by itself 42.2 KB, at level 6 39.2; with
one other page 24.4, 0.58 of it, in no more time (0.4 ms to pack, 0.1 ms to unpack; level 6 takes 1.3). The 27 pages
whose host has more: one other page 0.60, two 0.49; trained on 50 variants of these two, 16 KiB 0.97, 64 KiB 0.86,
112 KiB 0.76, 256 KiB 0.63, at more time. So crawler/packing.py takes whole pages.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import zstandard
from rich.console import Console
from rich.table import Table

from benchmarks.corpora import READERS, load
from crawler.packing import LEVEL, MOST, Dictionary, pack, unpack

ARCHIVES = ("archive.org",)  # pages of everybody
SAMPLES = 50  # variants for a trained dictionary
SIZES = (16, 64, 112, 256)  # KiB of trained dictionaries
ROUNDS = 3  # the best counts
TEXT = re.compile(rb">[^<]{40,}<")
WORD = re.compile(rb"\b[a-z]{5,14}\b")
SYLLABLES = (b"ka", b"lo", b"mi", b"ren", b"tas", b"vel", b"don", b"per")

Packer = Callable[[bytes], bytes]


@dataclass
class Sum:
    """Over the pages that a way was tried on. `plain`: what these take without a dictionary."""

    pages: int = 0
    raw: int = 0
    plain: int = 0
    packed: int = 0
    packing: float = 0.0
    unpacking: float = 0.0


def hosts(data_root: Path) -> dict[str, list[bytes]]:
    """Pages by host, of hosts with several."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for corpus in READERS:
        for sample in load(corpus, data_root):
            host = (urlsplit(sample.url or "").hostname or "").removeprefix("www.")
            if host and not host.endswith(ARCHIVES):
                found[host].append(sample.html)
    return {host: pages for host, pages in found.items() if len(pages) > 1}


def variant(html: bytes, dice: random.Random) -> bytes:
    """Another article on the same page."""

    def word(match: re.Match[bytes]) -> bytes:
        return b"".join(dice.choices(SYLLABLES, k=3)) if dice.random() < 0.5 else match[0]

    return TEXT.sub(lambda text: WORD.sub(word, text[0]), html)


def ways(others: Sequence[bytes]) -> Iterator[tuple[str, Dictionary | None, zstandard.ZstdCompressionDict | None]]:
    """Title, dictionary of ours, dictionary of zstd's own."""
    yield "one other page", Dictionary(others[0]), None
    if len(others) > 1:
        yield "one, of two", Dictionary(others[0]), None
        yield "two other pages", Dictionary((others[1] + others[0])[-MOST:]), None
        dice = random.Random(5)  # noqa: S311
        samples: list[bytes | bytearray | memoryview] = [
            variant(others[number % len(others)], dice) for number in range(SAMPLES)
        ]
        for size in SIZES:
            yield f"trained, {size} KiB", None, zstandard.train_dictionary(size << 10, samples, level=LEVEL)


def measure(pages: Sequence[bytes], sums: dict[str, Sum]) -> None:
    """Each page of a host by what is known of the others."""
    for index, html in enumerate(pages):
        others = [*pages[:index], *pages[index + 1 :]]
        plain = len(pack(html))
        _add(sums["by itself"], html, plain, pack, lambda packed, html=html: unpack(packed, len(html)))  # type: ignore[misc]
        level6 = zstandard.ZstdCompressor(level=6)
        _add(sums["by itself, level 6"], html, plain, level6.compress, zstandard.ZstdDecompressor().decompress)
        for title, ours, theirs in ways(others):
            if ours:
                ours.packing  # noqa: B018 (made once for many pages)
                _add(
                    sums[title],
                    html,
                    plain,
                    lambda html, ours=ours: pack(html, ours),  # type: ignore[misc]
                    lambda packed, html=html, ours=ours: unpack(packed, len(html), ours),  # type: ignore[misc]
                )
            elif theirs:
                theirs.precompute_compress(level=LEVEL)
                unpacker = zstandard.ZstdDecompressor(dict_data=theirs)
                _add(sums[title], html, plain, zstandard.ZstdCompressor(dict_data=theirs).compress, unpacker.decompress)


def _add(total: Sum, html: bytes, plain: int, packer: Packer, unpacker: Packer) -> None:
    packing, packed = _timed(packer, html)
    unpacking, unpacked = _timed(unpacker, packed)
    if unpacked != html:
        raise SystemExit("a page did not come back as it was")
    total.pages += 1
    total.raw += len(html)
    total.plain += plain
    total.packed += len(packed)
    total.packing += packing
    total.unpacking += unpacking


def _timed(work: Packer, given: bytes) -> tuple[float, bytes]:
    best, result = float("inf"), b""
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = work(given)
        best = min(best, time.perf_counter() - started)
    return best, result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What raw pages take, packed in several ways")
    parser.add_argument("--data-root", type=Path, required=True, help="the folder with the corpora's clones")
    given = parser.parse_args(arguments)
    found, sums = hosts(given.data_root), defaultdict[str, Sum](Sum)
    for pages in found.values():
        measure(pages, sums)
    title = f"{sum(map(len, found.values()))} pages of {len(found)} hosts"
    table = Table("", "pages", "KB", "packed KB", "of by itself", "ms to pack", "to unpack", title=title)
    for name, one in sums.items():
        sizes = (f"{one.raw / one.pages / 1e3:.0f}", f"{one.packed / one.pages / 1e3:.1f}")
        times = (f"{part / one.pages * 1e3:.2f}" for part in (one.packing, one.unpacking))
        table.add_row(name, str(one.pages), *sizes, f"{one.packed / one.plain:.2f}", *times)
    Console().print(table)


if __name__ == "__main__":
    main()
