"""The case that started the project, rebuilt with invented text: a letter that outweighs a short article."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.extraction import extract
from tests.extraction.letters import LETTERS, NEWS
from tests.extraction.pages import CAPTION, CREDIT, HEADLINE, PARAGRAPHS, PLACES, URL, Place, page, shortened

LENGTHS = (139, 299, 442, 10_000)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("language", LETTERS)
def test_exactly_the_paragraphs_remain(length: int, place: Place, language: str) -> None:
    paragraphs = shortened(length)
    found = extract(page(paragraphs, place, language), URL)
    assert [block.text for block in found.blocks if block.kept] == paragraphs


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("language", LETTERS)
def test_the_letter_is_dropped_as_one_run(length: int, place: Place, language: str) -> None:
    found = extract(page(shortened(length), place, language), URL)
    support = [at for at, block in enumerate(found.blocks) if block.reason == "support"]
    texts = [found.blocks[at].text for at in support]
    letter = [at for at in support if found.blocks[at].text in LETTERS[language]]
    assert set(LETTERS[language]) <= set(texts)
    assert letter == list(range(letter[0], letter[0] + len(letter)))
    assert "Support The Example Post!" in texts


def test_the_fields() -> None:
    found = extract(page(PARAGRAPHS), URL)
    assert found.headline == HEADLINE
    assert found.authors == ("Ilse Marrow",)
    assert found.published_at == datetime(2026, 3, 5, 9, 5, tzinfo=UTC)
    assert found.modified_at == datetime(2026, 3, 5, 9, 25, tzinfo=UTC)
    assert found.canonical_url == URL
    assert found.is_accessible_for_free is True
    assert [(image.caption, image.credit) for image in found.images] == [(CAPTION, CREDIT)]


def test_the_pointer_between_the_paragraphs_is_no_paragraph() -> None:
    assert "Read more" not in extract(page(PARAGRAPHS), URL).body


@pytest.mark.parametrize("news", NEWS)
@pytest.mark.parametrize("at", [0, 3, 6])
def test_news_about_asking_stays(news: str, at: int) -> None:
    paragraphs = [*PARAGRAPHS[:at], news, *PARAGRAPHS[at:]]
    assert [block.text for block in extract(page(paragraphs), URL).blocks if block.kept] == paragraphs


@pytest.mark.parametrize("news", NEWS)
def test_news_about_asking_stays_beside_a_bare_letter(news: str) -> None:
    paragraphs = [*PARAGRAPHS, news]
    assert [block.text for block in extract(page(paragraphs, "end"), URL).blocks if block.kept] == paragraphs
