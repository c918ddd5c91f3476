"""Which sources a spider's name and arguments ask for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crawler.discovery.selection import Span
from crawler.errors import ConfigurationError, SeedError
from crawler.period import period
from crawler.sources import Source, adhoc_source, find_source, load_sources
from crawler.urls import host_of


def source_of(seeds_dir: Path, url: str) -> Source:
    """The source that a page belongs to by its host; one of its own when no seed has that host."""
    try:
        seeds, _ = load_sources(seeds_dir)
    except ConfigurationError:
        seeds = {}
    return by_host(seeds.values()).get(plain_host(url)) or adhoc_source(url)


def by_host(sources: Iterable[Source]) -> dict[str, Source]:
    """Sources by the hosts of their home pages; of two with one host the first."""
    found: dict[str, Source] = {}
    for source in sources:
        found.setdefault(plain_host(str(source.homepage)), source)
    return found


def plain_host(url: str) -> str:
    return host_of(url).removeprefix("www.")


def chosen_sources(seeds_dir: Path, spider: str, sources: str | None = None) -> tuple[list[Source], list[SeedError]]:
    """The sources to crawl, and the broken seeds that are left out (only of `news` without `sources=`).

    Raises UnknownSource, SeedError for a source asked for by name, ConfigurationError when there is nothing to crawl.
    """
    if spider != "news":
        return [find_source(seeds_dir, spider)], []
    if sources:
        return [find_source(seeds_dir, name) for name in dict.fromkeys(named(sources))], []
    found, broken = load_sources(seeds_dir)
    enabled = [source for source in found.values() if source.enabled]
    if not enabled:
        reason = f"; {len(broken)} are broken, the first: {broken[0]}" if broken else ""
        raise ConfigurationError(f"no enabled source in {seeds_dir}{reason}")
    return enabled, broken


def named(sources: str | None) -> tuple[str, ...]:
    """The names in `a,b`."""
    return tuple(name.strip() for name in (sources or "").split(",") if name.strip())


def span_of(since: str | None, until: str | None) -> Span:
    """The time that `-a since=` and `-a until=` name. Raises ConfigurationError."""
    asked = period(since, until)
    return Span(since=asked.since, until=asked.until)


def is_yes(name: str, value: str | None) -> bool:
    """Whether `-a NAME=VALUE` says yes. Raises ConfigurationError for what is neither yes nor no."""
    told = (value or "0").strip().lower()
    if told not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ConfigurationError(f"-a {name}={value}: write 1 or 0")
    return told in ("1", "true", "yes", "on")
