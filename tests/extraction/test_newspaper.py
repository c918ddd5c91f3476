"""Every article of the fake newspaper, over HTTP: its body to the letter, and what was dropped with its kind."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest

from crawler.extraction import extract
from crawler.items import Extraction
from tests.site import Article, Newspaper
from tests.site.article import load

SLUGS = [article.slug for article in load()]


@pytest.fixture(scope="module")
def paper() -> Iterator[dict[str, tuple[Article, Extraction]]]:
    with Newspaper() as house:
        yield {article.slug: (article, read(article.url)) for article in house.articles}


def read(url: str) -> Extraction:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return extract(answer.read(), url)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_body(paper: dict[str, tuple[Article, Extraction]], slug: str) -> None:
    article, found = paper[slug]
    assert found.body == article.body


@pytest.mark.parametrize("slug", SLUGS)
def test_what_was_dropped(paper: dict[str, tuple[Article, Extraction]], slug: str) -> None:
    article, found = paper[slug]
    for kind, texts in article.dropped.items():
        dropped = [block.text for block in found.dropped if block.reason == kind]
        assert [text for text in texts if not any(text in block for block in dropped)] == [], kind


@pytest.mark.parametrize("slug", SLUGS)
def test_the_fields(paper: dict[str, tuple[Article, Extraction]], slug: str) -> None:
    article, found = paper[slug]
    assert (found.headline, found.authors, found.language) == (article.headline, article.authors, article.language)
    assert (found.published_at, found.modified_at) == (article.published, article.updated)
    assert (found.section, found.tags, found.description) == (article.section, article.tags, article.standfirst)
    assert (found.is_accessible_for_free, found.canonical_url) == (article.free, article.url)
    assert found.site_name == article.publication.name


@pytest.mark.parametrize("slug", SLUGS)
def test_the_picture(paper: dict[str, tuple[Article, Extraction]], slug: str) -> None:
    article, found = paper[slug]
    if article.image:
        assert [image.caption for image in found.images] == [article.image.caption]
        assert article.image.credit.endswith(found.images[0].credit or "no credit")
    else:
        assert found.images == ()


def test_the_article_about_asking_for_money_loses_nothing(paper: dict[str, tuple[Article, Extraction]]) -> None:
    article, found = paper["who-pays-for-the-news"]
    assert [block.text for block in found.blocks if block.kept] == article.body.split("\n")
