"""What `scrapy crawl NAME -a …` and `scrapy enqueue` take, checked before anything is begun or queued."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crawler.errors import ConfigurationError
from crawler.spiders.admission import admission
from crawler.spiders.captures import archives_at
from crawler.spiders.page import address
from crawler.spiders.selection import chosen_sources, is_yes, span_of

FLAGS = {"again", "archives", "recheck", "seeded"}  # that are 1 or 0
BACKFILL = ("archives", "recheck", "since", "until")  # arguments of every crawl of sources
ARGUMENTS = {
    "archive": ("warc", "sources", "seeded", "since", "until", "again"),
    "news": ("sources", *BACKFILL),
    "page": ("url",),
}


def check(name: str, arguments: Mapping[str, str], seeds_dir: Path) -> None:
    """Raises ConfigurationError for what cannot be crawled."""
    check_arguments(name, arguments)
    if name == "page":
        address(arguments.get("url"))
    elif name == "archive":
        archives_at(arguments.get("warc"))
        admission(seeds_dir, arguments)
    else:
        chosen_sources(seeds_dir, name, arguments.get("sources"))


def check_arguments(name: str, arguments: Mapping[str, str]) -> None:
    """Raises ConfigurationError for those that are unknown, or have no meaning."""
    known = set(ARGUMENTS.get(name, BACKFILL))
    for given in arguments.keys() - known:
        raise ConfigurationError(f"{name} knows no argument {given!r}; it takes -a {'=, -a '.join(sorted(known))}=")
    if arguments.get("sources") is not None and not arguments["sources"].strip(" ,"):
        raise ConfigurationError("-a sources= names no source; leave it out for all")
    for flag in arguments.keys() & FLAGS:
        is_yes(flag, arguments[flag])
    span_of(arguments.get("since"), arguments.get("until"))
