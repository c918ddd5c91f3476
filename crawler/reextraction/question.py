"""What a run is asked, and the seeds that it is begun with: all who work on it use the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from crawler.errors import ConfigurationError, StoreError
from crawler.period import Period, period
from crawler.pipelines.again import fingerprint
from crawler.sources import Source, find_source, load_sources, source_names
from crawler.store import models, reading, reextractions, slices
from crawler.store.engine import keep_schema
from crawler.store.reextractions import Begun
from crawler.store.subjects import Asked
from crawler.store.taught import is_known


class NoSuchRun(StoreError):
    """No such re-extraction waits."""


class OtherRules(StoreError):
    """The re-extraction was begun under other rules."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """As a person asks it. `broken`: sources whose seeds are, which are left out; `slice_size`: pages of a slice."""

    sources: tuple[str, ...]
    period: Period
    articles: tuple[str, ...]
    articles_only: bool
    anew: bool
    seeds: Mapping[str, Source]
    broken: tuple[str, ...]
    slice_size: int


def question(
    seeds_dir: Path,
    *,
    sources: Sequence[str] = (),
    since: str | None = None,
    until: str | None = None,
    articles: Sequence[str] = (),
    articles_only: bool = False,
    anew: bool = False,
    slice_size: int,
) -> Question:
    """Raises ConfigurationError for what cannot be asked, before a database is opened."""
    asked = period(since, until)
    seeds, broken = seeds_in(seeds_dir, sources)
    return Question(
        sources=tuple(sources),
        period=asked,
        articles=tuple(articles),
        articles_only=articles_only,
        anew=anew,
        seeds=seeds,
        broken=broken,
        slice_size=slice_size,
    )


def begin(connection: Connection, given: Question) -> Begun:
    """Begin the run, or go on with it, and hold it for as long as the connection lives.

    Raises ConfigurationError for what is not stored, StoreError when another run is being worked on.
    """
    keep_schema(connection)
    for source in given.sources:
        if not is_known(connection, source):
            raise ConfigurationError(f"nothing of a source {source!r} is stored")
    asked = Asked(
        sources=given.sources,
        period=given.period,
        articles=tuple(article_id(connection, one) for one in given.articles),
        articles_only=given.articles_only,
        left_out=given.broken,
    )
    seeds = {name: seed for name, seed in given.seeds.items() if not given.sources or name in given.sources}
    rows = {name: seed.model_dump(mode="json", exclude_defaults=True) for name, seed in seeds.items()}
    begun = reextractions.begin(connection, asked, fingerprint(seeds.values()), rows, anew=given.anew)
    if begun.how == "new":
        slices.cut(connection, begun.id, asked, given.slice_size)
    reextractions.hold(connection, begun.id)  # with the lock of `begin`: nobody comes in between
    return begun


def joined(connection: Connection, run_id: int) -> Begun:
    """Take part in a run, and hold it. Raises NoSuchRun, OtherRules."""
    keep_schema(connection)
    reextractions.hold(connection, run_id)
    begun = waits(connection, run_id)
    if begun.how != "found" and fingerprint(seeds_of(begun).values()) != begun.rules:
        raise OtherRules(
            f"the re-extraction {run_id} was begun by another program ({begun.version}) or with other libraries: "
            "all who work on it need the same"
        )
    return begun


def waits(connection: Connection, run_id: int) -> Begun:
    """A run that is not applied. Raises NoSuchRun."""
    begun = reextractions.find(connection, run_id)
    if begun is None:
        raise NoSuchRun(f"no re-extraction {run_id} waits: it is applied, or another has taken its place")
    return begun


def seeds_of(begun: Begun) -> dict[str, Source]:
    """The seeds that the run was begun with; without those that another version of this program wrote."""
    found = {name: seed_of(name, seed) for name, seed in begun.seeds.items()}
    return {name: seed for name, seed in found.items() if seed is not None}


def stored_seed(connection: Connection, name: str) -> Source | None:
    """A seed that is in the database only."""
    return seed_of(name, connection.execute(select(models.Source.seed).where(models.Source.id == name)).scalar())


def seed_of(name: str, seed: Mapping[str, Any] | None) -> Source | None:
    """A seed out of the database."""
    try:
        return Source.model_validate({**seed, "id": name}) if seed else None
    except ValidationError:  # of another version of this program
        return None


def seeds_in(directory: Path, named: Sequence[str]) -> tuple[dict[str, Source], tuple[str, ...]]:
    """The seeds, and the names of those that are broken. Raises SeedError for one that is asked for by name."""
    seeds, _ = load_sources(directory)
    broken = tuple(name for name in source_names(directory) if name not in seeds)
    for name in named:
        if name in broken:
            find_source(directory, name)
    return seeds, () if named else broken


def article_id(connection: Connection, named: str) -> int:
    """Of an id or an address. Raises ConfigurationError."""
    if named.isascii() and named.isdigit():
        found = reading.article(connection, int(named))
    else:
        found = reading.article_at(connection, named)
    if found is None:
        raise ConfigurationError(f"--article {named}: there is no such stored article")
    return found.id
