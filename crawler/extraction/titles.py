"""The headline: which of the page's titles it is, without the publication's name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from crawler.extraction.head import Evidence, Head, content, plain

_SUFFIX = re.compile(r"\s+[|–—•·»:-]{1,2}\s+")


def titles(head: Head, site: str | None) -> Iterator[tuple[str, str]]:
    """(where, title), the most trusted first."""
    ones = [text for h1 in head.tree.iter("h1") if (text := content(h1)) and len(text) > 3]
    title = head.tree.find(".//head/title")
    given = [
        ("jsonld:headline", head.jsonld("headline", "name")),
        *(("h1", one) for one in ones[:3]),
        ("og:title", plain(head.first("og:title"))),
        ("twitter:title", plain(head.first("twitter:title"))),
        ("title", content(title) if title is not None else None),
    ]
    names = [name for name in (site, urlsplit(head.url or "").hostname) if name]
    for where, text in given:
        if text:
            yield where, text if where == "h1" else without_site(text, names)


def without_site(title: str, names: Iterable[str]) -> str:
    """A title less the publication's name behind (or before) a separator: "Bridge closed | Example Post"."""
    parts = _SUFFIX.split(title)
    if len(parts) < 2:
        return title
    folded = {re.sub(r"\W|^www\.|\.\w+$", "", name).casefold() for name in names}
    last, first = (re.sub(r"\W", "", part).casefold() for part in (parts[-1], parts[0]))
    if any(name and (name in last or (last and last in name)) for name in folded):
        return title[: title.rfind(parts[-1])].rstrip(" |–—•·»:-")
    if first in folded:
        return title[title.find(parts[1]) :]
    return title


def headline(given: list[tuple[str, str]], evidence: Evidence) -> str | None:
    """Of `titles()`, the one that most of the page's places agree on; of equals the most trusted place."""
    if not given:
        return None
    keys = [re.sub(r"\W", "", title).casefold() for _, title in given]

    def votes(index: int) -> int:
        """Equal given, and those that go on with a separator and a site's name."""
        own = given[index][1]
        longer = (title[len(own) :] for _, title in given if len(own) > 10 and title.startswith(own))
        return keys.count(keys[index]) + sum(bool(_SUFFIX.match(rest)) for rest in longer)

    printed = [where for where, _ in given].count("h1") == 1
    best = max(range(len(given)), key=lambda i: (votes(i), printed and given[i][0] == "h1", -i))
    if given[best][1].endswith(("...", "…")):  # cut for a card; the whole one stands elsewhere
        stem = keys[best]
        best = next((i for i, key in enumerate(keys) if key.startswith(stem) and len(key) > len(stem)), best)
    evidence["headline"] = given[best][0]
    return given[best][1]
