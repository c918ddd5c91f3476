"""Articles are stored once each; what a reader would call another version keeps the earlier one."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from crawler.editions import Edition, compare
from crawler.items import Article, Block
from crawler.store import articles, crawls
from crawler.store.articles import Saved
from crawler.store.engine import Database
from tests.runs import until
from tests.store.rows import AT, OTHER, SITE, SOURCE, an_article, ask, column

PLACE = "SELECT xmin::text || ctid::text FROM articles"


@pytest.fixture(autouse=True)
def sources(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])


def save(database: Database, *given: Article) -> list[Saved]:
    with database.engine.begin() as connection:
        return articles.save(connection, given)


def test_saving_twice_changes_nothing(database: Database) -> None:
    [(first, outcome, _)] = save(database, an_article())
    place = ask(database, PLACE)
    assert outcome == "new"
    assert save(database, an_article())[0][:2] == (first, "unchanged")
    assert ask(database, PLACE) == place


def test_what_is_read_is_what_was_saved(database: Database) -> None:
    save(database, an_article())
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM articles")).mappings().one()
    assert {name: row[name] for name in articles.COLUMNS} | {"word_count": 5} | {
        "key": "herald.example/1"
    } == articles.row_of(an_article())
    assert row["published_at"] == AT


def test_a_changed_body_keeps_the_earlier_one(database: Database) -> None:
    [(article_id, _, _)] = save(database, an_article())
    stored_at = ask(database, "SELECT stored_at FROM articles")
    assert save(database, an_article(body="The bridge is closed."))[0][:2] == (article_id, "updated")
    with database.engine.connect() as connection:
        now = connection.execute(text("SELECT * FROM articles")).mappings().one()
        then = connection.execute(text("SELECT * FROM revisions")).mappings().one()
    assert (now["body"], now["word_count"], now["revision"]) == ("The bridge is closed.", 4, 2)
    assert (then["body"], then["revision"], then["changed"]) == ("The bridge opened on Monday.", 1, ["body"])
    assert then["content"]["published_at"] == AT.isoformat()
    assert then["content"]["tags"] == ["bridges"]
    assert now["stored_at"] == then["stored_at"] == stored_at < now["updated_at"]


def test_only_other_evidence_is_no_revision(database: Database) -> None:
    save(database, an_article())
    updated_at = ask(database, "SELECT updated_at FROM articles")
    dropped = Block(kind="paragraph", text="Subscribe.", kept=False, reason="support", rule="r")
    other = an_article(evidence={"headline": "og:title"}, blocks=(*an_article().blocks, dropped))
    assert [one.outcome for one in save(database, other)] == ["unchanged"]
    assert ask(database, "SELECT evidence->>'headline' FROM articles") == "og:title"
    assert ask(database, "SELECT jsonb_array_length(blocks) FROM articles") == 2
    assert ask(database, "SELECT updated_at FROM articles") == updated_at
    assert ask(database, "SELECT count(*) FROM revisions") == 0


def test_two_of_one_batch_with_one_canonical_url(database: Database) -> None:
    canonical = f"{SITE}/1"
    saved = save(
        database,
        an_article(1),
        an_article(2),
        an_article(3, canonical_url=canonical, body="Another text."),
        an_article(4, canonical_url=canonical, body="Another text."),
    )
    first, second = saved[0][0], saved[1][0]
    assert [one[:2] for one in saved] == [
        (first, "new"),
        (second, "new"),
        (first, "unchanged"),  # the canonical page itself is held: its other addresses do not change it
        (first, "unchanged"),
    ]
    assert column(database, "SELECT url FROM articles ORDER BY id") == [f"{SITE}/1", f"{SITE}/2"]


def test_the_same_article_from_another_source_stays_where_it_was(database: Database) -> None:
    save(database, an_article())
    place = ask(database, PLACE)
    assert save(database, an_article(source="courier", url="https://courier.example/1"))[0][1] == "unchanged"
    assert ask(database, PLACE) == place


def test_two_connections_insert_the_same_in_opposite_order(database: Database) -> None:
    """The second waits for the first, then finds the rows; neither order is a deadlock."""
    batch = [an_article(number) for number in range(20)]
    results: dict[str, list[Saved]] = {}
    start = threading.Barrier(2)

    def run(name: str, given: list[Article]) -> None:
        start.wait()
        results[name] = save(database, *given)

    threads = [threading.Thread(target=run, args=pair) for pair in (("a", batch), ("b", batch[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.id for one in results["a"]] == [one.id for one in results["b"]][::-1]
    outcomes = [one.outcome for saved in results.values() for one in saved]
    assert sorted(outcomes) == ["new"] * 20 + ["unchanged"] * 20


def test_an_insert_waits_for_one_that_is_not_committed(database: Database) -> None:
    waiting: list[Saved] = []
    second = threading.Thread(target=lambda: waiting.extend(save(database, an_article(body="Newer."), an_article(2))))
    with database.engine.begin() as connection:
        [(article_id, _, _)] = articles.save(connection, [an_article()])
        second.start()
        until(lambda: ask(database, "SELECT count(*) FROM pg_locks WHERE NOT granted"))
        assert waiting == []
    second.join()
    assert waiting[0][:2] == (article_id, "updated")
    assert waiting[1][1] == "new"


VERSIONS: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    headline=st.sampled_from(["A bridge opens", "A bridge closes", None]),
    body=st.sampled_from(["One.", "Two.", "Two. Drei."]),
    authors=st.sampled_from([(), ("A. Writer",)]),
    published_at=st.sampled_from([None, AT, AT + timedelta(hours=1)]),
    is_accessible_for_free=st.sampled_from([None, True, False]),
    evidence=st.sampled_from([{}, {"headline": "title"}]),
    tags=st.sampled_from([(), ("a", "b")]),
)


def edition(article: Article) -> Edition:
    return Edition.of(articles.row_of(article))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=st.lists(VERSIONS, min_size=1, max_size=6), in_one_batch=st.booleans())
def test_the_last_version_is_current_and_every_change_is_kept(
    database: Database, versions: list[dict[str, Any]], in_one_batch: bool
) -> None:
    given_ = [an_article(**version) for version in versions]
    for batch in [given_] if in_one_batch else [[one] for one in given_]:
        save(database, *batch)
    changes = [(old, compare(edition(old), edition(new)).changed) for old, new in pairwise(given_)]
    expected = [(old.headline, old.body, changed) for old, changed in changes if changed]
    with database.engine.begin() as connection:
        row = connection.execute(text("SELECT * FROM articles")).mappings().one()
        kept = connection.execute(text("SELECT headline, body, changed FROM revisions ORDER BY revision")).all()
        connection.execute(text("TRUNCATE articles CASCADE"))
    last = articles.row_of(given_[-1])
    assert {name: row[name] for name in last} == last
    assert [(headline, body, tuple(changed)) for headline, body, changed in kept] == expected
    assert row["revision"] == len(expected) + 1


def test_a_batch_is_a_few_statements(database: Database) -> None:
    """However many articles: look, insert."""
    statements: list[str] = []
    with database.engine.begin() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: statements.append(args[2]))
        articles.save(connection, [replace(an_article(n), tags=(str(n),)) for n in range(100)])
    assert len(statements) == 2
