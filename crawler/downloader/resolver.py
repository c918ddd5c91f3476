"""The address guard: only public addresses are connected to.

Scrapy's HTTP handler asks this resolver for every connection, IP literals included, and connects to the addresses that
it returns, so neither a redirect nor DNS rebinding leads around it. A resolver cannot hand an exception to Twisted;
what it refused stands in `refused`, and `guard.AddressGuard` turns that into BlockedAddress.

2026-11: Scrapy's resolvers are no base for it. The threaded one answers with one IPv4 address and never forgets it; the
other knows IPv6, but has no timeout and answers IPv4-only questions with IPv6 addresses from its cache.
"""

from __future__ import annotations

import socket
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from time import monotonic
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import idna
from scrapy.exceptions import IgnoreRequest
from scrapy.resolver import HostResolution
from scrapy.utils.datatypes import LocalCache
from twisted.internet import address as endpoint
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from crawler.errors import PageError

if TYPE_CHECKING:
    from typing import Any, Self

    from scrapy.crawler import Crawler
    from twisted.internet.base import ReactorBase
    from twisted.internet.interfaces import IAddress

Address = IPv4Address | IPv6Address

GOOD_FOR = 300.0  # seconds that an answer is kept: the system's resolver does not tell its time to live
MOST_ADDRESSES = 2  # a second one in case the first is down; each that is slow gets a connection of its own
NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
# What Python 3.11 takes for public: a host's own NAT (RFC 7723, 8155), documentation (RFC 9637).
NOT_PUBLIC = (IPv4Network("192.0.0.0/24"), IPv6Network("3fff::/20"))
LOOPBACK_NAMES = frozenset(
    {"localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
)

refused: LocalCache[str, str] = LocalCache(10_000)  # host name -> the address it was last refused for


class BlockedAddress(PageError, IgnoreRequest):
    """The address is not public; the setting ALLOW_PRIVATE_NETWORKS would permit it."""

    reason = "blocked_address"

    def __init__(self, message: str | None = None, *, host: str = "") -> None:
        super().__init__(message)
        self.host = host


@implementer(IHostnameResolver)
class PublicResolver:
    """Resolves names to public addresses; a name without one looks like a name that does not exist.

    IPv6 addresses are given only for a host that has no public IPv4 address: a machine without IPv6 is no worse off.
    The names of `trusted` are let through: the user's own proxy may well stand on loopback.
    """

    def __init__(
        self,
        reactor: ReactorBase,
        *,
        timeout: float,
        allow_private: bool = False,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self.reactor = reactor
        self.timeout = timeout
        self.allow_private = allow_private
        self.trusted = trusted
        self._answers: LocalCache[str, tuple[float, list[Address]]] = LocalCache(10_000)

    @classmethod
    def from_crawler(cls, crawler: Crawler, reactor: ReactorBase) -> Self:
        settings = crawler.settings
        return cls(
            reactor,
            timeout=settings.getfloat("DNS_TIMEOUT"),
            allow_private=settings.getbool("ALLOW_PRIVATE_NETWORKS"),
            trusted=frozenset(host for host, _ in proxy_addresses(settings.getlist("TRUSTED_PROXIES"))),
        )

    def install_on_reactor(self) -> None:
        self.reactor.installNameResolver(cast("Any", self))

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> HostResolution:
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)

        async def answer() -> None:
            for found in await self.addresses(hostName):
                kind = endpoint.IPv4Address if found.version == 4 else endpoint.IPv6Address
                if addressTypes is None or kind in addressTypes:
                    resolutionReceiver.addressResolved(kind("TCP", str(found), portNumber))
            resolutionReceiver.resolutionComplete()

        Deferred.fromCoroutine(answer())
        return resolution

    async def addresses(self, host: str) -> list[Address]:
        """Where a host may be connected to; empty if nowhere. Judged anew each time: no cache leads around it."""
        try:
            name = (host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")).lower()
            found = await self._looked_up(name)
        except (OSError, ValueError, DeferredTimeout):  # UnicodeError and idna's own are kinds of ValueError
            return []
        if self.allow_private or name in self.trusted:
            return preferred(found)
        public = [one for one in found if is_public(one)]
        if public or not found:
            refused.pop(name, None)
        else:
            refused[name] = str(found[0])
        return preferred(public)

    async def _looked_up(self, name: str) -> list[Address]:
        until, found = self._answers.get(name, (0.0, []))
        if until > monotonic():
            return found
        reactor = cast("Any", self.reactor)
        asked = deferToThreadPool(
            reactor, reactor.getThreadPool(), socket.getaddrinfo, name, None, 0, socket.SOCK_STREAM
        )
        answer = await asked.addTimeout(self.timeout, reactor)
        found = list(dict.fromkeys(ip_address(str(one[4][0]).partition("%")[0]) for one in answer))
        self._answers[name] = (monotonic() + GOOD_FOR, found)
        return found


def preferred(addresses: Sequence[Address]) -> list[Address]:
    """A few IPv4 addresses; IPv6 ones where there are no others."""
    ipv4 = [one for one in addresses if one.version == 4]
    return [*(ipv4 or addresses)][:MOST_ADDRESSES]


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet. Of an IPv6 address that wraps an IPv4 one, the latter counts."""
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public(embedded)
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal_address(host: str) -> Address | None:
    """The address that a host name spells out, in any notation that the C library takes (`0x7f.1`, `2130706433`).

    `localhost` and its kin count as one, RFC 6761; None for a name that has to be looked up.
    """
    text = unicodedata.normalize("NFKC", host).replace("。", ".").lower().strip("[]").rstrip(".")
    if text in LOOPBACK_NAMES or text.endswith(".localhost"):
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
