"""The address guard: only public addresses are connected to.

Scrapy's HTTP handler asks this resolver for every connection, IP literals included, and connects to the address that it
returns, so neither a redirect nor DNS rebinding leads around it. A resolver cannot hand an exception to Twisted;
what it refused stands in `refused`, and `guard.AddressGuard` turns that into BlockedAddress.

2026-11: on the threaded resolver and not on CachingHostnameResolver. The former is Scrapy's default and has a timeout;
the latter answers IPv4-only questions with IPv6 addresses from its cache. The price is that hosts with only an IPv6
address cannot be crawled.
"""

from __future__ import annotations

import socket
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scrapy.exceptions import IgnoreRequest
from scrapy.resolver import CachingThreadedResolver
from scrapy.utils.datatypes import LocalCache
from twisted.internet.error import DNSLookupError

from crawler.errors import PageError

if TYPE_CHECKING:
    from typing import Self

    from scrapy.crawler import Crawler
    from twisted.internet.base import ReactorBase
    from twisted.internet.defer import Deferred

NAT64 = IPv6Network("64:ff9b::/96")

refused: LocalCache[str, str] = LocalCache(10_000)  # host name -> the address it was last refused for


class BlockedAddress(PageError, IgnoreRequest):
    """The address is not public; the setting ALLOW_PRIVATE_NETWORKS would permit it."""

    reason = "blocked_address"


class PublicResolver(CachingThreadedResolver):
    """Resolves names to public addresses; any other looks like a name that does not exist.

    The names of `trusted` are let through: the user's own proxy may well stand on loopback.
    """

    allow_private: bool = False
    trusted: frozenset[str] = frozenset()

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: ReactorBase) -> Self:
        resolver = super().from_crawler(crawler, reactor)
        resolver.allow_private = crawler.settings.getbool("ALLOW_PRIVATE_NETWORKS")
        resolver.trusted = frozenset(host for host, _ in proxy_addresses(crawler.settings.getlist("TRUSTED_PROXIES")))
        return resolver

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        # After Scrapy's cache, so that a cached address is judged as well.
        return super().getHostByName(name, timeout).addCallback(self._admit, name.lower())

    def _admit(self, address: str, name: str) -> str:
        if self.allow_private or name in self.trusted or is_public(ip_address(address)):
            refused.pop(name, None)
            return address
        refused[name] = address
        raise DNSLookupError(f"{name} has the address {address}, which is not public")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is on the public internet. Of an IPv6 address that wraps an IPv4 one, the latter counts."""
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public(embedded)
        if address.is_site_local:
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host name spells out, in any notation that the C library takes (`0x7f.1`, `2130706433`).

    `localhost` counts as one, RFC 6761; None for a name that has to be looked up.
    """
    text = unicodedata.normalize("NFKC", host).replace("。", ".").lower().strip("[]").rstrip(".")
    if text == "localhost" or text.endswith(".localhost"):
        return IPv4Address("127.0.0.1")
    with suppress(ValueError):
        return ip_address(text.partition("%")[0])
    with suppress(OSError):
        return IPv4Address(socket.inet_aton(text))
    return None


def proxy_addresses(proxies: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Host and port of proxy URLs; the scheme may be missing."""
    parts = [urlsplit(proxy if "://" in proxy else f"http://{proxy}") for proxy in proxies]
    return frozenset((part.hostname, part.port or _default_port(part.scheme)) for part in parts if part.hostname)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo_client = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo_client
