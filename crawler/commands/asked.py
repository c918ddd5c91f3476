"""What `scrapy forget` is asked to remove: looked up, and shown to whoever has to agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from crawler.commands.disable import known_to
from crawler.errors import ConfigurationError
from crawler.store import reading
from crawler.store.forgetting import acts, finding, sources
from crawler.store.forgetting.finding import Found
from crawler.store.forgetting.sources import Extent
from crawler.store.taught import is_known
from crawler.urls import canonical_url

SHOWN = 20  # addresses that have come back and are listed; of more, their number


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One argument, and what there is of it; or all addresses that have come back."""

    name: str
    found: Found | None = None
    extent: Extent | None = None
    urls: Sequence[str] = ()


def named(connection: Connection, name: str, seeds_dir: Path) -> Asked:
    """An address, the id of an article, or a source. Raises ConfigurationError for what is neither."""
    if url := address(name):
        return Asked(name=name, found=finding.find(connection, url=url))
    if name.isascii() and name.isdigit() and not is_known(connection, name):
        if reading.article(connection, int(name)) is None:
            raise ConfigurationError(f"there is no stored article with the id {name}")
        return Asked(name=name, found=finding.find(connection, article_id=int(name)))
    known_to(connection, name, seeds_dir)
    return Asked(name=name, extent=sources.extent(connection, name))


def address(name: str) -> str | None:
    """An argument that is one; neither ids nor names of sources have a dot. Raises ConfigurationError."""
    if "/" not in name and "." not in name:
        return None
    if (url := canonical_url(name if "://" in name else f"https://{name}")) is None:
        raise ConfigurationError(f"{name} is no http(s) address")
    return url


def returned(connection: Connection) -> list[Asked]:
    """What has come back: sources as a whole, then single pages."""
    names = acts.returned_sources(connection)
    asked = [Asked(name=name, extent=sources.extent(connection, name)) for name in names]
    urls = acts.returned(connection, names)
    return [*asked, Asked(name="what has come back", urls=urls)] if urls else asked


def copies_of(connection: Connection, asked: Sequence[Asked]) -> list[Asked]:
    """Those of the same source, as if they had been named."""
    found = [one.found for one in asked if one.found]
    given = {number for one in found for number in one.articles}
    own = dict.fromkeys(copy["id"] for one in found for copy in one.copies if copy["source"] == one.source)
    ids = [number for number in own if number not in given]
    return [Asked(name=str(number), found=finding.find(connection, article_id=number)) for number in ids]


def said(one: Asked, *, with_copies: bool, everything: bool) -> Iterator[str]:
    """What there is of it. `everything`: however many addresses have come back."""
    if one.extent:
        yield from _said_of_source(one.name, one.extent)
    elif one.found:
        yield from _said_of_page(one.name, one.found, with_copies)
    else:
        shown = one.urls if everything else one.urls[:SHOWN]
        yield from (f"{url}: it has come back" for url in shown)
        if len(shown) < len(one.urls):
            yield f"and {len(one.urls) - len(shown):,} more addresses; --dry-run shows all"


def _said_of_page(name: str, found: Found, with_copies: bool) -> Iterator[str]:
    if not (found.articles or found.urls):
        yield f"{name}: nothing is stored of it (is the address right?), and nothing will be"
        return
    ids = ", ".join(map(str, sorted(found.articles))) or "none"
    yield (
        f"{name} ({found.source}): article {ids}, {found.revisions:,} earlier versions, {found.pages:,} raw pages, "
        f"{len(found.keys):,} addresses"
    )
    yield from (f"  {url}" for url in sorted(found.addresses))
    own = [copy for copy in found.copies if copy["source"] == found.source]
    yield from (f"  copy ({copy['kind']}) {copy['id']} of {copy['source']}: {copy['url']}" for copy in found.copies)
    if own and not with_copies:
        yield f"  --copies takes the {len(own):,} of the same source as well"
    if len(own) < len(found.copies):
        yield "  other sources' copies stay, unless they are named"


def _said_of_source(name: str, extent: Extent) -> Iterator[str]:
    yield f"{name}: the source with its {extent.articles:,} articles, and all that was ever fetched of it"
    if extent.site is None:
        yield "  its site is another source's as well: what is found there by others is let in"
        return
    yield f"  {extent.site}: nothing below it is let in again, whoever finds it (subdomains are other sites)"
    if extent.strays:
        yield f"  {extent.strays:,} articles there that other sources have stored go with it"
