"""A database that cannot be used is explained in one line, and no line shows a password."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text

from crawler.errors import ConfigurationError, DatabaseUnreachable
from crawler.store.engine import Database, connect_options, driver_url, open_database

NOWHERE = Path("/nonexistent")
SECRET = "s3cr3t"


def refusal(url: str) -> str:
    with pytest.raises(DatabaseUnreachable) as caught:
        open_database(url, NOWHERE)
    message = str(caught.value)
    assert "\n" not in message
    assert SECRET not in message
    assert "Check DATABASE_URL" in message
    return message


def test_no_more_connections_than_were_asked_for(database_url: str) -> None:
    with Database(database_url, connections=2) as database, ThreadPoolExecutor(1) as thread:
        first, second = database.engine.connect(), database.engine.connect()
        third = thread.submit(database.engine.connect)
        with pytest.raises(TimeoutError):
            third.result(0.3)
        first.close()
        for one in (second, third.result()):
            one.close()


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # taken, and not listening
        port = taken.getsockname()[1]
        assert "refused" in refusal(f"postgresql://me:{SECRET}@127.0.0.1:{port}/news")


def test_wrong_password(server_url: str) -> None:
    wrong = make_url(server_url).set(password=SECRET)
    assert "password authentication failed" in refusal(wrong.render_as_string(hide_password=False))


def test_password_in_the_query(server_url: str) -> None:
    wrong = make_url(server_url)._replace(password=None).update_query_dict({"password": SECRET})
    assert "password authentication failed" in refusal(wrong.render_as_string(hide_password=False))


def test_wrong_database(server_url: str) -> None:
    wrong = make_url(server_url).set(database="nowhere")
    assert 'database "nowhere" does not exist' in refusal(wrong.render_as_string(hide_password=False))


def test_unknown_option(server_url: str) -> None:
    wrong = make_url(server_url).update_query_dict({"pool": "3"})
    assert 'invalid connection option "pool"' in refusal(wrong.render_as_string(hide_password=False))


def test_days_are_those_of_utc_whatever_the_server_thinks(database_url: str) -> None:
    name = make_url(database_url).database
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET timezone = 'Etc/GMT+12'")
    with Database(database_url) as database, database.engine.connect() as connection:
        assert connection.execute(text("SHOW timezone")).scalar() == "UTC"
    with psycopg.connect(**connect_options(database_url)) as listener:
        assert listener.execute("SHOW timezone").fetchone() == ("UTC",)
    asked = make_url(database_url).update_query_dict({"options": "-c timezone=Asia/Tokyo"})
    with psycopg.connect(**connect_options(asked.render_as_string(hide_password=False))) as listener:
        assert listener.execute("SHOW timezone").fetchone() == ("Asia/Tokyo",)


def test_several_hosts() -> None:
    given = connect_options("postgresql://me@/news?host=a:1&host=b:2")
    assert (given["host"], given["port"], given["user"]) == ("a,b", "1,2", "me")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_schemes(scheme: str) -> None:
    assert driver_url(f"{scheme}://me@db/news").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://me:s3cr3t@db/news", "names 'mysql'"),
        ("postgresql+asyncpg://me:s3cr3t@db/news", r"names 'postgresql\+asyncpg'"),
        ("me:s3cr3t@db", "is no URL"),
        ("postgresql://me:s3cr3t@db:port/news", "is no URL"),
    ],
)
def test_what_is_no_database_url(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        driver_url(url)
    assert SECRET not in str(caught.value)
