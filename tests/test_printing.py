"""Tables on terminals of 80 and of 200 columns, and in a pipe, where a row is one line of which nothing is cut."""

from __future__ import annotations

import argparse
import os
import pty
import re
import sys
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from scrapy.settings import Settings
from sqlalchemy import text

from crawler.commands import health, template
from crawler.commands.schedule import Command as Schedule
from crawler.health import Finding
from crawler.printing import printer
from crawler.store import crawls, queue, schedules
from crawler.store.engine import Database
from crawler.store.queue import crawl_of
from crawler.store.schedules import Defaults
from crawler.web.queue import show_queue
from tests.store.test_schedules import a_source

NAME = "a_newspaper_with_a_name_that_is_longer_than_tables_like"
LONG = f"They asked [in a letter]:\n{'words ' * 60}:smile: the end"
WORDS = " ".join(LONG.split())
COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
BLOCK = """
INSERT INTO boilerplate_blocks (source, key, sample, state, evidence)
VALUES ('herald', 'abcdef', :words, 'learned', '[]')
"""


@pytest.fixture
def filled(database: Database) -> Database:
    """A source that is disabled for a long reason, one with a long name whose crawl waits, and a block."""
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [a_source("herald"), a_source(NAME)])
        schedules.sow(connection, Defaults(), [a_source("herald"), a_source(NAME)])
        connection.execute(
            text("UPDATE sources SET disabled_at = now(), disabled_why = :why WHERE id = 'herald'"), {"why": LONG}
        )
        queue.enqueue(connection, [crawl_of(NAME, arguments={"since": "2026-01-01", "until": "2026-02-01"})])
        connection.execute(text(BLOCK), {"words": LONG})
    return database


def schedule(database: Database) -> None:
    command = Schedule()
    command.settings = Settings({"TICK": 5.0})
    with database.engine.connect() as connection:
        command.show(connection, [], argparse.Namespace(due=False, json=False))


def waiting(database: Database) -> None:
    with database.engine.connect() as connection:
        show_queue(connection, printer())


def found(_: Database) -> None:
    finding = Finding(kind="trouble", severity="warn", sentence=LONG, since=None)
    health.show({}, [finding], datetime(2026, 11, 26, tzinfo=UTC))


def taught(database: Database) -> None:
    template.Command().show(database.engine, "herald", {}, as_json=False)


SHOWN = {schedule: (NAME, WORDS), waiting: (f"{NAME} since=2026-01-01 until=2026-02-01",), found: (), taught: (WORDS,)}


def on_terminal(show: Callable[[Database], None], database: Database, columns: int) -> list[str]:
    """The lines that a terminal is sent, without what colours them."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    sent = bytearray()

    def read() -> None:
        with suppress(OSError):  # it is closed
            while some := os.read(ours, 4096):
                sent.extend(some)

    reader = threading.Thread(target=read)
    reader.start()
    with pytest.MonkeyPatch.context() as patched, os.fdopen(theirs, "w") as terminal:
        patched.setattr(sys, "stdout", terminal)
        patched.setenv("COLUMNS", str(columns))
        show(database)
    reader.join()
    os.close(ours)
    return COLOUR.sub("", sent.decode()).splitlines()


def test_a_table_fits_its_terminal_and_a_pipe_gets_all_of_it(
    filled: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for show, whole in SHOWN.items():
        for columns in (80, 200):
            lines = [line for line in on_terminal(show, filled, columns) if not line.startswith("No scheduler")]
            assert lines and max(map(len, lines)) <= columns, show.__name__
        for exported in ("", "80"):  # by the shell
            monkeypatch.setenv("COLUMNS", exported)
            show(filled)
            lines = capsys.readouterr().out.splitlines()
            assert all(any(part in line for line in lines) for part in whole), show.__name__
            assert [line for line in lines if line != line.rstrip() or "…" in line] == []
