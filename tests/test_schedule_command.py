"""`scrapy schedule`: what it says of sources, of one, and of a scheduler that is not there."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import pytest
from scrapy.settings import Settings
from sqlalchemy import text

from crawler.commands.schedule import Command, picture
from crawler.errors import UnknownSource
from crawler.schedule import HOURS, Rhythm
from crawler.store import crawls, schedules
from crawler.store.engine import Database
from crawler.store.schedules import Defaults
from tests.store.rows import SOURCE
from tests.store.test_schedules import a_source


@pytest.fixture
def filled(database: Database) -> Database:
    """herald was crawled and is due in an hour, its seed broken since; courier is disabled, mail waits."""
    with database.engine.begin() as connection:
        crawl_id = crawls.begin(connection, "herald", [SOURCE], {})
        crawls.end(connection, crawl_id, "finished", "finished", {"news/herald/stored": 7})
        seeds = [a_source("herald"), a_source("courier", schedule="30 6 * * * Europe/Berlin"), a_source("mail")]
        schedules.sow(connection, Defaults(), seeds)
        schedules.mark_broken(connection, {"herald": "herald.yaml: line 3: no"})
        schedules.queue_due(connection, Defaults())
        connection.execute(text("UPDATE sources SET disabled_at = now(), disabled_why = 'A wish' WHERE id = 'courier'"))
        counts = [16 if hour % 24 == 9 else 0 for hour in range(HOURS)]
        connection.execute(
            text("UPDATE rhythms SET since = now() - interval '28 days', counts = :counts"), {"counts": counts}
        )
    return database


@pytest.fixture
def shown(filled: Database, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What `scrapy schedule ARGUMENTS` prints."""

    def show(*arguments: str) -> str:
        command = Command()
        command.settings = Settings({"TICK": 5.0, "SCHEDULE": "auto", "QUIET_HOURS": ""})
        parser = argparse.ArgumentParser(conflict_handler="resolve")
        command.add_options(parser)
        options, names = parser.parse_known_args(arguments)
        with filled.engine.connect() as connection:
            command.show(connection, names, options)
        return capsys.readouterr().out

    return show


def test_the_list(shown: Callable[..., str]) -> None:
    out = shown()
    assert "No scheduler has ever run on this database" in out
    rows = {line.split()[0]: " ".join(line.split()) for line in out.splitlines()[2:]}
    assert "herald auto in 1 h" in rows["herald"] and "ago 7 scheduled broken herald.yaml: line 3" in rows["herald"]
    assert "daily at 06:30 Europe/Berlin –" in rows["courier"] and "never disabled A wish" in rows["courier"]
    assert "waiting" in rows["mail"] and " waits " in rows["mail"]


def test_one_source_and_what_is_due(shown: Callable[..., str]) -> None:
    out = shown("herald")
    assert "about 4.2 articles a day, learned from 28 d" in out and out.count("next  ") == 5
    assert [entry["source"] for entry in json.loads(shown("--due", "--json"))["sources"]] == ["mail"]
    with pytest.raises(UnknownSource, match="no scheduler has seen a source herold"):
        shown("herold")


def test_the_picture_of_a_week() -> None:
    lines = picture(Rhythm([16 if hour == 33 else 0 for hour in range(HOURS)], 0, 672))
    assert [line[:3] for line in lines[:7]] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    assert [line.index("█") - 5 for line in lines[:7] if "█" in line] == [9]
    assert max(map(len, lines)) < 80
