"""The publications of the fake newspaper house: who they are and how they address their articles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One paper. `key` is its path prefix and its host name below .localhost, `stem` the name of its seed file."""

    key: str
    stem: str
    name: str
    language: str
    country: str
    path_pattern: str  # of an article, below the prefix
    feeds: tuple[str, ...] = ("/rss.xml", "/atom.xml")
    feed_query: str = ""  # what its RSS feed appends to every link, as real feeds do
    deny: tuple[str, ...] = ("/about$", "/latest$")

    def article_path(self, slug: str, language: str, section: str, published: datetime) -> str:
        """Where an article lives, below the publication's prefix."""
        edition = "" if language == self.language else f"/{language}"
        section = section.lower().replace(" ", "-")
        return self.path_pattern.format(slug=slug, edition=edition, section=section, day=published)


HERALD = Publication(
    key="herald",
    stem="example_herald",
    name="Example Herald",
    language="en",
    country="GB",
    path_pattern="{edition}/{day:%Y/%m/%d}/{slug}",
)
KURIER = Publication(
    key="kurier",
    stem="beispiel_kurier",
    name="Beispiel-Kurier",
    language="de",
    country="DE",
    path_pattern="{edition}/{section}/{slug}.html",
)
COURRIER = Publication(
    key="courrier",
    stem="courrier_exemple",
    name="Courrier Exemple",
    language="fr",
    country="FR",
    path_pattern="{edition}/article/{day:%Y-%m-%d}/{slug}",
    feed_query="?utm_source=rss&utm_medium=feed",
)
FAULTS = Publication(
    key="faults",
    stem="example_faults",
    name="Example Faults",
    language="en",
    country="GB",
    path_pattern="/{slug}",
    feeds=("/rss.xml", "/atom.xml", "/pages.xml"),  # the first is none
)
PAPERS = (HERALD, KURIER, COURRIER)
