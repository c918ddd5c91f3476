"""Which pages of an archive are wanted, and whose they are; the seeds are read once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.period import Period, period
from crawler.sources import Source, adhoc_source, find_source, load_sources
from crawler.spiders.selection import by_host, is_yes, named, plain_host


@dataclass(frozen=True, kw_only=True, slots=True)
class Admission:
    """What was asked for. `names`: ids of the only sources wanted; none: all. `seeded`: only hosts that have a seed."""

    seeds: Mapping[str, Source]
    hosts: Mapping[str, Source]
    names: tuple[str, ...] = ()
    seeded: bool = False
    period: Period

    @property
    def selection(self) -> str:
        """What distinguishes this from other readings of the same file: JSON, {} for all of it."""
        since, until = self.period.since, self.period.until
        asked = {
            "sources": sorted(self.names),
            "seeded": self.seeded,
            "since": since.isoformat() if since else "",
            "until": until.isoformat() if until else "",
        }
        return json.dumps({name: value for name, value in asked.items() if value}, sort_keys=True)

    def refusal(self, url: str, at: datetime, hints: Mapping[str, Any]) -> str | None:
        """The reason why a page is not wanted."""
        if at not in self.period:
            return "other_time"
        seed = self.seed_of(url, hints)
        if seed is None and self.seeded:
            return "no_seed"
        if self.names and (seed is None or seed.id not in self.names):
            return "other_source"
        if seed is None:
            return _refused_host(url)
        return None if seed.wants(url) else "not_wanted"

    def source_of(self, url: str, hints: Mapping[str, Any]) -> Source:
        """The seed that a page belongs to, by what we noted when we fetched it or by its host, else one of its own."""
        return self.seed_of(url, hints) or adhoc_source(url)

    def seed_of(self, url: str, hints: Mapping[str, Any]) -> Source | None:
        named = hints.get("source")
        return (self.seeds.get(named) if isinstance(named, str) else None) or self.hosts.get(plain_host(url))


def admission(seeds_dir: Path, arguments: Mapping[str, Any]) -> tuple[Admission, list[SeedError]]:
    """What the arguments `sources`, `seeded`, `since` and `until` ask for, and the broken seeds that are left out.

    Raises ConfigurationError: UnknownSource, SeedError for a source that is asked for by name, a date that is none.
    """
    wanted = [find_source(seeds_dir, name) for name in dict.fromkeys(named(arguments.get("sources")))]
    try:
        seeds, broken = load_sources(seeds_dir)
    except ConfigurationError:  # no seeds here: every page is its host's
        seeds, broken = {}, []
    return admitted(seeds | {source.id: source for source in wanted}, arguments), broken


def admitted(seeds: Mapping[str, Source], arguments: Mapping[str, Any]) -> Admission:
    """The same of seeds that are given. Raises ConfigurationError for a source that is not among them."""
    names = tuple(dict.fromkeys(named(arguments.get("sources"))))
    for name in names:
        if name not in seeds:
            raise UnknownSource(f"there is no seed of {name!r}")
    asked = period(arguments.get("since"), arguments.get("until"))
    seeded = is_yes("seeded", arguments.get("seeded"))
    return Admission(seeds=seeds, hosts=by_host(seeds.values()), names=names, seeded=seeded, period=asked)


def _refused_host(url: str) -> str | None:
    try:
        adhoc_source(url)
    except ConfigurationError:
        return "bad_address"
    return None
