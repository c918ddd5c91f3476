"""Which other headline, authors, date, access a reader would call another one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawler.editions.typography import folded
from crawler.text import key

if TYPE_CHECKING:
    from crawler.editions import Edition

MINUTE = timedelta(minutes=1)
ZONES = timedelta(hours=14)  # how far two zones are apart from UTC, at most
QUARTER = timedelta(minutes=15)  # zones lie that far apart
MIN_NAME = 3  # letters of a site's name
_SEPARATOR = re.compile(r"\s+[|•·:~»-]\s+|\s*\|\s*")  # of a folded text
_CLOCK = re.compile(r"\d{1,2}\s?[:.h]\s?\d{2}|\dT\d|\d\s?[ap]\.?m", re.IGNORECASE)
_NO_NAMES = frozenset(("www", "com", "org", "net", "info", "news", "example", "localhost"))
_BESIDE_NAMES = frozenset(("the", "news", "online"))


def names(source: str, url: str) -> tuple[str, ...]:
    """What a publication may be called: its source's name, its host and the parts of that."""
    address = (urlsplit(url).hostname or "").removeprefix("www.")
    host = [part for part in address.split(".") if part not in _NO_NAMES and not part.isdigit()]
    words = [word for word in source.split("_") if word not in _BESIDE_NAMES]
    found = [key(source), key("".join(words)), key(address), *map(key, host)]
    return tuple(dict.fromkeys(name for name in found if len(name) >= MIN_NAME))


def is_edit(name: str, old: Edition, new: Edition, *, text_changed: bool) -> bool:
    """Whether two different values of a field are two for a reader."""
    match name:
        case "headline":
            return _headlines_differ(old.headline, new.headline, (*old.names, *new.names))
        case "authors":
            return {key(one) for one in old.authors} != {key(one) for one in new.authors}
        case "published_at":
            return _dates_differ(old, new)
        case "access":  # `unknown` is what we do not know of it, and no state of an article
            return (text_changed or "unknown" not in (old.access, new.access)) and "truncated" in (
                old.access,
                new.access,
            )
        case _:  # what is not said to be sold may be read, said or not
            return (old.is_accessible_for_free is False) != (new.is_accessible_for_free is False)


def as_text(value: Any) -> str | None:
    """A value as the paragraphs are: text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else ", ".join(value)


def _headlines_differ(one: str | None, other: str | None, site: Sequence[str]) -> bool:
    if one is None or other is None:
        return one != other
    (before, its), (after, others) = (_without_site(folded(text), site) for text in (one, other))
    if its and others and its != others:
        return True
    if before.isupper() or after.isupper():
        before, after = before.casefold(), after.casefold()
    return before != after


def _without_site(headline: str, site: Sequence[str]) -> tuple[str, str]:
    """ "Bridge closed | Example Herald" and "Herald - Bridge closed" are "Bridge closed", and the name that goes."""
    edges = [match.span() for match in _SEPARATOR.finditer(headline)]
    if edges and _is_site(last := headline[edges[-1][1] :], site):
        return headline[: edges[-1][0]], key(last)
    if edges and _is_site(first := headline[: edges[0][0]], site):
        return headline[edges[0][1] :], key(first)
    return headline, ""


def _is_site(part: str, site: Sequence[str]) -> bool:
    """A name word for word: "Sunday at 3pm" is not the Sun."""
    own = [word for word in map(key, part.split()) if word not in _BESIDE_NAMES]
    return key(part) in site or "".join(own) in site


def _dates_differ(old: Edition, new: Edition) -> bool:
    one, other = old.published_at, new.published_at
    if one is None or other is None:
        return one is not other
    apart = abs(one - other)
    if apart < MINUTE:
        return False
    if old.published_zone_assumed != new.published_zone_assumed and apart <= ZONES and not apart % QUARTER:
        return False
    if _is_day(old) != _is_day(new):  # the time of that day, by now
        return apart >= timedelta(days=1)
    return True


def _is_day(edition: Edition) -> bool:
    return edition.published_raw is not None and not _CLOCK.search(edition.published_raw)
