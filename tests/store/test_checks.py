"""Each check finds the row that breaks it, and nothing else complains of a database that is as it should be."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from crawler.store import checks, crawls, writer
from crawler.store.engine import Database
from crawler.store.frontier import Visit
from crawler.store.writer import Entry
from tests.store.rows import an_entry, begun, leased

BY_HAND = "SET session_replication_role = replica;"  # no foreign keys, no triggers
COPIES = "INSERT INTO duplicates (article_id, original_id, cluster, kind, likeness, contained, why) VALUES "
BREAKS = {
    "bodies": "UPDATE articles SET body = body || ' And more.', word_count = word_count + 2 WHERE id = {first}",
    "word_counts": "UPDATE articles SET word_count = 7 WHERE id = {first}",
    "articles_twice": "ALTER TABLE articles DROP CONSTRAINT uq_articles_key; "
    "UPDATE articles SET key = 'herald.example/1', canonical_url = 'https://herald.example/1'",
    "article_keys": "UPDATE articles SET key = 'herald.example/elsewhere' WHERE id = {first}",
    "revision_numbers": "DELETE FROM revisions",
    "orphans_urls": f"{BY_HAND} UPDATE urls SET article_id = 999 WHERE article_id = {{first}}",
    "orphans_revisions": f"{BY_HAND} UPDATE revisions SET article_id = 999; UPDATE articles SET revision = 1",
    "orphans_url_aliases": f"{BY_HAND} INSERT INTO url_aliases "
    "VALUES ('https://x.example/', 'x.example', 999, 'address')",
    "orphans_pages": "UPDATE pages SET url_id = 999 WHERE url_id = (SELECT min(url_id) FROM pages)",
    "orphans_bands": "INSERT INTO bands VALUES (1, 999)",
    "orphans_duplicates": f"{BY_HAND} INSERT INTO duplicates (article_id) VALUES (999)",
    "orphans_boilerplate_blocks": "UPDATE boilerplate_blocks SET evidence = '[999]'",
    "copies": f"{COPIES} ({{first}}, {{first}} + 1, 7, 'copy', 1, 1, 'stored_first'), "
    "({first} + 1, {first}, 8, 'copy', 1, 1, 'stored_first')",
    "clusters": f"{COPIES} ({{first}}, {{first}} + 1, 7, 'copy', 1, 1, 'stored_first'), "
    "({first} + 2, {first} + 1, 8, 'copy', 1, 1, 'stored_first')",
    "compared": "UPDATE articles SET body = words, word_count = 9, blocks = jsonb_build_array(jsonb_build_object("
    "'kept', true, 'text', words)) FROM (SELECT 'A bridge of more words than say nothing opened' AS words) AS x",
    "url_states": "UPDATE urls SET state = 'gone' WHERE reason = 'no_body'",
    "url_due": "UPDATE urls SET not_before = NULL WHERE state = 'queued'",
    "url_articles": "UPDATE urls SET article_id = NULL WHERE article_id = {first}",
    "url_leases": "UPDATE urls SET lease_crawl = 1 WHERE state = 'gone'",
    "dead_leases": "UPDATE urls SET state = 'leased', state_before = 'queued', lease_crawl = 1 WHERE state = 'queued'",
    "page_partitions": "ALTER TABLE pages_2026_11 RENAME TO pages_2026_10",
    "page_dictionaries": "UPDATE pages SET dictionary_id = 999 WHERE id = (SELECT min(id) FROM pages)",
    "forgotten": "INSERT INTO tombstones (act, kind, digest, by_whom) "
    "SELECT 1, 'page', sha256(convert_to(key, 'UTF8')), 'me' FROM articles WHERE id = {first}",
    "condemned": "INSERT INTO page_dictionaries "
    "(source, content_zstd, content_bytes, samples, bytes_before, bytes_after, condemned_at) "
    "VALUES ('herald', 'x', 1, 1, 1, 1, now())",
    "page_bytes": "UPDATE pages SET html_bytes = html_bytes + 1 WHERE id = (SELECT min(id) FROM pages)",
}


@pytest.fixture
def filled(database: Database) -> Database:
    """Articles with an earlier version, pages of several outcomes, one that waits."""
    due = leased(database, 8)
    with database.engine.begin() as connection:
        writer.commit(connection, 1, [an_entry(one) for one in due[:3]])
        writer.commit(connection, 1, [an_entry(due[0], headline="A bridge closes", html=b"<p>")])
        for one, outcome in zip(due[3:], ("no_body", "not_found", "gone", "timeout"), strict=False):
            writer.commit(connection, 1, [Entry(visit=Visit(url_id=one.url_id, source="herald", outcome=outcome))])
        crawls.give_back(connection, [1])
    return database


def broken(database: Database) -> dict[str, checks.Finding]:
    findings = [checks.run(database.engine, check) for check in checks.CHECKS]
    return {finding.check.name: finding for finding in findings if finding.count}


def execute(database: Database, statements: str, **values: Any) -> None:
    with database.engine.begin() as connection:
        for statement in statements.format(**values).split(";"):
            connection.execute(text(statement))
        connection.execute(text("SET session_replication_role = DEFAULT"))


def test_every_check_has_a_test() -> None:
    assert list(BREAKS) == [check.name for check in checks.CHECKS]


def test_a_database_that_is_as_it_should_be(filled: Database) -> None:
    assert broken(filled) == {}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_row_is_found(filled: Database, name: str) -> None:
    with filled.engine.connect() as connection:
        first = connection.execute(text("SELECT min(id) FROM articles")).scalar_one()
    execute(filled, BREAKS[name], first=first)
    found = broken(filled)
    assert list(found) == [name]
    assert found[name].examples
    word = "note  " if name in ("dead_leases", "condemned") else "BROKEN"
    assert checks.line(found[name]).startswith(f"{word} {found[name].count:>7}  {name}: ")


def test_a_page_that_is_due_and_has_ended_is_found(filled: Database) -> None:
    execute(filled, "UPDATE urls SET attempts = 9 WHERE reason = 'timeout'")
    assert list(broken(filled)) == ["url_due"]
    execute(filled, "UPDATE urls SET not_before = NULL WHERE reason = 'timeout'")
    assert broken(filled) == {}


def test_an_unknown_word_and_a_ledger_that_is_none_are_found(filled: Database) -> None:
    execute(filled, "UPDATE urls SET reason = 'nonsense' WHERE reason = 'gone'")
    assert list(broken(filled)) == ["url_states"]
    with filled.engine.begin() as connection:
        connection.execute(text("UPDATE articles SET blocks = '{}'"))
    assert broken(filled)["bodies"].count == 3


def test_a_run_that_lives_keeps_its_leases(filled: Database) -> None:
    with filled.engine.connect() as living:
        with living.begin():
            crawl_id = begun(living)
            leasing = (
                "UPDATE urls SET state = 'leased', state_before = 'queued', lease_crawl = :id WHERE state = 'queued'"
            )
            living.execute(text(leasing), {"id": crawl_id})
        assert broken(filled) == {}
        living.invalidate()


def test_examples_are_few_and_the_count_is_whole(filled: Database) -> None:
    execute(
        filled,
        "INSERT INTO urls (key, url, source, found_in, not_before) SELECT 'k' || n, 'u' || n, 'herald', 'feed', "
        "NULL FROM generate_series(1, 1000) AS n",
    )
    finding = broken(filled)["url_due"]
    assert (finding.count, len(finding.examples)) == (1000, 3)
    assert checks.line(finding).startswith("BROKEN   1,000  url_due: ") and checks.line(finding).endswith("; …")
