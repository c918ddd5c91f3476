"""Edits in the database: what the row becomes, what the views tell, what earlier schemas' revisions become."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from crawler.editions import Change, Edition, told
from crawler.items import Article, Block
from crawler.store import articles, checks, crawls, reading, writer
from crawler.store.articles import Saved
from crawler.store.engine import Database, migration_config
from tests.store.rows import AT, OTHER, SOURCE, an_article, an_entry, ask, leased

TEXT = (
    "The bridge at Saltmere opened on Monday after three years of work.",
    "Five people were killed in the storm, police said on Tuesday.",
    "Nobody could say on Wednesday what the new bridge will have cost in the end.",
)
GATE = Block(kind="paragraph", text="Subscribe to read on.", kept=False, reason="paywall", rule="paywall-continue")


@pytest.fixture(autouse=True)
def sources(request: pytest.FixtureRequest) -> None:
    if "database" in request.fixturenames:
        with request.getfixturevalue("database").engine.begin() as connection:
            crawls.save_sources(connection, [SOURCE, OTHER])


def of(*texts: str | Block, **fields: Any) -> Article:
    """An article of these paragraphs, body and blocks in agreement."""
    blocks = tuple(Block(kind="paragraph", text=one, kept=True) if isinstance(one, str) else one for one in texts)
    body = "\n".join(block.text for block in blocks if block.kept)
    return an_article(**{"body": body, "blocks": blocks, "access": "full"} | fields)


def save(database: Database, *given: Article, **how: Any) -> list[Saved]:
    with database.engine.begin() as connection:
        return articles.save(connection, given, **how)


def rows(database: Database, query: str) -> Sequence[Any]:
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def row(database: Database) -> dict[str, Any]:
    with database.engine.connect() as connection:
        return dict(connection.execute(text("SELECT * FROM articles")).mappings().one())


def broken(database: Database) -> list[str]:
    """Of what must hold; that all are compared with one another is the writer's doing."""
    own = [check for check in checks.CHECKS if check.name != "compared"]
    return [one.check.name for check in own if (one := checks.run(database.engine, check)).count]


# -- edits -----------------------------------------------------------------------------------------------------------


def test_all_headline_changes_of_yesterday(database: Database) -> None:
    save(database, of(*TEXT))
    save(database, of(*TEXT, headline="The bridge opens"))
    save(database, of(TEXT[0], TEXT[1].replace("Five", "Seven"), TEXT[2], headline="The bridge closes"))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE revisions SET replaced_at = replaced_at - interval '1 day'"))
    asked = """SELECT revision, before, after FROM news.revision_changes
        WHERE field = 'headline' AND changed_at < now() - interval '23 hours' ORDER BY revision"""
    assert rows(database, asked) == [
        (1, "A bridge opens", "The bridge opens"),
        (2, "The bridge opens", "The bridge closes"),
    ]
    asked = """SELECT revision, source, change, position, before, after, cause, number FROM news.revision_changes
        WHERE field = 'body'"""
    after = TEXT[1].replace("Five", "Seven")
    assert rows(database, asked) == [(2, "herald", "changed", 2, TEXT[1], after, "publisher", 2)]
    assert rows(database, "SELECT revision, changed, cause FROM news.revisions ORDER BY revision") == [
        (1, ["headline"], "publisher"),
        (2, ["headline", "body"], "publisher"),
    ]


def test_every_kind_of_change_has_its_place(database: Database) -> None:
    save(database, of(*TEXT, "It was late by then, said everybody."))
    save(database, of("A new first paragraph of ten words or so.", TEXT[2], TEXT[0].replace("three", "four"), TEXT[1]))
    asked = "SELECT change, position, left(before, 9), left(after, 9) FROM news.revision_changes ORDER BY number"
    assert rows(database, asked) == [
        ("added", 1, None, "A new fir"),
        ("moved", 2, "Nobody co", "Nobody co"),
        ("changed", 3, "The bridg", "The bridg"),
        ("removed", 4, "It was la", None),
    ]


def test_a_page_read_again_is_our_doing(database: Database) -> None:
    save(database, of(*TEXT))
    seen_at = row(database)["seen_at"]
    whole = row(database)
    values, found = articles.renewed(whole, articles.row_of(of(*TEXT[:2])))
    with database.engine.begin() as connection:
        assert articles.renew(connection, whole, values, found, "rules") == "updated"
    assert (row(database)["body"], row(database)["seen_at"]) == ("\n".join(TEXT[:2]), seen_at)
    assert rows(database, "SELECT changed, cause FROM news.revisions") == [(["body"], "rules")]
    assert rows(database, "SELECT change, cause, before FROM news.revision_changes") == [("removed", "rules", TEXT[2])]


# -- noise -----------------------------------------------------------------------------------------------------------


def test_a_counter_leaves_the_row_as_it_is(database: Database) -> None:
    place = "SELECT xmin::text || ctid::text FROM articles"
    save(database, of(*TEXT, "12 comments"))
    before = ask(database, place)
    assert [one.outcome for one in save(database, of(*TEXT, "13 comments"))] == ["unchanged"]
    assert ask(database, place) == before


