"""Refuses requests to addresses that are not public, before they leave and with a reason that an errback can read.

`resolver.PublicResolver` is what keeps connections off private networks. This middleware adds what it cannot do: the
typed error, and literal addresses in URLs that go through a proxy, which resolves names itself.

The user's own proxies (TRUSTED_PROXIES) are connected to wherever they stand, but no URL may point at them: otherwise
`http://localhost:5432/` would be let through wherever the proxy is `localhost:3128`.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from scrapy.exceptions import CannotResolveHostError, NotConfigured
from scrapy.utils.httpobj import urlparse_cached

from crawler.downloader.resolver import BlockedAddress, is_public, literal_address, proxy_addresses, refused

if TYPE_CHECKING:
    from typing import Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.statscollectors import StatsCollector


class AddressGuard:
    """Has to come after HttpProxyMiddleware on the way out and before RetryMiddleware on the way back: 760."""

    def __init__(self, stats: StatsCollector, *, proxies: Set[tuple[str, int]] = frozenset()) -> None:
        self.stats = stats
        self.proxies = proxies
        self.proxy_hosts = {host for host, _ in proxies}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        if crawler.settings.getbool("ALLOW_PRIVATE_NETWORKS"):
            raise NotConfigured
        return cls(crawler.stats, proxies=proxy_addresses(crawler.settings.getlist("TRUSTED_PROXIES")))

    def process_request(self, request: Request) -> None:
        """Raise BlockedAddress for a private literal, for the proxy itself, and for a proxy that nobody configured."""
        self._check(_host(request))
        for address in proxy_addresses(filter(None, [request.meta.get("proxy")])):
            if address not in self.proxies:
                self._check(address[0])

    def process_exception(self, request: Request, exception: Exception) -> None:
        """Give the name that our resolver refused its true reason; a failed lookup would be retried."""
        host = _host(request)
        if isinstance(exception, CannotResolveHostError) and host in refused:
            raise self._blocked(host, f"has the address {refused[host]}, which is not public") from exception

    def _check(self, host: str) -> None:
        if host in self.proxy_hosts:
            raise self._blocked(host, "is the proxy of this crawler")
        address = literal_address(host)
        if address is not None and not is_public(address):
            raise self._blocked(host, f"is the address {address}, which is not public")

    def _blocked(self, host: str, problem: str) -> BlockedAddress:
        self.stats.inc_value("downloader/blocked_addresses")
        return BlockedAddress(f"{host} {problem}", host=host)


def _host(request: Request) -> str:
    return urlparse_cached(request).hostname or ""
