"""seeds/*.yaml -> Source: what a publication is, as data. A broken seed is a SeedError that names file and key.

`python -m crawler.sources [DIR]` checks every seed and exits with 1 when one is broken.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StrictBool, StrictInt, ValidationError, field_validator

from crawler.boilerplate_rules import BoilerplateRule
from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.seed_errors import Keys, problems, unknown_key
from crawler.seed_files import read_mapping
from crawler.seed_types import Country, Language, QuietHours, Regex, Schedule, SeedModel, Text, Url, compiled, http_url
from crawler.urls import url_key

__all__ = [
    "Articles",
    "BoilerplateRule",
    "Source",
    "adhoc_source",
    "find_source",
    "load_source",
    "load_sources",
    "main",
    "source_names",
]

RESERVED_IDS = frozenset(
    {"archive", "news", "page", "rejected", "failed", "dropped", "outcome", "listing"}
)  # spiders of their own

_ID = re.compile(r"[a-z0-9_]+")


class Articles(SeedModel):
    """Which URLs are articles. Regular expressions, searched anywhere in the URL."""

    allow: tuple[Regex, ...] = ()
    """At least one of these must be found; none given: every URL may be an article."""
    deny: tuple[Regex, ...] = ()
    """None of these may be found; stronger than `allow`."""


class Source(SeedModel):
    """One publication. Immutable, hashable and picklable; only `id`, `name` and `homepage` are required."""

    id: str
    """The seed file's stem, in snake_case; not a key of the file."""
    name: Text
    """As the publication writes itself."""
    homepage: Url
    """Where feeds and sitemaps are discovered when none are given."""
    language: Language | None = None
    """BCP 47; what most of its articles are written in."""
    languages: tuple[Language, ...] = ()
    """Others that it publishes in."""
    country: Country | None = None
    """ISO 3166 alpha-2; where it is published."""
    feeds: tuple[Url, ...] = ()
    """RSS, RDF or Atom."""
    sitemaps: tuple[Url, ...] = ()
    """Sitemaps that list what is new, read on every crawl."""
    archives: tuple[Url, ...] = ()
    """Sitemaps that list a whole archive: walked only when that is asked for."""
    listings: tuple[Url, ...] = ()
    """Section pages whose links are candidates."""
    articles: Articles = Articles()
    """Which URLs are articles."""
    max_age_days: Annotated[StrictInt, Field(gt=0)] | None = None
    """Candidates whose feed or sitemap says that they are older are not followed; None: no limit."""
    render: StrictBool = False
    """True: its articles are what a browser shows once their scripts have run; for pages that are empty without."""
    render_listings: StrictBool = False
    """True: the same for its home page and `listings`."""
    schedule: Schedule | None = None
    """When a scheduled crawl is due: auto, never, an interval (30m, 2h, 1d), or five cron fields, in UTC or in the zone
    named after them; None: as the setting SCHEDULE says."""
    quiet_hours: QuietHours | None = None
    """Hours in which no scheduled crawl is due, in UTC or in the zone named after them; none: no such hours; None: as
    the setting QUIET_HOURS says."""
    verify_tls: StrictBool = True
    """False: any TLS certificate will do, one that has expired, is for another host or signed by itself as well."""
    boilerplate: tuple[BoilerplateRule, ...] = ()
    """Rules for what the general ones cannot know."""
    enabled: StrictBool = True
    """False: left out when all sources are crawled."""
    note: str | None = None
    """For people: why it is disabled, what is odd about it."""

    def wants(self, url: str) -> bool:
        """Whether `url` may be an article, going by the URL alone."""
        if any(compiled(pattern).search(url) for pattern in self.articles.deny):
            return False
        allow = self.articles.allow
        return not allow or any(compiled(pattern).search(url) for pattern in allow)

    @field_validator("id")
    @classmethod
    def _id_is_snake_case(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError(f"{value!r} must be snake_case: only a-z, 0-9 and _")
        if value in RESERVED_IDS:
            raise ValueError(f"{value!r} means something else to the crawler; choose another")
        return value

    @field_validator("boilerplate")
    @classmethod
    def _rule_ids_are_unique(cls, rules: tuple[BoilerplateRule, ...]) -> tuple[BoilerplateRule, ...]:
        ids = [rule.id for rule in rules]
        if twice := sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1}):
            raise ValueError(f"two rules have the id {', '.join(twice)}")
        return rules


