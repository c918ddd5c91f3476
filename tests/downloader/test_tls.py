"""Whose certificates are believed: real TLS servers on loopback, each wrong in one way."""

from __future__ import annotations

import select
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.downloader.authority import Authority
from tests.downloader.crawl import OURS, STOCK, Crawled, crawl
from tests.downloader.wire import answer, wire

PAGE = answer(b"<html>ok</html>")
KEPT = PAGE.replace(b"Connection: close\r\n", b"")


@dataclass(frozen=True)
class Servers:
    """URLs of servers by what their certificate is."""

    urls: dict[str, str]
    names: dict[str, str]
    authority: Authority

    def crawl(
        self,
        which: dict[str, str],
        settings: dict[str, object],
        *,
        environment: dict[str, str] | None = None,
        excepted: Collection[str] = (),
    ) -> Crawled:
        """`which`: server by the path that is asked for, in this order; `excepted` have `verify_tls: False`."""
        urls = {path: f"{self.urls[server]}{path}" for path, server in which.items()}
        more = {"ALLOW_PRIVATE_NETWORKS": True, "CONCURRENT_REQUESTS": 1}
        return crawl(
            urls.values(),
            {**settings, **more},
            names=self.names,
            environment={"SSL_CERT_FILE": str(self.authority.file), **(environment or {})},
            meta={urls[path]: {"verify_tls": False} for path in excepted},
        )


def serve(path: str, connection: socket.socket) -> bool:
    connection.sendall(PAGE if path == "/robots.txt" else KEPT)
    return path != "/robots.txt"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    contexts = {
        "good": authority.context(["good.test"]),
        "www.wildcard": authority.context(["*.wildcard.test"]),
        "self-signed": authority.context(["self-signed.test"], signed=False),
        "wrong-host": authority.context(["other.test"]),
        "nameless": authority.context([]),
        "expired": authority.context(["expired.test"], start=-9, end=-2),
        "early": authority.context(["early.test"], start=2),
    }
    with ExitStack() as stack:
        ports = {name: stack.enter_context(wire(serve, tls=context)).port for name, context in contexts.items()}
        ports["plain"] = stack.enter_context(wire(serve)).port
        urls = {name: f"https://{name}.test:{port}" for name, port in ports.items()}
        yield Servers(urls, {f"{name}.test": "127.0.0.1" for name in ports}, authority)


@pytest.fixture(scope="module")
def verified(servers: Servers) -> dict[str, tuple[str, str]]:
    """Word and detail by server."""
    found = servers.crawl({f"/{name}": name for name in servers.urls}, {**OURS, "ROBOTSTXT_OBEY": False})
    assert "Traceback" not in found.log
    assert "retry/count" not in found.stats  # a certificate is no better a second later
    return {name: (found.words[f"{url}/{name}"], found.bodies[f"{url}/{name}"]) for name, url in servers.urls.items()}


@pytest.mark.parametrize("server", ["good", "www.wildcard"])
def test_a_valid_certificate_is_believed(verified: dict[str, tuple[str, str]], server: str) -> None:
    assert verified[server] == ("page", "<html>ok</html>")


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("self-signed", "it is signed by itself"),
        ("wrong-host", "it is not for wrong-host.test"),
        ("nameless", "it is not for nameless.test"),
        ("expired", "it has expired"),
        ("early", "it is not valid yet"),
        ("plain", ""),
    ],
)
def test_any_other_is_not(verified: dict[str, tuple[str, str]], server: str, problem: str) -> None:
    word, detail = verified[server]
    assert word == "tls"
    assert problem in detail


def test_a_root_that_nobody_trusts_is_not_believed(servers: Servers, tmp_path: Path) -> None:
    stranger = Servers(servers.urls, servers.names, Authority(tmp_path))
    found = stranger.crawl({"/1": "good"}, {**OURS, "ROBOTSTXT_OBEY": False})
    assert list(found.words.values()) == ["tls"]


def test_a_source_may_be_excepted_and_no_other_uses_its_connections(servers: Servers) -> None:
    which = {"/1": "self-signed", "/2": "self-signed", "/3": "self-signed", "/4": "wrong-host"}
    found = servers.crawl(which, OURS, excepted=["/1", "/3", "/4"])
    assert {url.rpartition("/")[2]: word for url, word in found.words.items()} == {
        "1": "page",
        "2": "tls",  # of its robots.txt already
        "3": "page",
        "4": "page",
    }


def test_certificates_are_verified_through_a_proxy_too(servers: Servers) -> None:
    with wire(tunnel) as proxy:
        which = {"/1": "good", "/2": "self-signed"}
        address = f"http://127.0.0.1:{proxy.port}"
        settings = {**OURS, "ROBOTSTXT_OBEY": False, "TRUSTED_PROXIES": [address]}
        found = servers.crawl(which, settings, environment={"https_proxy": address})
    assert {url.rpartition("/")[2]: word for url, word in found.words.items()} == {"1": "page", "2": "tls"}
    assert len(proxy.paths) == 2


def tunnel(path: str, connection: socket.socket) -> None:
    """CONNECT, for as long as bytes come."""
    with socket.create_connection(("127.0.0.1", int(path.rpartition(":")[2]))) as target:
        connection.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
        other = {connection: target, target: connection}
        while True:
            for ready in select.select([connection, target], [], [], 20)[0]:
                piece = ready.recv(65_536)
                if not piece:
                    return
                other[ready].sendall(piece)


def test_stock_scrapy_believes_all(servers: Servers) -> None:
    """When this fails, Scrapy has mended it: drop tls.py, if a nameless certificate is not believed either."""
    found = servers.crawl({f"/{name}": name for name in servers.urls}, {**STOCK, "ROBOTSTXT_OBEY": False})
    assert {url.rpartition("/")[2] for url, word in found.words.items() if word == "page"} == {
        *servers.urls.keys() - {"plain"}
    }


def test_stock_scrapy_believes_a_nameless_one_even_when_it_verifies(servers: Servers) -> None:
    settings = {**STOCK, "DOWNLOAD_VERIFY_CERTIFICATES": True, "ROBOTSTXT_OBEY": False}
    found = servers.crawl({"/1": "wrong-host", "/2": "nameless"}, settings)
    assert {url.rpartition("/")[2]: word for url, word in found.words.items()} == {"1": "tls", "2": "page"}
