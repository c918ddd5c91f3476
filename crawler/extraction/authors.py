"""The authors: people by JSON-LD, meta elements or the printed byline, else the organisation that signs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from lxml.etree import _Element as Element

from crawler.extraction import jsonld
from crawler.extraction.head import Evidence, Head, content, plain

AUTHOR = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "sailthru.author",
    "article.author",
    "byl",
    "citation_author",
)
ORGANISATIONS = frozenset(("Organization", "NewsMediaOrganization"))
MAX_AUTHORS = 20
_BY = re.compile(
    r"^(?:(?:written |reported |story |text |words )?by|von|par|por|di|da|door|av|af|автор|текст|text|author|autor"
    r"|autore|auteur)"
    r"(?:\s*:\s*|\s+)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:;|\||\s+(?:and|und|et|y|e|en|og|och|и|та|&)\s+)\s*", re.IGNORECASE)
_NO_PERSON = re.compile(r"https?:|\(|www\.|@|/|\d{3}|^(?:admin|editor|staff|unknown|null|none)$", re.IGNORECASE)
_BYLINE_CLASS = re.compile(r"(?:^|[\s_-])(?:author|byline|autor|auteur)(?:s|[_-]?name)?(?:$|\s)", re.IGNORECASE)
_PERSON = re.compile(
    r"^[^\W\d_a-z][\w.'’-]*(?: [\w.'’-]+){0,2} [^\W\d_a-z][\w.'’-]+(?:(?:,| and| und| et| y) [^\W\d_a-z][\w.' ’-]+)*$"
)


def authors(head: Head, site: str | None, evidence: Evidence) -> tuple[str, ...]:
    """People, by JSON-LD, meta or the printed byline; else the organisation that JSON-LD names as the author."""
    given = head.record.get("author") or head.record.get("creator")
    stated = [("jsonld:author", _names(given)), *((f"meta:{name}", head.meta.get(name, [])) for name in AUTHOR)]
    for where, names in itertools.chain(stated, _printed(head.tree)):
        found = list(dict.fromkeys(name for raw in names for name in people(raw, site)))
        if found:
            evidence["authors"] = where
            return tuple(found[:MAX_AUTHORS])
    organisations = [name for raw in _names(given, organisations=True) if (name := plain(raw)) and "/" not in name]
    if organisations:
        evidence["authors"] = "jsonld:author"
    return tuple(dict.fromkeys(organisations[:MAX_AUTHORS]))


def _printed(tree: Element) -> Iterator[tuple[str, list[str]]]:
    """Bylines in the page itself, the ones that are marked as such first."""
    for path in (".//*[@itemprop='author']", ".//a[@rel='author']"):
        yield path[3:], [content(e) or "" for e in itertools.islice(tree.iterfind(path), 5)]
    marked = (
        e for e in tree.iter("a", "span", "p", "div", "li", "address") if _BYLINE_CLASS.search(e.get("class") or "")
    )
    texts = (content(e) or "" for e in itertools.islice(marked, 12))
    yield "byline", list(itertools.islice((text for text in texts if _PERSON.match(_BY.sub("", text))), 1))


def _names(value: Any, *, organisations: bool = False) -> list[str]:
    """The names in an author field: of people (or of what is not said to be anything), or of organisations."""
    values = [
        v
        for v in (value if isinstance(value, list) else [value])
        if (isinstance(v, dict) and bool(jsonld.types(v) & ORGANISATIONS)) is organisations
    ]
    return [name for v in values for name in jsonld.texts(v.get("name") if isinstance(v, dict) else v)]


def people(raw: str, site: str | None) -> Iterator[str]:
    """The names in a byline: without "By", joined names taken apart, neither the publication nor addresses."""
    text = plain(raw) or ""
    for part in _JOINED.split(_BY.sub("", text)):
        names = part.split(",") if all(len(name.split()) >= 2 for name in part.split(",")) else [part.split(",")[0]]
        for name in map(str.strip, names):
            same = site and re.sub(r"\W", "", name).casefold() == re.sub(r"\W", "", site).casefold()
            if 2 <= len(name) <= 60 and len(name.split()) <= 6 and not same and not _NO_PERSON.search(name):
                yield name
