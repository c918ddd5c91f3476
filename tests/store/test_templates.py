"""What a source's articles have in common is learned once, cleans what is stored, and is forgiven for good."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from crawler.errors import CrawlerError
from crawler.extraction.template import drop_template
from crawler.items import Article, Block
from crawler.recurrence import Template, block_key
from crawler.store import articles, cleaning, crawls, taught, templates, writer
from crawler.store.engine import Database
from tests.store.rows import OTHER, SITE, SOURCE, an_article, ask, column

BOX = "Vilu sed karmo lint, vaton helu prim sodare kel."  # no language: nothing but its recurrence tells
KEY = block_key(BOX)
STATE = "SELECT state FROM boilerplate_blocks WHERE key = :key"
BODIES = "SELECT body FROM articles ORDER BY id"


@pytest.fixture(autouse=True)
def sources(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])


def prose(number: int, paragraphs: int = 6) -> list[str]:
    """Paragraphs that no other article has, nor words like theirs."""
    dice = random.Random(number)
    return [" ".join(_word(dice) for _ in range(12)) + "." for _ in range(paragraphs)]


def _word(dice: random.Random) -> str:
    return "".join(dice.choice("bdfgklmnprstv") + dice.choice("aeiou") for _ in range(4))


def an_article_of(number: int, texts: Sequence[str], **changes: Any) -> Article:
    blocks = tuple(Block(kind="paragraph", text=one, kept=True) for one in texts)
    given_ = {"headline": f"Story number {number}", "blocks": blocks, "body": "\n".join(texts)} | changes
    return an_article(number, **given_)


def boxed(number: int, **changes: Any) -> Article:
    return an_article_of(number, [*prose(number), BOX], **changes)


def store(database: Database, *given_: Article) -> list[str]:
    """As the writer does it, in one transaction; returns the outcomes."""
    with database.engine.begin() as connection:
        saved = articles.save(connection, given_)
        lessons = [
            writer.lesson(article, one)
            for article, one in zip(given_, saved, strict=True)
            if one.outcome != "unchanged"
        ]
        templates.learn(connection, lessons)
    return [one.outcome for one in saved]


def learned(database: Database) -> frozenset[str]:
    with database.engine.connect() as connection:
        return templates.learned(connection, "herald").keys


# -- learning ----------------------------------------------------------------------------------------------------


def test_the_third_article_makes_a_block_learned(database: Database) -> None:
    store(database, boxed(1))
    store(database, boxed(2))
    assert (learned(database), ask(database, STATE, key=KEY)) == (frozenset(), "seen")
    store(database, boxed(3))
    assert learned(database) == {KEY}
    assert ask(database, "SELECT sample FROM boilerplate_blocks WHERE key = :key", key=KEY) == BOX


def test_one_batch_teaches_as_three_do(database: Database) -> None:
    store(database, *(boxed(number) for number in range(5)))
    assert learned(database) == {KEY}
    assert ask(database, "SELECT articles FROM boilerplate_blocks WHERE key = :key", key=KEY) == 5


def test_storing_the_same_articles_again_teaches_nothing(database: Database) -> None:
    for _ in range(3):
        store(database, boxed(1), boxed(2))
    assert learned(database) == frozenset()
    assert ask(database, "SELECT articles FROM boilerplate_blocks WHERE key = :key", key=KEY) == 2


def test_a_revision_counts_once(database: Database) -> None:
    store(database, boxed(1), boxed(2))
    for version in range(4):
        texts = [f"A new first paragraph, for the {'very ' * version}last time.", *prose(1), BOX]
        assert store(database, an_article_of(1, texts)) == ["updated"]
    assert learned(database) == frozenset()


def test_a_revision_may_bring_the_block(database: Database) -> None:
    store(database, boxed(1), boxed(2), an_article_of(3, prose(3)))
    store(database, boxed(3))
    assert learned(database) == {KEY}


def test_another_source_does_not_teach(database: Database) -> None:
    store(database, boxed(1), boxed(2), boxed(3, source="courier"))
    assert learned(database) == frozenset()


def test_versions_of_one_story_do_not_teach(database: Database) -> None:
    """A wire service's updates: each has an address and a headline of its own."""
    story = [*prose(1), BOX]
    store(database, *(an_article_of(n, [*story, f"Update {n} came at noon and says more."]) for n in range(6)))
    assert learned(database) == frozenset()
    store(database, boxed(7), boxed(8))
    assert learned(database) == {KEY}