def test_what_else_is_new_is_taken_beside_noise(database: Database) -> None:
    """The old text stays with its blocks, so that body, ledger and search agree."""
    save(database, of(*TEXT, "12 comments"))
    save(database, of(*TEXT, "13 comments", headline="The bridge opens", section="World"))
    now = row(database)
    assert (now["headline"], now["section"], now["revision"]) == ("The bridge opens", "World", 2)
    assert now["body"].endswith("12 comments") and now["blocks"][-1]["text"] == "12 comments"
    assert rows(database, "SELECT changed FROM revisions") == [(["headline"],)]
    assert broken(database) == []


def test_many_small_steps_are_held_against_what_is_stored(database: Database) -> None:
    """A text that stays because of noise is what the next version is compared with."""
    save(database, of(*TEXT, "12 comments"))
    save(database, of(*TEXT, "13 comments"))
    save(database, of(*TEXT, "14 comments", "It has begun to snow in Saltmere."))
    asked = "SELECT change, cause, before, after FROM news.revision_changes ORDER BY number"
    assert rows(database, asked)[0] == ("changed", "noise", "12 comments", "14 comments")


def test_neither_noise_nor_rules_are_edits_of_a_source(database: Database) -> None:
    letter = "We have a favour to ask of everybody who has read as far as this."
    [due] = leased(database, 1)
    outcomes = []
    for texts in (
        (*TEXT, letter, "12 comments"),
        (*TEXT, letter, "13 comments"),
        (*TEXT, Block(kind="paragraph", text=letter, kept=False, reason="support", rule="appeal"), "13 comments"),
        (*TEXT, "The end."),
    ):
        article = of(*texts)
        entry = an_entry(due, html=repr(texts).encode(), body=article.body, blocks=article.blocks, access="full")
        entry = replace(entry, visit=replace(entry.visit, looked=0))
        with database.engine.begin() as connection:
            [stored] = writer.commit(connection, None, [entry])
        outcomes.append(stored.outcome)
    assert outcomes == ["new", "unchanged", "reread", "updated"]
    assert rows(database, "SELECT sum(edits) FROM edit_rates") == [(1,)]
    assert rows(database, "SELECT cause FROM revisions ORDER BY revision") == [("rules",), ("publisher",)]
    assert broken(database) == []


# -- a metered paywall -----------------------------------------------------------------------------------------------


def cut_off(*texts: str, **fields: Any) -> Article:
    more = {"access": "truncated", "page_type": "paywall_stub", "is_accessible_for_free": False}
    return of(*texts, GATE, **(more | fields))


def test_a_page_seen_cut_off_leaves_the_article_whole(database: Database) -> None:
    save(database, of(*TEXT))
    whole = row(database)
    assert [one.outcome for one in save(database, cut_off(TEXT[0], "Five people were …"))] == ["updated"]
    now = row(database)
    for name in ("body", "blocks", "word_count", "access", "page_type", "seen_at"):
        assert now[name] == whole[name], name
    assert now["is_accessible_for_free"] is False
    assert now["evidence"]["access"] == "refused:truncated"
    assert rows(database, "SELECT changed FROM revisions") == [(["is_accessible_for_free"],)]
    assert [one.outcome for one in save(database, cut_off(TEXT[0], "Five people were …"))] == ["unchanged"]
    assert broken(database) == []


@pytest.mark.parametrize("cut", [True, False])
def test_a_note_beside_a_text_that_stays_is_told_once(database: Database, cut: bool) -> None:
    note = "This story has been removed after a legal complaint by the mayor."
    whole = of(*TEXT, "12 comments")
    beside = Block(kind="paragraph", text=note, kept=False, reason="outside")
    noted = cut_off(note, is_accessible_for_free=None) if cut else of(*TEXT, "13 comments", beside)
    outcomes = [save(database, article)[0].outcome for article in (whole, noted, noted)]
    assert outcomes == ["new", "updated", "unchanged"]
    assert rows(database, "SELECT changed FROM revisions") == [(["correction"],)]
    assert rows(database, "SELECT after FROM news.revision_changes") == [(note,)]
    assert row(database)["body"] == whole.body
    assert broken(database) == []


def test_a_page_read_again_that_is_cut_off_leaves_it_whole_too(database: Database) -> None:
    """As `scrapy reextract` finds it when the whole page is no longer kept."""
    save(database, of(*TEXT))
    whole, page = row(database), cut_off(TEXT[0], "Five people were …", section="Elsewhere")
    values, found = articles.renewed(whole, articles.row_of(page))
    assert {"section", "evidence"} <= values.keys() and values["evidence"]["access"] == "refused:truncated"
    assert values.keys().isdisjoint((*articles.TEXT, *articles.SEEN_WHOLE)) and "body" not in found.changed


