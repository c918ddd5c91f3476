"""The schema `news` is a contract, everything says what it means, and its reader can read nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from sqlalchemy import make_url, text

from crawler.items import Block
from crawler.store import articles, crawls, surface
from crawler.store.engine import Database, lay_surface, migrate
from crawler.store.models import Base
from crawler.store.search import FOUND, FUNCTIONS
from crawler.store.views import VIEWS, type_of
from crawler.web import schema
from tests.conftest import administer
from tests.store.rows import AT, OTHER, SOURCE, an_article, ask, column, leased

ROOT = Path(__file__).parents[2]
BROKEN = """The views of the schema `news` are a contract: other people's queries stand on them.
A column keeps its name, its type and its place. A new one goes to the end, here (tests/store/contract.yaml) too."""
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'c') AND NOT c.relispartition
ORDER BY c.relname, a.attnum
"""
RELATIONS = """
SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'v', 'c') AND NOT c.relispartition
"""


def rows(database: Database, query: str, **values: Any) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.execute(text(query), values))


# -- the contract ----------------------------------------------------------------------------------------------------


def test_the_views_keep_their_columns(database: Database) -> None:
    found: dict[str, dict[str, str]] = {}
    for relation, name, kind, _ in rows(database, COLUMNS, schema="news"):
        found.setdefault(relation, {})[name] = kind
    pinned = yaml.safe_load((ROOT / "tests/store/contract.yaml").read_text())
    for view, columns in pinned.items():
        assert list(found.get(view, {}).items()) == list(columns.items()), f"news.{view}: {BROKEN}"
    assert set(found) == set(pinned), BROKEN


def test_search_keeps_its_arguments(database: Database) -> None:
    said = ask(database, "SELECT pg_get_function_arguments('news.search'::regproc)")
    assert said == (
        "query text, language text DEFAULT NULL::text, since timestamp with time zone DEFAULT NULL::timestamp with time"
        " zone, until timestamp with time zone DEFAULT NULL::timestamp with time zone, source text DEFAULT NULL::text,"
        " most integer DEFAULT 20"
    ), BROKEN


# -- what everything means -------------------------------------------------------------------------------------------


def test_the_database_says_what_the_code_says(database: Database) -> None:
    tables = {
        (table.name, one.name, type_of(one.type), one.comment)
        for table in Base.metadata.tables.values()
        for one in table.columns
    }
    views = {(view.name, one.name, one.type, one.comment) for view in VIEWS for one in view.columns}
    found = {("found", name, kind, comment) for name, (kind, comment) in FOUND.items()}
    of_public = {tuple(row) for row in rows(database, COLUMNS, schema="public") if row[0] != "alembic_version"}
    assert of_public == tables
    assert {tuple(row) for row in rows(database, COLUMNS, schema="news")} == views | found
    assert not [row for row in tables | views | found if not row[3]], "a column without a comment"


def test_every_relation_and_function_has_a_comment(database: Database) -> None:
    for name in ("public", "news"):
        assert not [relation for relation, comment in rows(database, RELATIONS, schema=name) if not comment]
    for function in FUNCTIONS:
        said = "SELECT obj_description(to_regprocedure(:name), 'pg_proc')"
        assert ask(database, said, name=f"news.{function.signature}") == function.comment
    assert ask(database, "SELECT obj_description('news'::regnamespace, 'pg_namespace')") == surface.SCHEMA_COMMENT
    assert ask(database, "SELECT obj_description('public.alembic_version'::regclass)") == surface.VERSION_COMMENT


def test_the_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs/schema.md").read_text()
    assert page == schema.markdown(), "make it anew: scrapy db describe --markdown > docs/schema.md"


def test_views_and_comments_are_mended_without_a_migration(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("COMMENT ON TABLE articles IS 'old'"))
        connection.execute(text("DROP VIEW news.daily_counts"))
    for _ in range(2):
        lay_surface(database.engine)
    assert ask(database, "SELECT obj_description('articles'::regclass)") == Base.metadata.tables["articles"].comment
    assert ask(database, "SELECT count(*) FROM news.daily_counts") == 0


# -- what the views show ---------------------------------------------------------------------------------------------

BLOCKS = (
    Block(kind="paragraph", text="The bridge opened on Monday.", kept=True),
    Block(kind="paragraph", text="Support us.", kept=False, reason="support", rule="appeal", score=0.25),
)


@pytest.fixture
def filled(database: Database) -> Database:
    """An article that was edited, one without date and authors, and the pages of a crawl."""
    due = leased(database, 2)
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])
        articles.save(connection, [an_article(1, blocks=BLOCKS)])
        articles.save(connection, [an_article(1, blocks=BLOCKS, headline="The bridge opens", authors=("C. Other",))])
        articles.save(connection, [an_article(2, published_at=None, authors=())])
        connection.execute(
            text("UPDATE urls SET state = 'failed', reason = 'timeout', fetched_at = now() WHERE id = :id"),
            {"id": due[0].url_id},
        )
    return database


