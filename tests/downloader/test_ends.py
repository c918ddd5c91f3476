"""What each way in which a download can end is called, over real connections. No retries, no robots.txt."""

from __future__ import annotations

import gzip
import socket
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import brotli
import pytest

from crawler.outcomes import OUTCOMES
from tests.downloader.crawl import OURS, STOCK, Crawled, crawl
from tests.downloader.wire import answer, reset, wire

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PAGE = b"<html><body>" + b"<p>The harbour bridge was closed on Monday.</p>" * 400 + b"</body></html>"
PACKED = gzip.compress(PAGE)
BOMB = 64 << 20  # bytes
PATIENCE = 2  # seconds: the time limit of what is to run into it; what is only slow on a busy machine has more

Act = Callable[[socket.socket], object]


def sends(*pieces: bytes, pause: float = 0.0) -> Act:
    def act(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return act


def says(status: str, *headers: str, body: bytes = b"") -> Act:
    return sends(answer(body, *headers, status=status))


def cut(connection: socket.socket) -> None:
    connection.sendall(answer(PAGE[:5000], length=len(PAGE)))
    time.sleep(0.05)  # let the first part arrive
    reset(connection)


def chunked(connection: socket.socket, *, blocks: int) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
    block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(blocks):
        connection.sendall(block)
    connection.sendall(b"0\r\n\r\n")


def endless_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: and more and more\r\n" * 1000)


# fmt: off
ENDS: dict[str, tuple[str, Act]] = {
    # -- what newsweb's faults do
    "latency": ("page", sends(b"", answer(PAGE), pause=0.3)),
    "stall": ("timeout", lambda connection: time.sleep(2 * PATIENCE)),
    "429": ("rate_limited", says("429 Slow down")),
    "503": ("server_error", says("503 Busy")),
    "403": ("forbidden", says("403 No", body=PAGE)),
    "404": ("not_found", says("404 No", body=PAGE)),
    "500": ("server_error", says("500 No")),
    "empty": ("page", says("200 OK")),
    "reset": ("truncated", cut),
    "short": ("truncated", sends(answer(PAGE[:5000], length=len(PAGE)))),
    "truncgzip": ("truncated", sends(answer(PACKED[: len(PACKED) // 2], "Content-Encoding: gzip"))),
    "badgzip": ("page", sends(answer(PAGE, "Content-Encoding: gzip"))),
    "slowloris": ("timeout", sends(answer(b"", length=500), *[b"x"] * 80, pause=0.1)),
    "redirloop": ("redirect_loop", says("302 There", "Location: /redirloop?")),
    "redirect-file": ("unsupported_scheme", says("302 There", "Location: file:///etc/passwd")),
    "huge": ("too_large", lambda connection: chunked(connection, blocks=300)),
    "huge-told": ("too_large", sends(answer(PAGE, length=200 << 20))),
    "gzipbomb": ("too_large", sends(answer(gzip.compress(bytes(BOMB)), "Content-Encoding: gzip"))),
    # -- and what else there is
    "deflatebomb": ("too_large", sends(answer(zlib.compress(bytes(BOMB)), "Content-Encoding: deflate"))),
    "brbomb": ("too_large", sends(answer(brotli.compress(bytes(BOMB), quality=5), "Content-Encoding: br"))),
    "zstdbomb": ("too_large", sends(answer(zstd.compress(bytes(BOMB)), "Content-Encoding: zstd"))),
    "gzip": ("page", sends(answer(PACKED, "Content-Encoding: gzip"))),
    "br": ("page", sends(answer(brotli.compress(PAGE), "Content-Encoding: br"))),
    "zstd": ("page", sends(answer(zstd.compress(PAGE), "Content-Encoding: zstd"))),
    "garbage": ("bad_encoding", sends(answer(bytes(range(256)) * 9, "Content-Encoding: gzip"))),
    "sitemap.xml.gz": ("not_html", sends(answer(PACKED).replace(b"text/html", b"application/gzip"))),
    "closed": ("connection", lambda connection: None),
    "reset-at-once": ("connection", reset),
    "unmeasured": ("page", sends(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE)),
    "unmeasured-cut": ("truncated", sends(b"HTTP/1.0 200 OK\r\n\r\n" + PAGE[:5000])),
    "bad-chunk": ("truncated", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")),
    "ssh": ("bad_response", sends(b"SSH-2.0-OpenSSH_9.6\r\n")),
    "lengths": ("bad_response", sends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc")),
    "coding": ("bad_response", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\nabc")),
    "headers": ("bad_response", endless_headers),
    "nowhere": ("bad_redirect", says("302 There")),
    "bracket": ("bad_redirect", says("302 There", "Location: http://[::1/")),
    "204": ("no_content", sends(b"HTTP/1.1 204 Nothing\r\nConnection: close\r\n\r\n")),
    "202": ("page", says("202 Later", body=PAGE)),
    "999": ("forbidden", says("999 Go away")),
    "wall": ("bot_challenge", says("503 Busy", "CF-Mitigated: challenge", body=PAGE)),
}
# fmt: on


@dataclass(frozen=True)
class Ends:
    crawled: Crawled
    base: str

    def word(self, path: str) -> str:
        return self.crawled.words[f"{self.base}/{path}"]

    def detail(self, path: str) -> str:
        return self.crawled.bodies[f"{self.base}/{path}"]


def act(path: str, connection: socket.socket) -> None:
    ENDS[path.strip("/?")][1](connection)


def run(settings: dict[str, object], paths: list[str], late: list[str]) -> Ends:
    """`late`: those that are to run into a time limit."""
    with wire(act) as server:
        base = f"http://news.test:{server.port}"
        meta = {f"{base}/{path}": {"download_timeout": PATIENCE} for path in late}
        more = {"DOWNLOAD_TIMEOUT": 30, "RETRY_ENABLED": False, "ROBOTSTXT_OBEY": False}
        # More at once than a host would be asked for: what is slow must not make the rest wait.
        more |= {"ALLOW_PRIVATE_NETWORKS": True, "CONCURRENT_REQUESTS_PER_DOMAIN": 8}
        urls, names = [f"{base}/{path}" for path in paths], {"news.test": "127.0.0.1"}
        return Ends(crawl(urls, {**settings, **more}, names=names, meta=meta), base)


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    yield run(OURS, list(ENDS), [path for path, (word, _) in ENDS.items() if word == "timeout"])


@pytest.fixture(scope="module")
def stock() -> Ends:
    return run(STOCK, ["truncgzip", "badgzip", "headers"], ["headers"])


@pytest.mark.parametrize("path", ENDS)
def test_each_end_has_its_word(ends: Ends, path: str) -> None:
    word, _ = ENDS[path]
    assert ends.word(path) == word, ends.detail(path)
    assert word == "page" or word in OUTCOMES


@pytest.mark.parametrize("path", ["gzip", "br", "zstd", "badgzip", "unmeasured"])
def test_a_page_comes_whole_however_it_was_packed(ends: Ends, path: str) -> None:
    assert ends.detail(path).encode() == PAGE[:200]


def test_nothing_is_logged_as_an_error(ends: Ends) -> None:
    assert "Traceback" not in ends.crawled.log
    assert "log_count/ERROR" not in ends.crawled.stats


class TestStockScrapy:
    """The faults that decoding.py and handler.py mend. When one of these tests fails, Scrapy has mended it."""

    def test_half_a_gzip_stream_is_passed_on_as_a_page(self, stock: Ends) -> None:
        assert stock.word("truncgzip") == "page"

    def test_a_plain_body_that_is_called_gzip_is_lost(self, stock: Ends) -> None:
        assert stock.word("badgzip") != "page"

    def test_headers_are_read_as_long_as_they_come(self, stock: Ends) -> None:
        assert stock.word("headers") == "timeout"
