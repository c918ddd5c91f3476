"""The articles: what the newspaper printed, and therefore what a crawler has to bring home.

An article is a text file in `articles/`: a TOML head between lines of `+++`, then the text in blocks parted by blank
lines. `## ` starts a heading, `> ` a quotation, `- ` a list, `| ` a table; `[[words]]` become a link.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from tests.site import boilerplate
from tests.site.publication import PAPERS, Publication

ARTICLES = Path(__file__).parent / "articles"
LINK = re.compile(r"\[\[(.+?)\]\]")

BlockKind = Literal["p", "h2", "quote", "list", "table"]
MARKS: dict[str, BlockKind] = {"## ": "h2", "> ": "quote", "- ": "list", "| ": "table"}


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A block of the article's text. A list has a line for each item, a table for each row, cells parted by ` | `."""

    kind: BlockKind
    lines: tuple[str, ...]  # marked up with [[links]]

    @property
    def text(self) -> str:
        return LINK.sub(r"\1", "\n".join(self.lines))


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The lead picture; `path` is below the publication's prefix."""

    path: str
    caption: str
    credit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Article:
    """One article and everything a page of it must yield. `carries` names the boilerplate that surrounds it."""

    slug: str
    publication: Publication
    language: str
    headline: str
    standfirst: str | None = None
    authors: tuple[str, ...]
    published: datetime
    modified: datetime | None = None
    section: str
    tags: tuple[str, ...] = ()
    image: Picture | None = None
    free: bool = True
    carries: tuple[str, ...] = ()
    blocks: tuple[TextBlock, ...]
    related: tuple[tuple[str, str], ...] = ()  # headline and path of the articles that the page points to
    revision: int = 0
    url: str = ""  # absolute; known once the newspaper is served

    @property
    def path(self) -> str:
        """Below the publication's prefix."""
        return self.publication.article_path(self.slug, self.language, self.section, self.published)

    @property
    def updated(self) -> datetime:
        return self.modified or self.published

    @property
    def body(self) -> str:
        """The expected body: the text's blocks joined by newlines, without headline and standfirst."""
        return "\n".join(block.text for block in self.blocks)

    @property
    def dropped(self) -> dict[str, tuple[str, ...]]:
        """Kind of boilerplate -> the texts of that kind on the page, which must not be in the body."""
        found = boilerplate.carried(self.carries, self.language, self.publication.name, self.authors)
        if self.image:
            found["caption"] = (self.image.caption, self.image.credit)
        if self.related:
            river = boilerplate.wording("river", self.language, self.publication.name)
            teasers = tuple(headline for headline, _ in self.related)  # below every article
            found["related"] = found.get("related", ()) + river + teasers
        return found


def load() -> list[Article]:
    """Every article of the three papers, in the order of publication, the newest first."""
    articles = [parse(path.stem, path.read_text(encoding="utf-8")) for path in sorted(ARTICLES.glob("*.txt"))]
    articles.sort(key=lambda article: article.published, reverse=True)
    return [dataclasses.replace(article, related=_related(article, articles)) for article in articles]


def parse(slug: str, text: str) -> Article:
    """An article from its text file. Raises KeyError for a head that lacks a key."""
    _, head, rest = text.split("+++\n", 2)
    fields: dict[str, Any] = tomllib.loads(head)
    publication = {paper.key: paper for paper in PAPERS}[fields.pop("publication")]
    fields["image"] = Picture(path=f"/images/{slug}.png", **fields["image"]) if "image" in fields else None
    for key in ("authors", "tags", "carries"):
        fields[key] = tuple(fields.get(key, ()))
    fields.setdefault("language", publication.language)
    return Article(slug=slug, publication=publication, blocks=tuple(_blocks(rest)), **fields)


def _blocks(text: str) -> Iterator[TextBlock]:
    for chunk in text.strip().split("\n\n"):
        mark = next((mark for mark in MARKS if chunk.startswith(mark)), "")
        lines = [line.removeprefix(mark).strip().removesuffix(" |") for line in chunk.strip().split("\n")]
        yield TextBlock(MARKS.get(mark, "p"), tuple(lines))


def _related(article: Article, articles: list[Article]) -> tuple[tuple[str, str], ...]:
    """Two others of the same paper, those of the article's own language first."""
    others = [other for other in articles if other.publication == article.publication and other != article]
    others.sort(key=lambda other: other.language != article.language)
    return tuple((other.headline, other.path) for other in others[:2])
