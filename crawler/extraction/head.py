"""What a page's head says: its meta elements and its JSON-LD, read once."""

from __future__ import annotations

import html as entities

from lxml.etree import _Element as Element

from crawler.extraction import jsonld
from crawler.languages import language_tag
from crawler.text import one_line

Evidence = dict[str, str]  # field -> where its value came from


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
        self.language_from, self.language = self._language()

    def first(self, *names: str) -> str | None:
        return next((self.meta[name][0] for name in names if name in self.meta), None)

    def jsonld(self, *keys: str) -> str | None:
        return next((found for key in keys if (found := plain(jsonld.text(self.record.get(key))))), None)

    def _language(self) -> tuple[str, str | None]:
        root = self.tree if self.tree.tag == "html" else self.tree.getroottree().getroot()
        names = ("lang", "{http://www.w3.org/XML/1998/namespace}lang", "xml:lang")
        given = (
            ("html:lang", next((root.get(name) for name in names if root.get(name)), None)),
            ("jsonld:inLanguage", self.jsonld("inLanguage")),
            ("meta:content-language", self.first("content-language", "dc.language", "language")),
            ("og:locale", self.first("og:locale")),
        )
        return next(((where, tag) for where, raw in given if (tag := language_tag(raw))), ("", None))


def plain(text: str | None) -> str | None:
    """Entities undone (twice, as some write `&amp;#39;`), one line."""
    return one_line(entities.unescape(entities.unescape(text))) if text else None


def content(element: Element) -> str | None:
    """All text inside an element, on one line."""
    return one_line("".join(map(str, element.itertext())))