_KEYS: Keys = {
    "": [key for key in Source.model_fields if key != "id"],
    "articles": list(Articles.model_fields),
    "boilerplate": list(BoilerplateRule.model_fields),
}


def load_source(path: Path) -> Source:
    """Read one seed file. Raises SeedError with a line for each problem."""
    data = read_mapping(path)
    if "id" in data:
        raise SeedError(f"{path}: {unknown_key('id', _KEYS[''])}")
    try:
        return Source.model_validate({**data, "id": path.stem})
    except ValidationError as error:
        raise SeedError("\n".join(f"{path}: {line}" for line in problems(error, _KEYS))) from None


def load_sources(seeds_dir: Path) -> tuple[dict[str, Source], list[SeedError]]:
    """All sources by id, and what is wrong with the seeds that could not be read: a broken one hides no good one."""
    sources: dict[str, Source] = {}
    errors = [SeedError(f"{path}: must end in .yaml") for path in sorted(_seeds_in(seeds_dir).glob("*.yml"))]
    for name in source_names(seeds_dir):
        try:
            sources[name] = load_source(seeds_dir / f"{name}.yaml")
        except SeedError as error:
            errors.append(error)
    return sources, errors


def find_source(seeds_dir: Path, name: str) -> Source:
    """The source `name`, reading only its file. Raises UnknownSource, with names that come close, and SeedError."""
    names = source_names(seeds_dir)
    if name in names:
        return load_source(seeds_dir / f"{name}.yaml")
    close = get_close_matches(_snake_case(Path(name).stem), names)
    hint = f"; did you mean {' or '.join(close)}?" if close else "."
    raise UnknownSource(f"There is no source {name!r} in {seeds_dir}{hint} `scrapy list` shows all sources.")


def source_names(seeds_dir: Path) -> list[str]:
    """The stems of the seed files, sorted; nothing is opened. Raises ConfigurationError without a folder."""
    return sorted(path.stem for path in _seeds_in(seeds_dir).glob("*.yaml") if not path.name.startswith("."))


def adhoc_source(url: str) -> Source:
    """A source for one page of a site that has no seed, named by the URL's host. Raises ConfigurationError."""
    try:
        parts = urlsplit(http_url(url))
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    host = (parts.hostname or "").removeprefix("www.")
    name = _snake_case(host) or "host"
    return Source(
        id=f"{name}_host" if name in RESERVED_IDS else name,
        name=host,
        homepage=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/",
    )


def main(arguments: list[str]) -> int:
    """Check every seed of a folder, SEEDS_DIR by default."""
    from crawler.settings import SEEDS_DIR  # of a program, not of whoever imports this

    parser = argparse.ArgumentParser(prog="python -m crawler.sources", description=main.__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(SEEDS_DIR))
    folder: Path = parser.parse_args(arguments).folder
    found: list[ConfigurationError] = []
    try:
        sources, broken = load_sources(folder)
        found += broken
    except ConfigurationError as error:
        found.append(error)
    if found:
        print(*found, sep="\n", file=sys.stderr)
        return 1
    for homepage, names in _shared(sources.values()).items():
        print(f"{', '.join(names)} have the same home page, {homepage}: each is crawled", file=sys.stderr)
    countries = {source.country for source in sources.values() if source.country}
    print(f"{folder}: {len(sources)} sources in {len(countries)} countries: all valid")
    return 0


def _shared(sources: Iterable[Source]) -> dict[str, list[str]]:
    """Home pages of more than one source, with these."""
    found: dict[str, list[str]] = {}
    for source in sources:
        found.setdefault(url_key(str(source.homepage)) or str(source.homepage), []).append(source.id)
    return {homepage: names for homepage, names in found.items() if len(names) > 1}


def _seeds_in(seeds_dir: Path) -> Path:
    if not seeds_dir.is_dir():
        raise ConfigurationError(f"SEEDS_DIR: {seeds_dir} is not a folder; set it to the one that holds the seed files")
    return seeds_dir


def _snake_case(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