def test_revisions_have_their_own_fields(filled: Database) -> None:
    [row] = rows(filled, "SELECT revision, headline, authors, published_at, changed, source FROM news.revisions")
    assert tuple(row) == (1, "A bridge opens", ["A. Writer", "B. Écrivain"], AT, ["headline", "authors"], "herald")


def test_a_row_for_each_dropped_block(filled: Database) -> None:
    [row] = rows(filled, "SELECT position, kind, reason, rule, text, score FROM news.dropped_blocks")
    assert tuple(row) == (2, "paragraph", "support", "appeal", "Support us.", 0.25)


def test_days_are_those_of_publication_or_of_storage(filled: Database) -> None:
    query = "SELECT day, articles, words, with_published_at, with_authors, revised FROM news.daily_counts ORDER BY day"
    counted = {row[0]: tuple(row)[1:] for row in rows(filled, query)}
    stored = ask(filled, "SELECT (stored_at AT TIME ZONE 'UTC')::date FROM articles WHERE published_at IS NULL")
    assert counted == {AT.date(): (1, 5, 1, 1, 1), stored: (1, 5, 0, 0, 0)}


def test_how_a_source_does(filled: Database) -> None:
    query = """SELECT articles, articles_1d, articles_7d, published_at_share, authors_share, dropped_blocks_7d,
        errors_7d, failing_listings FROM news.source_health ORDER BY source"""
    courier, herald = rows(filled, query)
    assert tuple(courier) == (0, 0, 0, None, None, 0, {}, 0)
    assert tuple(herald) == (2, 2, 2, 0.5, 0.5, 1, {"timeout": 1}, 0)


def test_health_looks_at_a_week(filled: Database) -> None:
    with filled.engine.begin() as connection:
        past = {"past": AT - timedelta(days=3_000)}
        connection.execute(text("UPDATE articles SET stored_at = :past, updated_at = :past WHERE revision = 2"), past)
    query = "SELECT articles, articles_7d, authors_share, dropped_blocks_7d FROM news.source_health ORDER BY source"
    assert tuple(rows(filled, query)[1]) == (2, 1, 0.0, 0)


def test_every_view_can_be_read(filled: Database) -> None:
    for view in VIEWS:
        rows(filled, f"SELECT * FROM news.{view.name}")


# -- the reader ------------------------------------------------------------------------------------------------------


@pytest.fixture
def analyst(filled: Database, server_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A user who was granted news_reader and nothing else."""
    administer(server_url, "CREATE ROLE analyst LOGIN PASSWORD 'reads'")
    administer(server_url, "GRANT news_reader TO analyst")
    url = make_url(filled.url).set(username="analyst", password="reads").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
    administer(server_url, "DROP ROLE analyst")


def test_the_reader_reads_news_and_nothing_else(analyst: psycopg.Connection[Any]) -> None:
    for view in VIEWS:
        analyst.execute(f"SELECT * FROM news.{view.name}".encode())
    found = analyst.execute("SELECT headline FROM news.search('bridge') ORDER BY rank DESC").fetchall()
    assert len(found) == 2
    forbidden = [f"SELECT * FROM {table}" for table in Base.metadata.tables]
    for statement in (*forbidden, "DELETE FROM news.urls", "CREATE TABLE news.x ()", "CREATE TABLE public.x ()"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute(statement.encode())


def test_one_role_for_all_databases_of_a_server(database: Database, bare_url: str) -> None:
    with Database(bare_url) as other:
        migrate(other.engine)
        granted = "SELECT has_table_privilege('news_reader', 'news.articles', 'SELECT')"
        assert ask(other, granted) and ask(database, granted)


def test_who_may_not_create_roles_migrates_without(bare_url: str) -> None:
    """In a cluster where nobody has made the role, everything else is there."""
    name = make_url(bare_url).database
    administer(bare_url, "ALTER ROLE news_reader RENAME TO news_reader_away")
    administer(bare_url, "CREATE ROLE owner LOGIN PASSWORD 'owns'")
    administer(bare_url, f"ALTER DATABASE {name} OWNER TO owner")
    try:
        url = make_url(bare_url).set(username="owner", password="owns").render_as_string(hide_password=False)
        with Database(url) as other:
            migrate(other.engine)
            assert column(other, "SELECT count(*) FROM news.articles") == [0]
            assert ask(other, "SELECT count(*) FROM pg_roles WHERE rolname = 'news_reader'") == 0
    finally:
        administer(bare_url, f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        administer(bare_url, "ALTER ROLE news_reader_away RENAME TO news_reader")
        with psycopg.connect(bare_url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY owner")
            connection.execute("DROP ROLE owner")
