"""The fields of an article besides its body, each by a cascade that records where its value came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import py3langid
from lxml.etree import _Element as Element

from crawler.dates import Instant
from crawler.extraction import instants, jsonld
from crawler.extraction.authors import authors
from crawler.extraction.head import Evidence, Head, plain
from crawler.extraction.instants import Found
from crawler.extraction.printed import Surroundings
from crawler.extraction.titles import headline, titles
from crawler.languages import language_tag
from crawler.urls import canonical_url

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
    nodes: list[jsonld.Node]  # the page's JSON-LD
    evidence: Evidence


def read(tree: Element, url: str | None) -> Fields:
    """All fields of a page except its body and pictures with captions."""
    head = Head(tree, url)
    evidence: Evidence = {"language": head.language_from} if head.language else {}
    site = plain(head.first("og:site_name", "application-name")) or plain(jsonld.text(head.record.get("publisher")))
    given = list(titles(head, site))
    title = headline(given, evidence)
    lines = Surroundings(tree, title)
    changes = instants.given(head, published=False)
    published = _published(head, instants.given(head, published=True), changes, lines)
    modified = instants.best(changes)
    for field, found in (("published_at", published), ("modified_at", modified)):
        if found:
            evidence[field] = found[0]
    return Fields(
        headline=title,
        authors=authors(head, site, lines, evidence),
        published=published[1] if published else None,
        modified=modified[1] if modified else None,
        language=head.language,
        section=plain(head.first("article:section", "section", "parsely-section")) or head.jsonld("articleSection"),
        tags=_tags(head),
        description=plain(head.first("og:description", "description", "twitter:description"))
        or head.jsonld("description"),
        canonical_url=_canonical(head, evidence),
        site_name=site,
        picture_urls=tuple(_picture_urls(head)),
        is_accessible_for_free=_free(head),
        titles=tuple(title for _, title in given),
        nodes=head.nodes,
        evidence=evidence,
    )


# -- instants -----------------------------------------------------------------------------------------------------


def _published(head: Head, given: Sequence[Found], modified: Sequence[Found], lines: Surroundings) -> Found | None:
    if found := instants.best(given, modified):
        return found
    shown = instants.printed(lines(), head)
    if shown and shown[1].zone_assumed:
        shown = instants.best([shown], modified)
    return instants.agreed(instants.of_url(head.url), shown) or instants.guessed(head.tree, head.url)


# -- the rest -----------------------------------------------------------------------------------------------------


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
