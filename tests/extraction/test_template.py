"""A source's template over a page's ledger: what goes, and what is spared."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.extraction import extract
from crawler.extraction.template import drop_template
from crawler.items import Block
from crawler.recurrence import Template, Witness, block_key, condemned, versions
from tests.extraction.pages import HEADLINE, PARAGRAPHS, URL, page

BOX = "Vilu sed karmo lint, vaton helu prim sodare kel."
LEARNED = Template.of([block_key(BOX)])
WORDS = "one two three four five six seven eight nine ten "


def ledger(*texts: str) -> list[Block]:
    return [Block(kind="paragraph", text=text, kept=True) for text in texts]


def test_a_learned_block_goes_and_nothing_else() -> None:
    html = page([*PARAGRAPHS[:3], BOX, *PARAGRAPHS[3:]])
    plain, found = extract(html, URL), extract(html, URL, template=LEARNED)
    assert BOX in plain.body
    assert found.body == plain.body.replace(BOX + "\n", "")
    (dropped,) = set(found.blocks) - set(plain.blocks)
    assert (dropped.text, dropped.reason, dropped.rule) == (BOX, "template", f"template:{block_key(BOX)}")
    assert [block.text for block in found.blocks] == [block.text for block in plain.blocks]


def test_without_a_template_nothing_changes() -> None:
    blocks = tuple(ledger(*PARAGRAPHS))
    assert drop_template(blocks, None) == drop_template(blocks, Template()) == blocks


def test_the_headline_is_never_dropped() -> None:
    blocks = ledger(*PARAGRAPHS, HEADLINE)
    template = Template.of([block_key(HEADLINE)])
    assert all(block.kept for block in drop_template(blocks, template, HEADLINE.upper()))
    assert not all(block.kept for block in drop_template(blocks, template, "Another headline"))


def test_a_page_that_would_lose_more_than_30_percent_keeps_it() -> None:
    assert all(block.kept for block in drop_template(ledger(WORDS * 2, BOX), LEARNED))
    assert not all(block.kept for block in drop_template(ledger(WORDS * 3, BOX), LEARNED))


def test_what_was_dropped_already_keeps_its_reason() -> None:
    by_rule = Block(kind="paragraph", text=BOX, kept=False, reason="support", rule="r")
    assert by_rule in drop_template([*ledger(*PARAGRAPHS), by_rule], LEARNED)


def test_fewer_than_four_words_are_no_template() -> None:
    assert condemned([*PARAGRAPHS, "Read this too"], None, Template.of([block_key("Read this too")])) == {}


SAME = [
    ("Published 3 hours ago", "Published 12 hours ago"),
    ("Veröffentlicht am 3. Mai 2026 um 10:30", "VERÖFFENTLICHT AM 14. MAI 2026 UM 8:05"),
    ("Support us: it’s your paper!", "Support us: it's your paper"),
]
DIFFERENT = [
    ("The index fell by 3 points.", "The index fell by 5 points."),
    ("This is paragraph 1 of the story.", "This is paragraph 2 of the story."),
    ("Bears 24, Lions 17 after extra time", "Bears 21, Lions 3 after extra time"),
    ("A donor gave 5 million to the library in town", "A donor gave 5 million to the museum in town"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_counters_dates_case_and_punctuation_do_not_matter(one: str, other: str) -> None:
    assert block_key(one.replace("’", "")) == block_key(other.replace("'", ""))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_is_reported_matters(one: str, other: str) -> None:
    assert block_key(one) != block_key(other)


def test_it_is_small_to_send() -> None:
    template = Template.of(f"{number:012x}" for number in range(300))
    assert len(pickle.dumps(template)) < 2_000
    assert pickle.loads(pickle.dumps(template)).keys == template.keys


def test_versions_share_a_headline_or_most_of_the_shorter_one() -> None:
    texts = [f"{WORDS} {letter}" for letter in "abcdefgh"]
    long = Witness.of("One", texts)
    assert versions(long, Witness.of("ONE!", [WORDS]))
    assert versions(long, Witness.of("Two", texts[:3]))
    assert not versions(long, Witness.of("Two", [texts[0], WORDS]))
    assert not versions(long, Witness.of("Two", texts[:3]), learned={block_key(text) for text in texts[:3]})


TEXTS = st.lists(st.sampled_from([*PARAGRAPHS, BOX, HEADLINE, "short", "", "日本語の文章です、はい"]), max_size=12)


@given(TEXTS, TEXTS, st.sampled_from([None, HEADLINE]))
def test_whole_blocks_go_and_never_too_many(texts: list[str], taught: list[str], headline: str | None) -> None:
    blocks = ledger(*texts)
    found = drop_template(blocks, Template.of(block_key(text) for text in taught), headline)
    assert [block.text for block in found] == texts
    assert drop_template(found, Template.of(block_key(text) for text in taught), headline) == found or headline
    gone = [block.text for block in found if not block.kept]
    assert headline not in gone
    assert sum(map(len, gone)) <= 0.6 * sum(map(len, texts))