def test_an_early_version_does_not_teach_with_a_longer_one(database: Database) -> None:
    """All that it has is in the other one, though little of the other one is in it."""
    long = prose(1, paragraphs=20)
    store(database, *(an_article_of(n, long[: 2 + 6 * n]) for n in range(4)))
    assert learned(database) == frozenset()


def test_background_that_articles_on_one_story_share_is_no_template(database: Database) -> None:
    """Rewritten, with half of its words new; and a box that nearly all articles have."""
    names = [" ".join(one.split()[:9]) for one in prose(1)]
    background = prose(99, 1)[0]
    follow_ups = [
        an_article_of(n, [*(f"{one} {two}" for one, two in zip(names, prose(n), strict=True)), background, BOX])
        for n in range(2, 8)
    ]
    store(database, *(boxed(number) for number in range(20, 30)))
    store(database, *follow_ups)
    assert learned(database) == {KEY}
    assert ask(database, "SELECT articles FROM boilerplate_blocks WHERE key = :key", key=block_key(background)) == 6
    store(database, *(an_article_of(n, [*prose(n), background]) for n in range(40, 42)))
    assert learned(database) == {KEY, block_key(background)}


def test_background_within_the_follow_ups_of_a_story_is_not_cut_out_of_them(database: Database) -> None:
    """They share nothing else: each tells what is new. What begs stands at the end, and goes after three articles."""
    background = prose(99, 1)[0]
    for n in range(60):
        texts = prose(n, 8)
        store(database, an_article_of(n, [*texts[:4], background, *texts[4:]] if n % 12 == 0 else texts))
    assert ask(database, "SELECT articles FROM boilerplate_blocks WHERE key = :key", key=block_key(background)) == 5
    assert learned(database) == frozenset()
    store(database, boxed(100), boxed(101), boxed(102))
    assert learned(database) == {KEY}


def test_a_prompt_within_the_text_is_learned_where_it_is_frequent(database: Database) -> None:
    store(database, *(an_article_of(n, prose(n, 8)) for n in range(30)))
    with database.engine.begin() as connection:  # long ago: the prompt is new
        connection.execute(text("UPDATE articles SET updated_at = updated_at - interval '9 days'"))
    for n in range(30, 60):
        texts = prose(n, 8)
        store(database, an_article_of(n, [*texts[:4], BOX, *texts[4:]] if n % 3 == 0 else texts))
    assert learned(database) == {KEY}
    assert cleaning.clean(database.engine, "herald") == 10


def test_a_paper_whose_articles_are_all_alike_is_learned_from_too(database: Database) -> None:
    for n in range(4):
        texts = [f"The same words again, paragraph {i} of number {n} and no other." for i in range(5)]
        store(database, an_article_of(n, [*texts, BOX]))
    assert learned(database) == {KEY}


def test_the_same_headline_does_not_teach(database: Database) -> None:
    store(database, *(boxed(n, headline="The same headline everywhere") for n in range(5)))
    assert learned(database) == frozenset()


def test_what_is_short_long_dropped_or_the_headline_is_not_learned(database: Database) -> None:
    short, long, headline = "Vilu sed karmo", "vilu " * 121, "Neru patol sime kradon"
    gone = Block(
        kind="paragraph", text="Dropped by a rule before anybody looked.", kept=False, reason="legal", rule="r"
    )
    for number in range(4):
        article = an_article_of(number, [*prose(number), short, long, headline], headline=f"Story {number}")
        store(database, an_article_of(number + 10, prose(number + 10), headline=headline + " x" * number))
        store(database, an_article(number, headline=f"S {number}", body=article.body, blocks=(*article.blocks, gone)))
    assert learned(database) == {block_key(headline)}  # of others it is no headline
    assert block_key(gone.text) not in column(database, "SELECT key FROM boilerplate_blocks")