def test_the_page_of_an_article_is_the_whole_one(database: Database) -> None:
    """Whoever reads the page again would make a stub of the article with the newest one."""
    [due] = leased(database, 1)
    for at, html, article in ((AT, b"whole", of(*TEXT)), (AT + timedelta(hours=6), b"cut", cut_off(TEXT[0]))):
        entry = an_entry(due, html=html)
        assert entry.archived
        archived = replace(entry.archived, page=replace(entry.archived.page, fetched_at=at))
        visit = replace(entry.visit, fetched_at=at)
        with database.engine.begin() as connection:
            [stored] = writer.commit(
                connection, None, [replace(entry, visit=visit, archived=archived, article=article)]
            )
    with database.engine.connect() as connection:
        page = reading.raw_page(connection, stored.article_id or 0)
    assert page and page.html == b"whole"
    assert ask(database, "SELECT count(*) FROM pages") == 2


def test_the_next_whole_page_is_taken_again(database: Database) -> None:
    save(database, of(*TEXT))
    save(database, cut_off(TEXT[0], is_accessible_for_free=None))
    save(database, of(*TEXT, "It has begun to snow in Saltmere."))
    now = row(database)
    assert now["body"].endswith("Saltmere.") and "access" not in now["evidence"]
    assert rows(database, "SELECT changed FROM revisions") == [(["body"],)]


def test_what_was_whole_is_kept_even_where_another_text_is_cut_off(database: Database) -> None:
    save(database, of(*TEXT))
    save(database, cut_off("A ferry sank off the coast, and the search goes on.", headline="A ferry sinks"))
    assert row(database)["access"] == "truncated"
    assert rows(database, "SELECT body FROM revisions") == [("\n".join(TEXT),)]


# -- revisions of earlier schemas ------------------------------------------------------------------------------------

ARTICLE_BEFORE = """
INSERT INTO articles (source, url, canonical_url, key, headline, body, authors, published_zone_assumed, tags, images,
                      blocks, evidence, word_count, revision)
VALUES ('herald', 'https://h.example/a', 'https://h.example/a', 'h.example/a', 'A bridge closes', :body, '{B}', false,
        '{}', '[]', '[]', '{}', 2, 4)
RETURNING id
"""
REVISION_BEFORE = """
INSERT INTO revisions (article_id, revision, headline, body, content, changed, stored_at)
VALUES (:id, :revision, 'A bridge opens', :body, CAST(:content AS jsonb), '{headline}', now())
"""


def test_earlier_revisions_are_told_too(bare_url: str) -> None:
    """0008: also those that would be none today, and those that know little of themselves."""
    bodies = [f"{TEXT[0]}\n12 comments", f"{TEXT[0]}\n13 comments", f"{TEXT[0]}\n13 comments\n{TEXT[1]}"]
    with Database(bare_url) as database, database.engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.execute(text("INSERT INTO sources (id, name, homepage, seed) VALUES ('herald', 'H', 'x', '{}')"))
        article_id = connection.execute(text(ARTICLE_BEFORE), {"body": bodies[-1]}).scalar_one()
        for number, body in enumerate(bodies, start=1):
            content = "{}" if number == 1 else '{"authors": ["A"], "published_at": "2026-11-23T10:30:00+00:00"}'
            given = {"id": article_id, "revision": number, "body": body, "content": content}
            connection.execute(text(REVISION_BEFORE), given)
        command.upgrade(config, "head")
    with Database(bare_url) as database:
        asked = "SELECT revision, field, change, cause, after FROM news.revision_changes ORDER BY revision, number"
        assert [one for one in rows(database, asked) if one[1] in ("body", "headline")] == [
            (1, "body", "changed", "noise", "13 comments"),
            (2, "body", "added", "publisher", TEXT[1]),
            (3, "headline", "changed", "publisher", "A bridge closes"),
        ]
        assert (3, "authors", "changed", "publisher", "B") in rows(database, asked)
        assert rows(database, "SELECT DISTINCT cause FROM news.revisions") == [("publisher",)]


def test_earlier_revisions_may_be_read_while_they_are_compared(bare_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """0008: and few of them are in memory at a time."""
    read, held = [], []

    def looked_at(old: Edition, new: Edition) -> tuple[Change, ...]:
        with Database(bare_url) as reader, reader.engine.begin() as connection:
            connection.execute(text("SET lock_timeout = '20s'"))
            read.append(connection.execute(text("SELECT count(*) FROM revisions")).scalar_one())
        held.append(sum(type(one) is dict and "mark" in one for one in gc.get_objects()))
        return told(old, new)

    with Database(bare_url) as database:
        config = migration_config()
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0007")
            connection.execute(text("INSERT INTO sources (id, name, homepage, seed) VALUES ('herald', 'H', 'x', '{}')"))
            article_id = connection.execute(text(ARTICLE_BEFORE), {"body": "It opened."}).scalar_one()
            for number in range(1, 61):
                given = {"id": article_id, "revision": number, "body": f"Version {number}.", "content": MARKED}
                connection.execute(text(REVISION_BEFORE), given)
        monkeypatch.setattr("crawler.editions.told", looked_at)
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0008")
        assert read == [60] * 60
        assert max(held) < 30  # five are read at a time; when the interpreter lets go of others, is its affair


MARKED = '{"mark": [], "blocks": []}'
