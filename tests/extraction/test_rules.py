"""Every rule proves itself on its own examples and leaves all others' keeps alone."""

from __future__ import annotations

import pytest

from crawler.extraction.rules import Rule, folded, rules
from crawler.extraction.segment import count_words

SITE = "The Example Post"
DROPS = [(rule, text) for rule in rules() for text in rule.drops]
KEEPS = [(rule, text) for rule in rules() for text in rule.keeps]


def matches(rule: Rule, text: str) -> bool:
    return rule.matches(folded(text), count_words(text), folded(SITE))


@pytest.mark.parametrize(("rule", "text"), DROPS, ids=lambda value: getattr(value, "id", None))
def test_a_rule_drops_its_examples(rule: Rule, text: str) -> None:
    assert matches(rule, text)


@pytest.mark.parametrize(("rule", "text"), KEEPS, ids=lambda value: getattr(value, "id", None))
def test_no_rule_drops_what_another_keeps(rule: Rule, text: str) -> None:
    assert [other.id for other in rules() if matches(other, text)] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_a_rule_is_complete(rule: Rule) -> None:
    assert rule.drops
    assert rule.keeps
    assert rule.equals or rule.starts_with or rule.contains or rule.regex


def test_ids_are_unique() -> None:
    ids = [rule.id for rule in rules()]
    assert len(ids) == len(set(ids))


def test_an_article_before_the_publications_name_does_not_matter() -> None:
    rule = next(rule for rule in rules() if rule.id == "support-publication")
    assert rule.matches("support the example post!", 4, "example post")
    assert rule.matches("unterstützen sie den beispiel-boten", 4, "beispiel-boten")
    assert not rule.matches("support the example post!", 4)
