"""What a few megabytes that unpack to a gigabyte cost, in a process of its own."""

from __future__ import annotations

import zlib
from typing import Any

from tests.downloader.crawl import OURS, STOCK, Crawled, crawl
from tests.downloader.wire import answer, wire

SETTINGS = {"ALLOW_PRIVATE_NETWORKS": True, "DOWNLOAD_TIMEOUT": 40, "RETRY_ENABLED": False, "ROBOTSTXT_OBEY": False}
MB = 1 << 20


def bomb(megabytes: int) -> bytes:
    """A gzip stream of so many MB, which never were in memory: one compressed block, again and again."""
    block = (b"<p>" + b"bomb " * 204 + b"</p>\n").ljust(1 << 10) * 1024
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(block, checksum)
    length = (megabytes * len(block)) & 0xFFFFFFFF
    end = b"\x03\x00" + checksum.to_bytes(4, "little") + length.to_bytes(4, "little")
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed * megabytes + end


def run(settings: dict[str, Any], body: bytes) -> Crawled:
    packed = answer(body, "Content-Encoding: gzip")
    with wire(lambda path, connection: connection.sendall(packed)) as server:
        urls = [f"http://news.test:{server.port}/{n}" for n in range(3)]
        return crawl(urls, {**settings, **SETTINGS}, names={"news.test": "127.0.0.1"})


def test_a_packed_gigabyte_costs_little_memory() -> None:
    body = bomb(1024)
    assert len(body) < 5 * MB
    blown = run(OURS, body)
    assert set(blown.words.values()) == {"too_large"}
    plain = run(OURS, zlib.compress(b"<p>One line.</p>", wbits=31))
    assert set(plain.words.values()) == {"page"}
    assert (blown.memory - plain.memory) * 1024 < 100 * MB


def test_stock_scrapy_unpacks_what_comes() -> None:
    """With its default DOWNLOAD_MAXSIZE. When this fails, Scrapy has mended it."""
    blown = run(STOCK, bomb(200))
    assert set(blown.words.values()) == {"page"}
    assert blown.memory * 1024 > 400 * MB