def test_after_it_is_learned_a_block_is_counted_where_the_workers_drop_it(database: Database) -> None:
    store(database, boxed(1), boxed(2), boxed(3))
    store(database, *(as_workers_do(boxed(number)) for number in range(4, 24)))
    row = "SELECT articles FROM boilerplate_blocks WHERE key = :key"
    assert ask(database, row, key=KEY) == 23
    assert ask(database, "SELECT max(jsonb_array_length(evidence)) FROM boilerplate_blocks") == templates.MAX_EVIDENCE


def as_workers_do(article: Article) -> Article:
    blocks = drop_template(article.blocks, Template.of([KEY]), article.headline)
    return replace(article, blocks=blocks, body="\n".join(block.text for block in blocks if block.kept))


def test_two_writers_at_once(database: Database) -> None:
    """The same blocks in opposite order, neither a deadlock nor counted twice."""
    start, errors = threading.Barrier(2), []
    batches = [[boxed(n) for n in range(40)], [boxed(n) for n in range(39, -1, -1)]]

    def run(batch: list[Article]) -> None:
        start.wait()
        try:
            for at in range(0, 40, 5):
                store(database, *batch[at : at + 5])
        except Exception as error:  # for the assertion below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert ask(database, "SELECT articles FROM boilerplate_blocks WHERE key = :key", key=KEY) == 40
    assert learned(database) == {KEY}


def test_what_found_no_second_witness_is_pruned(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store(database, boxed(1), boxed(2), boxed(3))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE boilerplate_blocks SET last_seen_at = now() - interval '31 days'"))
    store(database, an_article_of(4, prose(4)))
    with database.engine.begin() as connection:
        assert templates.prune(connection, "herald") == 18
    assert ask(database, "SELECT count(*) FROM boilerplate_blocks") == 7
    monkeypatch.setattr(templates, "MOST_SEEN", 2)
    with database.engine.begin() as connection:
        assert templates.prune(connection, "herald") == 4
    assert learned(database) == {KEY}


# -- cleaning ----------------------------------------------------------------------------------------------------


def test_what_is_learned_cleans_what_is_stored(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 6)))
    before = column(database, "SELECT updated_at FROM articles ORDER BY id")
    assert cleaning.clean(database.engine, "herald") == 5
    assert column(database, BODIES) == ["\n".join(prose(number)) for number in range(1, 6)]
    assert ask(database, "SELECT blocks->6->>'rule' FROM articles") == f"template:{KEY}"
    assert ask(database, "SELECT bool_and(word_count = array_length(string_to_array(body, ' '), 1) + 5) FROM articles")
    assert ask(database, "SELECT cleaned FROM boilerplate_blocks WHERE key = :key", key=KEY) == 5
    assert column(database, "SELECT updated_at FROM articles ORDER BY id") == before
    assert ask(database, "SELECT count(*) FROM revisions") == 0
    assert cleaning.clean(database.engine, "herald") == 0


def test_a_cleaned_article_that_comes_again_is_unchanged(database: Database) -> None:
    store(database, boxed(1), boxed(2), boxed(3))
    cleaning.clean(database.engine, "herald")
    clean_ = column(database, BODIES)
    assert store(database, as_workers_do(boxed(1))) == ["unchanged"]
    assert store(database, boxed(1)) == ["unchanged"]  # by a worker that did not know yet
    assert column(database, BODIES) == clean_
    assert ask(database, "SELECT count(*) FROM revisions") == 0


def test_a_page_that_would_lose_too_much_keeps_it(database: Database) -> None:
    store(database, boxed(1), boxed(2), boxed(3), an_article_of(4, [prose(4)[0], BOX]))
    assert cleaning.clean(database.engine, "herald") == 3
    assert column(database, BODIES)[3].endswith(BOX)


def test_cleaning_goes_on_where_it_was_broken_off(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "BATCH", 3)
    for number in range(1, 8):
        store(database, boxed(number))
    # Each goes on with the last instant that was reached, as others may have it too.
    assert [cleaning.clean(database.engine, "herald", seconds=0) for _ in range(4)] == [3, 2, 2, 0]


def test_only_articles_since_the_last_cleaning_are_read(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 4)))
    cleaning.clean(database.engine, "herald")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE articles SET updated_at = updated_at - interval '10 minutes', body = 'x'"))
        since = connection.execute(text("SELECT max(clean_from) FROM boilerplate_blocks")).scalar_one()
        assert cleaning._batch(connection, "herald", (since, 0)) == []


