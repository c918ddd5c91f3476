"""The tables come from the migrations, and the migrations are the models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url

from crawler.errors import StoreError
from crawler.store import pages
from crawler.store.engine import Database, migrate, open_database
from crawler.store.models import Base
from tests.conftest import administer
from tests.store.rows import AT, a_page, ask

ROOT = Path(__file__).parents[2]
MIGRATE = """
import sys
from pathlib import Path
from crawler.store.engine import open_database
sys.stdin.readline()
open_database(sys.argv[1], Path("/nonexistent")).close()
"""


def is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
    return not (kind == "table" and (name or "").startswith("pages_"))


def test_migrations_equal_models(database: Database) -> None:
    with database.engine.connect() as connection:
        pages.store(connection, [pages.Archived(page=a_page(at=AT), outcome="article")], None)
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": is_ours})
        assert compare_metadata(context, Base.metadata) == []


def test_the_second_time_nothing_happens(bare_url: str) -> None:
    with Database(bare_url) as database:
        before, head = migrate(database.engine)
        assert before is None
        assert migrate(database.engine) == (head, head)


def test_processes_that_start_together_migrate_once(bare_url: str) -> None:
    command = [sys.executable, "-c", MIGRATE, bare_url]
    pipe = subprocess.PIPE
    users = [subprocess.Popen(command, cwd=ROOT, stdin=pipe, stderr=pipe, text=True) for _ in range(3)]
    for user in users:
        assert user.stdin
        user.stdin.write("go\n")
        user.stdin.flush()
    for user in users:
        assert user.communicate()[1] == ""
        assert user.returncode == 0


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
