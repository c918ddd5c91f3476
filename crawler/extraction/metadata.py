"""The fields of an article besides its body, each by a cascade that records where its value came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import py3langid
from htmldate import find_date
from lxml.etree import _Element as Element
from lxml.html import HtmlElement

from crawler.dates import Instant, parse_instant
from crawler.extraction import jsonld
from crawler.extraction.authors import authors
from crawler.extraction.head import Evidence, Head, plain
from crawler.extraction.titles import headline, titles
from crawler.languages import language_tag
from crawler.urls import canonical_url

PUBLISHED = (
    "article:published_time", "og:article:published_time", "datepublished", "date.published", "publishdate",
    "publish-date", "publish_date", "article.published", "pubdate", "sailthru.date", "parsely-pub-date",
    "dc.date.issued", "dcterms.created", "dc.date.created", "dcterms.date", "dc.date", "date", "og:published_time",
    "last-published", "article_date_original", "cxenseparse:recs:publishtime", "originalpublicationdate",
)  # fmt: skip
MODIFIED = (
    "article:modified_time", "og:article:modified_time", "og:updated_time", "datemodified", "last-modified",
    "dcterms.modified", "dc.date.modified", "article:modified", "lastmod", "modified_date",
)  # fmt: skip
MIN_LANGUAGE_SAMPLE = 200  # characters; below this a guess from the text is worse than none


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


def read(tree: Element, url: str | None) -> Fields:
    """All fields of a page except its body and pictures with captions."""
    head = Head(tree, url)
    evidence: Evidence = {}
    site = plain(head.first("og:site_name", "application-name")) or plain(jsonld.text(head.record.get("publisher")))
    given = list(titles(head, site))
    published = _instant(head, evidence, "published_at", ("datePublished", "dateCreated"), PUBLISHED)
    if published is None:
        published = _visible_instant(tree, evidence) or _day(tree, url, evidence)
    return Fields(
        headline=headline(given, evidence),
        authors=authors(head, site, evidence),
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
        titles=tuple(title for _, title in given),
        evidence=evidence,
    )


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
    page = cast(HtmlElement, tree)
    try:
        day = find_date(page, url=url, original_date=True, extensive_search=False, outputformat="%Y-%m-%d")
    except (ValueError, TypeError, AttributeError):
        return None
    found = parse_instant(day)
    if found:
        evidence["published_at"] = "htmldate"
    return found


# -- the rest -----------------------------------------------------------------------------------------------------


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
