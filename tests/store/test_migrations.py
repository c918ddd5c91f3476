"""The tables come from the migrations, and the migrations are the models."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from crawler.errors import StoreError
from crawler.store import checks, pages
from crawler.store.engine import Database, known_schemas, migrate, migration_config, open_database
from crawler.store.models import Base
from tests.conftest import administer
from tests.store.rows import AT, a_page, ask, column


def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
    return not (kind == "table" and (name or "").startswith("pages_"))


def test_migrations_equal_models(database: Database) -> None:
    with database.engine.connect() as connection:
        pages.store(connection, [pages.Archived(page=a_page(at=AT), outcome="article")], None)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
        assert compare_metadata(context, Base.metadata) == []


def test_the_files_names_tell_what_alembic_reads_in_them() -> None:
    revisions = ScriptDirectory.from_config(migration_config()).walk_revisions()
    assert known_schemas() == [revision.revision for revision in revisions][::-1]


def test_the_second_time_nothing_happens(bare_url: str) -> None:
    with Database(bare_url) as database:
        before, head = migrate(database.engine)
        assert before is None
        assert migrate(database.engine) == (head, head)


def test_a_newer_schema_is_refused(database_url: str, database: Database) -> None:
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"^the database has schema 9999, which is newer than this program \(\d{4}\)"):
        open_database(database_url, Path("/nonexistent"))
    assert ask(database, "SELECT version_num FROM alembic_version") == "9999"


def test_a_user_who_may_not_create_tables_is_told_so(bare_url: str) -> None:
    administer(bare_url, "CREATE ROLE reader LOGIN PASSWORD 'reads'")
    url = make_url(bare_url).set(username="reader", password="reads").render_as_string(hide_password=False)
    try:
        with pytest.raises(StoreError, match=r"could not be brought up to date.*permission denied"):
            open_database(url, Path("/nonexistent"))
    finally:
        administer(bare_url, "DROP ROLE reader")


URL_BEFORE = (
    "INSERT INTO urls (url, source, state, found_in, article_id) VALUES (:url, 'herald', :state, 'feed', :article)"
)
ARTICLE_BEFORE = """
INSERT INTO articles (source, url, canonical_url, headline, body, authors, published_zone_assumed, tags, images, blocks,
                      evidence, word_count, published_at)
VALUES ('herald', :url, :url, 'A bridge', 'It opened.', '{}', false, '{}', '[]', '[]', '{}', 2, '2026-11-01T10:00Z')
RETURNING id
"""


REVISION_BEFORE = """
INSERT INTO revisions (article_id, revision, body, content, changed, stored_at) VALUES (:id, 1, 'x', '{}', '{}', now())
"""


def test_rows_of_one_page_become_one(bare_url: str) -> None:
    """0004: what was kept by address is kept by page, the other addresses as aliases; no article is lost."""
    plain, secure = "http://www.herald.example/a", "https://herald.example/a/"
    with Database(bare_url) as database, database.engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text("INSERT INTO sources (id, name, homepage, seed) VALUES ('herald', 'H', 'x', '{}')"))
        ids = [connection.execute(text(ARTICLE_BEFORE), {"url": url}).scalar_one() for url in (plain, secure)]
        for url, state, article in (
            ("https://herald.example/amp/a", "queued", None),
            (plain, "fetched", ids[0]),
            (secure, "fetched", ids[1]),
            ("https://herald.example/b", "leased", None),
            ("http://herald.example/c", "gone", None),
            ("https://herald.example/c", "queued", None),
        ):
            connection.execute(text(URL_BEFORE), {"url": url, "state": state, "article": article})
        connection.execute(text("UPDATE articles SET updated_at = '2026-11-02' WHERE id = :id"), {"id": ids[0]})
        connection.execute(text(REVISION_BEFORE), {"id": ids[0]})
        command.upgrade(config, "head")
    with Database(bare_url) as database:
        assert column(database, "SELECT key FROM urls ORDER BY key") == [f"herald.example/{page}" for page in "abc"]
        newest = "SELECT articles.id FROM urls JOIN articles ON articles.id = article_id WHERE urls.key LIKE '%/a'"
        assert ask(database, newest) == ids[1]
        assert column(database, "SELECT key FROM articles ORDER BY id") == [
            f"herald.example/a#{ids[0]}",
            "herald.example/a",
        ]
        assert column(database, "SELECT article_id FROM revisions") == ids[:1]
        assert ask(database, "SELECT url FROM urls WHERE key LIKE '%/c'") == "https://herald.example/c"
        assert column(database, "SELECT url FROM url_aliases ORDER BY url") == [
            "http://herald.example/c",
            secure,
            "https://herald.example/amp/a",
        ]
        assert ask(database, "SELECT state_before FROM urls WHERE state = 'leased'") == "queued"
        due = "SELECT url FROM urls WHERE not_before IS NOT NULL AND state <> 'leased'"
        assert column(database, due) == ["https://herald.example/c"]
        assert ask(database, "SELECT published_at FROM urls WHERE url = :url", url=plain) is not None


def test_the_words_of_the_first_release_become_todays(bare_url: str) -> None:
    """0007: what 0.1.0 wrote satisfies `scrapy db check`."""
    before = {"queued": "timeout", "fetched": None, "gone": "http_404", "failed": "http_500", "forbidden": "http_403"}
    with Database(bare_url) as database, database.engine.begin() as connection:
        config = migration_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(text("INSERT INTO sources (id, name, homepage, seed) VALUES ('herald', 'H', 'x', '{}')"))
        article = connection.execute(text(ARTICLE_BEFORE), {"url": "https://herald.example/fetched"}).scalar_one()
        for state, reason in before.items():
            given = {"url": f"https://herald.example/{state}", "state": state, "reason": reason}
            given["article"] = article if state == "fetched" else None
            connection.execute(text(WORD_BEFORE), given)
        command.upgrade(config, "head")
    with Database(bare_url) as database:
        words = dict.fromkeys(before, None) | dict(column_pairs(database, "SELECT state, reason FROM urls"))
        assert words == {
            "queued": None,
            "fetched": "article",
            "gone": "not_found",
            "failed": "download_error",
            "forbidden": "forbidden",
        }
        assert ask(database, "SELECT detail FROM urls WHERE state = 'gone'") == "http_404"
        found = [checks.run(database.engine, one) for one in checks.CHECKS if one.name.startswith("url")]
        assert [one.check.name for one in found if one.count] == []


WORD_BEFORE = """
INSERT INTO urls (url, source, state, reason, found_in, attempts, article_id)
VALUES (:url, 'herald', :state, :reason, 'feed', 1, :article)
"""


def column_pairs(database: Database, query: str) -> list[tuple[str, str | None]]:
    with database.engine.connect() as connection:
        return [(first, second) for first, second in connection.execute(text(query))]
