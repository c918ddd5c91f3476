"""The fields of an article besides its body, each by a cascade that records where its value came from."""

from __future__ import annotations

import html as entities
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import py3langid
from htmldate import find_date
from lxml.etree import _Element as Element

from crawler.dates import Instant, parse_instant
from crawler.extraction import jsonld
from crawler.languages import language_tag
from crawler.text import one_line
from crawler.urls import canonical_url

PUBLISHED = [
    "article:published_time",
    "og:article:published_time",
    "datepublished",
    "date.published",
    "publishdate",
    "publish-date",
    "publish_date",
    "article.published",
    "pubdate",
    "sailthru.date",
    "parsely-pub-date",
    "dc.date.issued",
    "dcterms.created",
    "dc.date.created",
    "dcterms.date",
    "dc.date",
    "date",
    "og:published_time",
    "last-published",
    "article_date_original",
    "cxenseparse:recs:publishtime",
    "originalpublicationdate",
]
MODIFIED = [
    "article:modified_time",
    "og:article:modified_time",
    "og:updated_time",
    "datemodified",
    "last-modified",
    "dcterms.modified",
    "dc.date.modified",
    "article:modified",
    "lastmod",
    "modified_date",
]
AUTHOR = [
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "sailthru.author",
    "article.author",
    "byl",
    "citation_author",
]
MIN_LANGUAGE_SAMPLE = 200  # characters; below this a guess from the text is worse than none
_SUFFIX = re.compile(r"\s+[|–—•·»:-]{1,2}\s+")
_BY = re.compile(
    r"^(?:(?:written |reported |story |text |words )?by|von|par|por|di|da|door|av|af|автор|текст|text|author|autor|autore|auteur)"
    r"(?:\s*:\s*|\s+)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:;|\||\s+(?:and|und|et|y|e|en|og|och|и|та|&)\s+)\s*", re.IGNORECASE)
_NO_PERSON = re.compile(r"https?:|\(|www\.|@|/|\d{3}|^(?:admin|editor|staff|unknown|null|none)$", re.IGNORECASE)
_BYLINE_CLASS = re.compile(r"(?:^|[\s_-])(?:author|byline|autor|auteur)(?:s|[_-]?name)?(?:$|\s)", re.IGNORECASE)
_PERSON = re.compile(
    r"^[^\W\d_a-z][\w.'’-]*(?: [\w.'’-]+){0,2} [^\W\d_a-z][\w.'’-]+(?:(?:,| and| und| et| y) [^\W\d_a-z][\w.' ’-]+)*$"
)
ORGANISATIONS = frozenset(("Organization", "NewsMediaOrganization"))
MAX_AUTHORS = 20
Evidence = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What a page says of its article. `evidence` names the winner of each cascade."""

    headline: str | None
    authors: tuple[str, ...]
    published: Instant | None
    modified: Instant | None
    language: str | None
    section: str | None
    tags: tuple[str, ...]
    description: str | None
    canonical_url: str | None
    site_name: str | None
    picture_urls: tuple[str, ...]
    is_accessible_for_free: bool | None
    titles: tuple[str, ...]  # all that the page gives as its headline, for recognising it in the body
    evidence: Evidence


class Head:
    """The tree's meta elements and JSON-LD, read once."""

    def __init__(self, tree: Element, url: str | None) -> None:
        self.tree, self.url = tree, url
        self.meta: dict[str, list[str]] = {}
        for element in tree.iter("meta"):
            name = (
                element.get("property") or element.get("name") or element.get("itemprop") or element.get("http-equiv")
            )
            content = one_line(element.get("content"))
            if name and content:
                self.meta.setdefault(name.strip().lower(), []).append(content)
        self.nodes = jsonld.nodes(tree)
        self.record = jsonld.article(self.nodes, url)

    def first(self, *names: str) -> str | None:
        return next((self.meta[name][0] for name in names if name in self.meta), None)

    def jsonld(self, *keys: str) -> str | None:
        return next((found for key in keys if (found := plain(jsonld.text(self.record.get(key))))), None)


def plain(text: str | None) -> str | None:
    """Entities undone (twice, as some write `&amp;#39;`), one line."""
    return one_line(entities.unescape(entities.unescape(text))) if text else None


