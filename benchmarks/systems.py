"""The extractors that are compared: ours, trafilatura, and the peers that are installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from crawler.extraction import extract

_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]+)")
_BREAKING = ("p", "div", "br", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "tr", "pre", "ul", "ol", "table")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an extractor says of a page; a field that it does not know stays None."""

    text: str = ""
    headline: str | None = None
    authors: tuple[str, ...] | None = None
    published: object = None


Extractor = Callable[[bytes, str | None], Answer]


def ours(html: bytes, url: str | None) -> Answer:
    page = extract(html, url)
    return Answer(text=page.body, headline=page.headline, authors=page.authors, published=page.published_at)


def trafilatura(html: bytes, url: str | None) -> Answer:
    from trafilatura import bare_extraction

    document: Any = bare_extraction(html, url=url, include_comments=False, with_metadata=True)
    if document is None:
        return Answer(authors=())
    authors = tuple(name.strip() for name in (document.author or "").split(";") if name.strip())
    return Answer(text=document.text or "", headline=document.title, authors=authors, published=document.date)


def newspaper(html: bytes, url: str | None) -> Answer:
    library = import_module("newspaper")
    article = library.Article(url or "http://localhost/", fetch_images=False)
    article.download(input_html=decode(html))
    article.parse()
    return _like_newspaper(article.text, article.title, article.authors, article.publish_date)


def newsplease(html: bytes, url: str | None) -> Answer:
    article = import_module("newsplease").NewsPlease.from_html(decode(html), url=url, fetch_images=False)
    return _like_newspaper(article.maintext, article.title, article.authors, article.date_publish)


def _like_newspaper(text: str | None, title: str | None, authors: list[str] | None, published: object) -> Answer:
    return Answer(text=text or "", headline=title, authors=tuple(map(str, authors or ())), published=published)


def readability(html: bytes, url: str | None) -> Answer:
    from lxml.html import fromstring

    document = import_module("readability").Document(decode(html), url=url)
    tree = fromstring(document.summary())
    for element in tree.iter(*_BREAKING):
        element.text, element.tail = f"\n{element.text or ''}", f"\n{element.tail or ''}"
    lines = (" ".join(line.split()) for line in tree.text_content().split("\n"))
    return Answer(text="\n".join(line for line in lines if line), headline=document.short_title())


def resiliparse(html: bytes, url: str | None) -> Answer:
    tree = import_module("resiliparse.parse.html").HTMLTree.parse(decode(html))
    plain = import_module("resiliparse.extract.html2text").extract_plain_text
    return Answer(text=plain(tree, main_content=True, alt_texts=False, links=False), headline=tree.title)


OURS, BASELINE = "ours", "trafilatura"
PEERS: dict[str, tuple[str, Extractor]] = {  # distribution -> its module and how it is called
    "newspaper4k": ("newspaper", newspaper),
    "news-please": ("newsplease", newsplease),
    "readability-lxml": ("readability", readability),
    "resiliparse": ("resiliparse.parse.html", resiliparse),
}


def installed() -> tuple[dict[str, Extractor], list[str]]:
    """Extractors by name, ours and trafilatura first, and the names of the peers that are not installed."""
    found: dict[str, Extractor] = {OURS: ours, BASELINE: trafilatura}
    missing = []
    for name, (module, extractor) in PEERS.items():
        try:
            import_module(module)
        except ImportError:
            missing.append(name)
        else:
            found[name] = extractor
    return found, missing


def label(name: str) -> str:
    return name if name == OURS else f"{name} {version(name)}"


def decode(html: bytes) -> str:
    """For libraries that want text: UTF-8 where it is, else what the page declares."""
    try:
        return html.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    declared = _CHARSET.search(html[:4000])
    try:
        return html.decode(declared[1].decode() if declared else "cp1252", "replace")
    except LookupError:
        return html.decode("latin-1")
