"""The words of notes and counters against their own examples, and against each other's languages."""

from __future__ import annotations

import pytest

from crawler.editions.noise import is_counter
from crawler.editions.notes import is_note
from crawler.editions.words import book

BOOK = book()


def cases(name: str) -> list[tuple[str, str]]:
    return [(language, text) for language, words in BOOK.items() for text in getattr(words, name)]


@pytest.mark.parametrize(("language", "text"), cases("notes"))
def test_notes(language: str, text: str) -> None:
    assert is_note(text)


@pytest.mark.parametrize(("language", "text"), cases("no_notes"))
def test_no_notes(language: str, text: str) -> None:
    assert not is_note(text)


@pytest.mark.parametrize(("language", "text"), cases("counters"))
def test_counters(language: str, text: str) -> None:
    assert is_counter(text)


@pytest.mark.parametrize(("language", "text"), [*cases("no_counters"), *cases("notes"), *cases("no_notes")])
def test_no_counters(language: str, text: str) -> None:
    assert not is_counter(text)


def test_every_language_has_examples() -> None:
    assert len(BOOK) >= 25
    for language, words in BOOK.items():
        assert words.notes and words.no_notes and words.counters and words.no_counters, language