def read(tree: Element, url: str | None) -> Fields:
    """All fields of a page except its body and pictures with captions."""
    head = Head(tree, url)
    evidence: Evidence = {}
    site = plain(head.first("og:site_name", "application-name")) or plain(jsonld.text(head.record.get("publisher")))
    titles = list(_titles(head, site))
    published = _instant(head, evidence, "published_at", ("datePublished", "dateCreated"), PUBLISHED)
    if published is None:
        published = _visible_instant(tree, evidence) or _day(tree, url, evidence)
    return Fields(
        headline=_headline(titles, evidence),
        authors=_authors(head, site, evidence),
        published=published,
        modified=_instant(head, evidence, "modified_at", ("dateModified",), MODIFIED),
        language=_language(head, evidence),
        section=plain(head.first("article:section", "section", "parsely-section")) or head.jsonld("articleSection"),
        tags=_tags(head),
        description=plain(head.first("og:description", "description", "twitter:description"))
        or head.jsonld("description"),
        canonical_url=_canonical(head, evidence),
        site_name=site,
        picture_urls=tuple(_picture_urls(head)),
        is_accessible_for_free=_free(head),
        titles=tuple(title for _, title in titles),
        evidence=evidence,
    )


# -- headline -----------------------------------------------------------------------------------------------------


def _titles(head: Head, site: str | None) -> Iterator[tuple[str, str]]:
    """(where, title), the most trusted first."""
    ones = [
        text for h1 in head.tree.iter("h1") if (text := one_line("".join(map(str, h1.itertext())))) and len(text) > 3
    ]
    given = [
        ("jsonld:headline", head.jsonld("headline", "name")),
        *(("h1", one) for one in ones[:3]),
        ("og:title", plain(head.first("og:title"))),
        ("twitter:title", plain(head.first("twitter:title"))),
        (
            "title",
            one_line("".join(map(str, title.itertext())))
            if (title := head.tree.find(".//head/title")) is not None
            else None,
        ),
    ]
    names = [name for name in (site, urlsplit(head.url or "").hostname) if name]
    for where, title in given:
        if title:
            yield where, title if where == "h1" else without_site(title, names)


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


def _headline(titles: list[tuple[str, str]], evidence: Evidence) -> str | None:
    """The title that most of the page's places agree on; of equals the most trusted place."""
    if not titles:
        return None
    keys = [re.sub(r"\W", "", title).casefold() for _, title in titles]

    def votes(index: int) -> int:
        """Equal titles, and those that go on with a separator and a site's name."""
        own = titles[index][1]
        longer = (title[len(own) :] for _, title in titles if len(own) > 10 and title.startswith(own))
        return keys.count(keys[index]) + sum(bool(_SUFFIX.match(rest)) for rest in longer)

    printed = [where for where, _ in titles].count("h1") == 1
    best = max(range(len(titles)), key=lambda i: (votes(i), printed and titles[i][0] == "h1", -i))
    if titles[best][1].endswith(("...", "…")):  # cut for a card; the whole one stands elsewhere
        stem = keys[best]
        best = next((i for i, key in enumerate(keys) if key.startswith(stem) and len(key) > len(stem)), best)
    evidence["headline"] = titles[best][0]
    return titles[best][1]


# -- instants -----------------------------------------------------------------------------------------------------


def _instant(head: Head, evidence: Evidence, field: str, keys: tuple[str, ...], metas: Iterable[str]) -> Instant | None:
    """JSON-LD, then meta; a full instant beats a bare day that stands before it."""
    day: tuple[str, Instant] | None = None
    given = [(f"jsonld:{key}", head.jsonld(key)) for key in keys] + [
        (f"meta:{name}", head.first(name)) for name in metas
    ]
    for where, raw in given:
        found = parse_instant(raw) if raw else None
        if found and not found.day_only:
            evidence[field] = where
            return found
        if found and day is None:
            day = (where, found)
    if day:
        evidence[field] = day[0]
    return day[1] if day else None


