"""A PostgreSQL for the session, and a database of its own for every test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy import make_url

from crawler.store import startup
from crawler.store.embedded import EmbeddedServer
from crawler.store.engine import Database, migrate

settings.register_profile("crawler", deadline=None)  # how fast a machine is, is no property of the code
settings.load_profile("crawler")

TEMPLATE = "template_news"
_numbers = count(1)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server of this session's own, which need not survive a loss of power."""
    with pytest.MonkeyPatch.context() as patched:
        for setting in ("fsync", "full_page_writes"):
            patched.setitem(startup.SETTINGS, setting, "off")
        server = EmbeddedServer(tmp_path_factory.mktemp("server") / "data")
        url = server.acquire()
    yield url
    server.release()


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """The name of a database with today's tables, to be copied."""
    administer(server_url, f"CREATE DATABASE {TEMPLATE}")
    with Database(named(server_url, TEMPLATE)) as database:
        migrate(database.engine)
    return TEMPLATE


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """The URL of an empty database with today's tables, for one test."""
    yield from _created(server_url, f"TEMPLATE {template}")


@pytest.fixture
def bare_url(server_url: str) -> Iterator[str]:
    """The URL of a database without tables, for one test."""
    yield from _created(server_url, "")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database(database_url) as database:
        yield database


def named(url: str, database: str) -> str:
    """The URL of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def administer(url: str, statement: str) -> None:
    """Do one statement in the server's own database, outside a transaction."""
    with psycopg.connect(named(url, "postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


def _created(server_url: str, how: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    administer(server_url, f"CREATE DATABASE {name} {how}")
    yield named(server_url, name)
    administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")
