"""What a crawl may connect to, tried with real crawls: direct, after a redirect, through the user's proxy."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

import pytest

from crawler import settings as project
from crawler.downloader.resolver import is_public, literal_address, proxy_addresses
from tests.downloader.crawl import OURS, STOCK, Crawled, crawl
from tests.downloader.server import Answer, Hosts, serve
from tests.downloader.wire import answer, wire

NAMES = {"private.test": "127.0.0.1", "proxy.test": "127.0.0.1"}
LITERALS = [
    *(
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "127.0.0.1.",
        "１２７。0.0.1",
        "①②⑦.0.0.1",
    ),
    *("localhost", "LOCALHOST.", "news.localhost", "ip6-localhost"),
    *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
]


def script(host: str, path: str, before: int) -> Answer:
    if path == "/away":
        return Answer(status=302, headers={"Location": "http://127.0.0.1/secret"})
    return Answer(status=404) if path == "/robots.txt" else Answer()


def run(urls: list[str], settings: Mapping[str, object], hosts: Hosts, **environment: str) -> Crawled:
    return crawl(urls, {**OURS, **settings}, names=NAMES, environment=environment)


@pytest.mark.parametrize("robots_obeyed", [True, False])
def test_private_addresses_are_refused(robots_obeyed: bool) -> None:
    with serve(script) as hosts:
        urls = [f"http://{host}:{hosts.port}/" for host in [*LITERALS, "private.test", "PRIVATE.test."]]
        hops = [
            f"http://public.test/?http://{host}:{hosts.port}/" for host in ["127.0.0.1", "2130706433", "private.test"]
        ]
        crawled = run([*urls, *hops], {"ROBOTSTXT_OBEY": robots_obeyed}, hosts)
    assert hosts.visits == []
    assert len(crawled.outcomes) == len(urls) + len(hops)
    for url, outcome in crawled.outcomes.items():
        assert outcome.startswith("BlockedAddress: blocked_address: "), url
    assert set(crawled.words.values()) == {"blocked_address"}
    assert "retry/count" not in crawled.stats
    assert crawled.stats["downloader/blocked_addresses"] > 0


def test_the_resolver_alone_keeps_connections_off_private_networks() -> None:
    middlewares = {**OURS["DOWNLOADER_MIDDLEWARES"], "crawler.downloader.guard.AddressGuard": None}
    with serve(script) as hosts:
        urls = [f"http://{host}:{hosts.port}/" for host in [*LITERALS, "private.test"]]
        urls += [f"http://public.test/?http://127.0.0.1:{hosts.port}/"]
        settings = {"DOWNLOADER_MIDDLEWARES": middlewares, "RETRY_ENABLED": False, "ROBOTSTXT_OBEY": False}
        crawled = run(urls, settings, hosts)
    assert hosts.visits == []
    assert {outcome.partition(":")[0] for outcome in crawled.outcomes.values()} == {"CannotResolveHostError"}
    assert len(crawled.outcomes) == len(urls)


def test_the_users_proxy_may_be_private_but_is_no_target() -> None:
    with serve(script) as hosts:
        proxy = f"http://proxy.test:{hosts.port}"
        refused = [
            "http://news.test/away",
            "http://10.0.0.1/",
            "http://localhost/",
            f"{proxy}/",
            "http://proxy.test:1/",
        ]
        urls = ["http://news.test/1", *refused]
        settings = {"TRUSTED_PROXIES": [proxy]}
        # no_proxy: its names are asked directly, where the resolver would let the proxy's name through
        crawled = run(urls, settings, hosts, http_proxy=proxy, no_proxy="proxy.test,localhost")
    assert crawled.outcomes.pop("http://news.test/1") == "200"
    assert set(crawled.outcomes) == set(refused)
    assert all(outcome.startswith("BlockedAddress: ") for outcome in crawled.outcomes.values()), crawled.outcomes
    assert {visit.host for visit in hosts.visits} == {"news.test"}


def test_a_proxy_that_nobody_configured_is_refused() -> None:
    with serve(script) as hosts:
        proxy = f"http://127.0.0.1:{hosts.port}"
        settings = {"TRUSTED_PROXIES": ["http://127.0.0.1:1"], "ROBOTSTXT_OBEY": False}
        crawled = run(["http://news.test/1"], settings, hosts, http_proxy=proxy)
    assert hosts.visits == []
    assert crawled.outcomes["http://news.test/1"].startswith("BlockedAddress: ")


def test_only_http_and_https_are_fetched() -> None:
    urls = ["file:///etc/hosts", "ftp://private.test/", "data:text/html,hello", "s3://bucket/key"]
    crawled = crawl(urls, OURS, names=NAMES)
    assert {outcome.partition(":")[0] for outcome in crawled.outcomes.values()} == {"NotSupported"}
    assert set(crawled.outcomes) == set(urls)


def test_stock_scrapy_reads_the_disk_and_the_private_network() -> None:
    """When this fails, Scrapy has mended it: drop those of DOWNLOAD_HANDLERS that are None, and the guard."""
    with serve(script) as hosts:
        private = [f"http://private.test:{hosts.port}/", f"http://127.0.0.1:{hosts.port}/"]
        crawled = crawl([*private, "file:///etc/hosts", "data:text/html,hello"], STOCK, names=NAMES)
    assert len(crawled.outcomes) == 4
    assert set(crawled.outcomes.values()) == {"200"}


def test_a_redirect_leads_to_no_other_scheme() -> None:
    targets = ["file:///etc/hosts", "ftp://private.test/", "data:text/html,hello", "s3://bucket/key"]
    urls = [f"http://public.test/?{target}" for target in targets]
    crawled = crawl(urls, OURS, names=NAMES)
    assert crawled.words == dict.fromkeys(urls, "unsupported_scheme")


def test_nothing_can_be_connected_to() -> None:
    """Neither the remote control nor the telnet console of Scrapy runs by default, as both do in its own."""
    ours = {name: getattr(project, name) for name in ("REMOTE_CONTROL_ENABLED", "TELNETCONSOLE_ENABLED")}
    with serve(script) as hosts:
        urls = [f"http://private.test:{hosts.port}/"]
        assert run(urls, {"ALLOW_PRIVATE_NETWORKS": True, **ours}, hosts).listening == 0
        assert crawl(urls, {"LOG_LEVEL": "INFO"}, names=NAMES).listening == 2


def test_a_host_with_ipv6_only_is_crawled() -> None:
    with wire(lambda path, connection: connection.sendall(answer(b"<p>")), address="::1") as server:
        names = {"six.test": ["::1"]}
        urls = [f"http://six.test:{server.port}/", f"http://[::1]:{server.port}/"]
        settings = {"ALLOW_PRIVATE_NETWORKS": True}
        assert crawl(urls, {**OURS, **settings}, names=names).words == dict.fromkeys(urls, "page")
        assert set(crawl(urls, STOCK, names=names).words.values()) == {"dns"}


def test_of_several_addresses_none_that_is_private_is_connected_to() -> None:
    names = {"mixed.test": ["127.0.0.2", "::1", "127.0.0.1"]}
    with serve(script) as hosts:
        urls = [f"http://mixed.test:{hosts.port}/"]
        assert crawl(urls, OURS, names=names).words == dict.fromkeys(urls, "blocked_address")
        assert hosts.visits == []
        public = crawl(urls, OURS, names=names, public=["127.0.0.1"])
    assert public.words == dict.fromkeys(urls, "page")


def test_a_second_address_is_tried_when_the_first_is_dead() -> None:
    with serve(script) as hosts:
        urls = [f"http://two.test:{hosts.port}/"]
        names = {"two.test": ["127.0.0.2", "127.0.0.1"]}
        crawled = crawl(urls, {**OURS, "ALLOW_PRIVATE_NETWORKS": True}, names=names)
    assert crawled.words == dict.fromkeys(urls, "page")


def test_a_name_that_moves_to_a_private_address_is_refused() -> None:
    """DNS rebinding: public when its robots.txt is fetched, private when the page is."""
    with serve(script) as hosts:
        urls = [f"http://moving.test:{hosts.port}/"]
        names = {"moving.test": ["127.0.0.1", "127.0.0.2"]}
        crawled = crawl(urls, OURS, names=names, turning=names, public=["127.0.0.1"])
    assert [visit.path for visit in hosts.visits] == ["/robots.txt"]
    assert crawled.words == dict.fromkeys(urls, "blocked_address")


def test_a_robots_txt_that_leads_to_a_private_address_costs_its_host_only_this_run() -> None:
    """The captive portal of a hotel must not exclude every page for good."""

    def portal(host: str, path: str, before: int) -> Answer:
        return Answer(status=302, headers={"Location": "http://10.0.0.1/login"})

    with serve(portal) as hosts:
        urls = [f"http://news.test:{hosts.port}/"]
        crawled = crawl(urls, OURS, names={"news.test": "127.0.0.1"}, public=["127.0.0.1"])
    assert crawled.words == dict.fromkeys(urls, "robots_unreachable")


def test_a_closing_crawl_does_not_wait_for_a_held_host() -> None:
    def busy(host: str, path: str, before: int) -> Answer:
        return Answer(status=429, headers={"Retry-After": "300"})

    with serve(busy) as hosts:
        settings = {"ALLOW_PRIVATE_NETWORKS": True, "CLOSESPIDER_TIMEOUT": 1, "ROBOTSTXT_OBEY": False}
        urls = [f"http://private.test:{hosts.port}/{n}" for n in range(4)]
        crawled = run(urls, settings, hosts)  # in less time than crawl() allows
    assert crawled.outcomes
    assert all(outcome.startswith("GivenUp: crawl_closing: ") for outcome in crawled.outcomes.values())


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.1 192.0.0.9 192.168.0.1 198.18.0.1",
        "224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 fd00:ec2::254 fec0::1 ff02::1 2001:db8::1 3fff::1",
        "4000::1 5f00::1 ::127.0.0.1 ::ffff:0:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1::",
        "2002:a00:1:: 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",  # Teredo, the client is 10.0.0.1
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert [one for one in address.split() if is_public(ip_address(one))] == []


def test_public_addresses() -> None:
    addresses = "1.1.1.1 93.184.215.14 2606:4700::1111 ::ffff:1.1.1.1 2002:101:101:: 64:ff9b::101:101"
    assert [one for one in addresses.split() if not is_public(ip_address(one))] == []


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("１２７。0.0.1", "127.0.0.1"),
        ("LOCALHOST", "127.0.0.1"),
        ("db.localhost.", "127.0.0.1"),
        ("localhost.localdomain", "127.0.0.1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
def test_literal_addresses(host: str, address: str) -> None:
    assert literal_address(host) == ip_address(address)


@pytest.mark.parametrize("host", ["", "herald.example", "127.0.0.1.herald.example", "localhost.example", "1.2.3.4.5"])
def test_names_are_no_literals(host: str) -> None:
    assert literal_address(host) is None


def test_proxy_addresses() -> None:
    proxies = ["http://user:secret@127.0.0.1:3128/", "proxy.example:8080", "https://Proxy.example"]
    assert proxy_addresses(proxies) == {("127.0.0.1", 3128), ("proxy.example", 8080), ("proxy.example", 443)}