def _visible_instant(tree: Element, evidence: Evidence) -> Instant | None:
    """The first `<time>` of the article, or an element marked as datePublished."""
    for path in (".//*[@itemprop='datePublished']", ".//article//time[@datetime]", ".//time[@datetime]"):
        for element in tree.iterfind(path):
            found = parse_instant(element.get("datetime") or element.get("content") or element.text)
            if found:
                evidence["published_at"] = "microdata" if "itemprop" in path else "time"
                return found
    return None


def _day(tree: Element, url: str | None, evidence: Evidence) -> Instant | None:
    try:
        found = parse_instant(
            find_date(tree, url=url, original_date=True, extensive_search=False, outputformat="%Y-%m-%d")
        )  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError):
        return None
    if found:
        evidence["published_at"] = "htmldate"
    return found


# -- the rest -----------------------------------------------------------------------------------------------------


def _authors(head: Head, site: str | None, evidence: Evidence) -> tuple[str, ...]:
    """People, by JSON-LD, meta or the printed byline; else the organisation that JSON-LD names as the author."""
    given = head.record.get("author") or head.record.get("creator")
    stated = [("jsonld:author", _names(given)), *((f"meta:{name}", head.meta.get(name, [])) for name in AUTHOR)]
    for where, names in [*stated, *_printed(head.tree)]:
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
        yield path[3:], ["".join(map(str, e.itertext())) for e in list(tree.iterfind(path))[:5]]
    marked = (
        e for e in tree.iter("a", "span", "p", "div", "li", "address") if _BYLINE_CLASS.search(e.get("class") or "")
    )
    texts = (one_line("".join(map(str, e.itertext()))) or "" for e in itertools.islice(marked, 12))
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


def _language(head: Head, evidence: Evidence) -> str | None:
    root = head.tree if head.tree.tag == "html" else head.tree.getroottree().getroot()
    given = (
        (
            "html:lang",
            root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("xml:lang"),
        ),
        ("jsonld:inLanguage", head.jsonld("inLanguage")),
        ("meta:content-language", head.first("content-language", "dc.language", "language")),
        ("og:locale", head.first("og:locale")),
    )
    for where, raw in given:
        if tag := language_tag(raw):
            evidence["language"] = where
            return tag
    return None


def language_of(text: str) -> str | None:
    """A guess from the text alone, None when it is too short to tell."""
    if len(text) < MIN_LANGUAGE_SAMPLE:
        return None
    return language_tag(py3langid.classify(text[:4_000])[0])


def _tags(head: Head) -> tuple[str, ...]:
    given = head.meta.get("article:tag") or head.meta.get("news_keywords") or jsonld.texts(head.record.get("keywords"))
    given = given or head.meta.get("keywords") or []
    split = [plain(tag) for text in given for tag in (text.split(",") if len(given) == 1 else [text])]
    return tuple(dict.fromkeys(tag for tag in split if tag and len(tag) <= 100))[:50]


def _canonical(head: Head, evidence: Evidence) -> str | None:
    link = next((e.get("href") for e in head.tree.iterfind(".//link[@rel='canonical']") if e.get("href")), None)
    for where, raw in (("link:canonical", link), ("og:url", head.first("og:url"))):
        url = canonical_url(raw, base=head.url) if raw else None
        # A canonical link to the front page is a mistake of the template, not this article's address.
        if url and urlsplit(url).path.strip("/"):
            evidence["canonical_url"] = where
            return url
    return None


def _picture_urls(head: Head) -> Iterator[str]:
    images = head.record.get("image")
    for value in images if isinstance(images, list) else [images]:
        raw = value.get("url") or value.get("contentUrl") if isinstance(value, dict) else value
        if url := canonical_url(jsonld.text(raw) or "", base=head.url):
            yield url
    if url := canonical_url(head.first("og:image", "og:image:url", "twitter:image") or "", base=head.url):
        yield url


def _free(head: Head) -> bool | None:
    claimed = jsonld.claim([head.record] if "isAccessibleForFree" in head.record else head.nodes)
    if claimed is None and (tier := head.first("article:content_tier")):
        return {"free": True, "locked": False, "metered": False}.get(tier.lower())
    return claimed


def instant_fields(name: str, found: Instant | None) -> dict[str, datetime | str | None]:
    """`published_at` and `published_raw` out of an instant."""
    return {f"{name}_at": found.at if found else None, f"{name}_raw": found.raw if found else None}