# -- people ------------------------------------------------------------------------------------------------------


def test_forgiving_puts_it_back_for_good(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 4)))
    cleaning.clean(database.engine, "herald")
    block, changed = taught.forgive(database.engine, "herald", f"template:{KEY[:6]}")
    assert (block.state, block.cleaned, changed) == ("forgiven", 0, 3)
    assert column(database, BODIES) == [boxed(number).body for number in range(1, 4)]
    assert ask(database, "SELECT blocks->6 FROM articles") == {"kind": "paragraph", "text": BOX, "kept": True}
    store(database, *(boxed(number) for number in range(4, 9)))
    assert cleaning.clean(database.engine, "herald") == 0
    assert taught.relearn(database.engine, "herald") == (8, 0)
    assert learned(database) == frozenset()
    assert taught.forgive(database.engine, "herald", KEY)[1] == 0


def test_a_name_that_fits_none_is_an_error(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 4)))
    for name in ("ffffffffffff", KEY[:3], ""):
        with pytest.raises(CrawlerError, match="learned no block"):
            taught.forgive(database.engine, "herald", name)


def test_why_it_was_learned(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 4)))
    with database.engine.connect() as connection:
        [block] = taught.taught(connection, "herald")
    assert (block.text, block.state, block.articles) == (BOX, "learned", 3)
    assert [one.url for one in block.evidence] == [f"{SITE}/{number}" for number in range(1, 4)]


def test_learning_anew_comes_to_the_same(database: Database) -> None:
    store(database, *(boxed(number) for number in range(1, 5)))
    cleaning.clean(database.engine, "herald")
    bodies = column(database, BODIES)
    assert taught.relearn(database.engine, "herald") == (4, 0)
    assert learned(database) == {KEY}
    assert column(database, BODIES) == bodies
    with database.engine.begin() as connection:
        connection.execute(text("TRUNCATE boilerplate_blocks"))
        connection.execute(text("DELETE FROM articles WHERE id > 2"))
    assert taught.relearn(database.engine, "herald") == (2, 2)
    assert all(body.endswith(BOX) for body in column(database, BODIES))


# -- properties --------------------------------------------------------------------------------------------------

TEXTS = ["One paragraph that a page has.", "Another one, of the same length.", BOX, "short", "日本語の文章です、はい"]
STORED = st.fixed_dictionaries(
    {"kind": st.just("paragraph"), "text": st.sampled_from(TEXTS)},
).flatmap(
    lambda block: st.sampled_from(
        [
            block | {"kept": True},
            block | {"kept": False, "reason": "legal", "rule": "r"},
            block | {"kept": False, "reason": "template", "rule": f"template:{block_key(block['text'])}"},
        ]
    )
)
KEYS = st.lists(st.sampled_from([block_key(one) for one in TEXTS]), max_size=3).map(Template.of)


@given(st.lists(STORED, max_size=12), KEYS, KEYS, st.sampled_from([None, BOX, "A headline"]))
def test_relaying_loses_no_block_and_is_idempotent(
    blocks: list[dict[str, Any]], one: Template, other: Template, headline: str | None
) -> None:
    first = cleaning.relaid(blocks, headline, one)
    assert [block["text"] for block in first] == [block["text"] for block in blocks]
    assert cleaning.relaid(first, headline, one) == first
    assert cleaning.relaid(cleaning.relaid(blocks, headline, other), headline, one) == first
    assert articles.kept_of(first) == articles.kept_of(blocks)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=8), min_size=1, max_size=8), st.booleans())
def test_body_and_blocks_never_disagree(database: Database, pages: list[list[str]], forgiving: bool) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("TRUNCATE articles, boilerplate_blocks CASCADE"))
    store(database, *(an_article_of(n, [*prose(n, n), *texts]) for n, texts in enumerate(pages)))
    cleaning.clean(database.engine, "herald")
    if forgiving and KEY in learned(database):
        taught.forgive(database.engine, "herald", KEY)
    with database.engine.connect() as connection:
        rows = connection.execute(text("SELECT body, blocks, word_count FROM articles")).all()
    for body, blocks, words in rows:
        assert body == cleaning.body_of(blocks)
        assert words == len(body.split())
