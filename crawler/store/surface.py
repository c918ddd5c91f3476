"""Puts in place what is kept as it should be and not as changes: the views, `news.search`, the comments, the grants.

Done after every migration and by `scrapy db migrate`; doing it twice changes nothing. The comments are those of
models/, views/ and search.py, so that there is one place for each.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from crawler.store.models import Base
from crawler.store.search import FOUND, FOUND_COMMENT, FUNCTIONS, functions
from crawler.store.views import VIEWS, View

SCHEMA_COMMENT = (
    "The public surface: views that keep their columns across versions, and full-text search (docs/schema.md)."
)
VERSION_COMMENT = "The version of the tables, kept by Alembic."
# Roles are the server's and in no backup: a database that was restored elsewhere finds its own here.
GRANTS = """
DO $do$
BEGIN
    BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'news_reader') THEN
            CREATE ROLE news_reader NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL;
    END;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'news_reader') THEN
        GRANT USAGE ON SCHEMA news TO news_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA news TO news_reader;
    END IF;
END
$do$
"""


def lay(connection: Connection) -> None:
    """Make, or make anew, what readers see. The tables have to be those of the newest version."""
    for statement in _statements():
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _statements() -> Iterator[str]:
    for view in VIEWS:
        yield f"CREATE OR REPLACE VIEW news.{view.name} AS {view.query}"
    yield from functions()
    yield GRANTS
    yield f"COMMENT ON SCHEMA news IS {_quoted(SCHEMA_COMMENT)}"
    yield f"COMMENT ON TABLE alembic_version IS {_quoted(VERSION_COMMENT)}"
    yield f"COMMENT ON COLUMN alembic_version.version_num IS {_quoted(VERSION_COMMENT)}"
    for table in Base.metadata.sorted_tables:
        yield f"COMMENT ON TABLE {table.name} IS {_quoted(table.comment)}"
        for column in table.columns:
            yield f"COMMENT ON COLUMN {table.name}.{column.name} IS {_quoted(column.comment)}"
    for view in VIEWS:
        yield from _of_view(view)
    yield f"COMMENT ON TYPE news.found IS {_quoted(FOUND_COMMENT)}"
    for name, (_, comment) in FOUND.items():
        yield f"COMMENT ON COLUMN news.found.{name} IS {_quoted(comment)}"
    for function in FUNCTIONS:
        yield f"COMMENT ON FUNCTION news.{function.signature} IS {_quoted(function.comment)}"


def _of_view(view: View) -> Iterator[str]:
    yield f"COMMENT ON VIEW news.{view.name} IS {_quoted(view.comment)}"
    for column in view.columns:
        yield f"COMMENT ON COLUMN news.{view.name}.{column.name} IS {_quoted(column.comment)}"


def _quoted(words: str | None) -> str:
    return "NULL" if words is None else "'" + words.replace("'", "''") + "'"
