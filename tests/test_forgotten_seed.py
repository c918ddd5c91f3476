"""A seed of what was forgotten, under its own name or another, is told once and at rest until that is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from crawler.errors import ConfigurationError
from crawler.jobs.seeds import SeedsFolder
from crawler.store import crawls, disabling, schedules, tombstones
from crawler.store.engine import Database
from crawler.store.forgetting import acts, finding, removing, sources
from crawler.store.schedules import Defaults, Queued
from tests.store.rows import SOURCE, ask

SEED = "name: Herald\nhomepage: {0}\nschedule: {1}\n"
HOME, ENGLISH, ELSEWHERE = "https://herald.example/", "https://www.herald.example/en/", "https://kurier.example/"
STATE = "SELECT state FROM news.schedule WHERE source = :name"
WHY = "SELECT due_why FROM news.schedule WHERE source = :name"


class Folder:
    """The seeds as the scheduler sees them, over and over."""

    def __init__(self, database: Database, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.database, self.path, self.caplog = database, path, caplog
        self.seeds = SeedsFolder(path, Defaults())

    def write(self, name: str, homepage: str, every: str = "1h") -> None:
        (self.path / f"{name}.yaml").write_text(SEED.format(homepage, every))

    def follow(self, *, everything: bool = False) -> list[str]:
        """What it warns of."""
        if everything:
            self.seeds = SeedsFolder(self.path, Defaults())
        self.caplog.clear()
        self.seeds.follow(self.database)
        return [record.getMessage() for record in self.caplog.records if record.levelname == "WARNING"]

    def state(self, name: str) -> Any:
        return ask(self.database, STATE, name=name)

    def tick(self) -> Queued:
        with self.database.engine.begin() as connection:
            return schedules.queue_due(connection, Defaults())

    def undo(self, **what: Any) -> list[str]:
        with self.database.engine.begin() as connection:
            acts.undo(connection, acts.acts_of(connection, **what))
            return schedules.wake(connection, Defaults())


@pytest.fixture
def folder(database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Folder:
    made = Folder(database, tmp_path, caplog)
    made.write("herald", HOME)
    made.write("courier", "https://courier.example/", "never")
    assert made.follow() == []
    list(sources.forget_source(database.engine, "herald", "they asked", "me@here"))
    return made


def test_under_another_name(folder: Folder) -> None:
    (folder.path / "herald.yaml").unlink()
    folder.write("another", ENGLISH)
    said = "another was forgotten as herald: its publisher does not want it here; if that has changed: "
    assert folder.follow() == [f"{said}scrapy forget --undo herald"]
    assert [folder.follow(), folder.follow(everything=True)] == [[], []], "it is told once"
    assert (folder.state("another"), folder.tick()) == ("forgotten", Queued(0, 0))
    assert ask(folder.database, WHY, name="another").endswith(": scrapy forget --undo herald allows it again")
    with folder.database.engine.connect() as connection, pytest.raises(ConfigurationError, match="--undo herald"):
        disabling.refuse_forgotten(connection, "another")  # `scrapy enable`

    folder.write("another", ELSEWHERE)
    assert (folder.follow(), folder.state("another")) == ([], "due")
    folder.write("another", ENGLISH, "2h")
    assert (len(folder.follow()), folder.state("another")) == (1, "forgotten")
    assert folder.undo(source="herald") == ["another"]
    assert folder.state("another") == "due", "at once, and by its own schedule"
    assert (folder.follow(everything=True), folder.tick()) == ([], Queued(1, 1))


def test_under_its_own_name(folder: Folder) -> None:
    assert (folder.state("herald"), folder.tick()) == ("forgotten", Queued(0, 0))
    assert folder.follow(everything=True) == []
    # An older backup knows nothing of it.
    with folder.database.engine.begin() as connection:
        connection.execute(
            text("UPDATE sources SET disabled_at = NULL, due_at = now(), due_why = '' WHERE id = 'herald'")
        )
    assert len(folder.follow(everything=True)) == 1
    assert (folder.state("herald"), folder.tick()) == ("forgotten", Queued(0, 0))
    assert folder.undo(source="herald") == ["herald"]
    assert (folder.state("herald"), folder.tick()) == ("due", Queued(1, 1))


def test_a_source_that_no_scheduler_has_seen(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE])
    list(sources.forget_source(database.engine, "herald", None, "me@here"))
    assert ask(database, STATE, name="herald") == "forgotten"
    with database.engine.begin() as connection:
        acts.undo(connection, acts.acts_of(connection, source="herald"))
        assert schedules.wake(connection, Defaults()) == []
    assert (ask(database, STATE, name="herald"), ask(database, WHY, name="herald")) == ("gone", None)


def test_one_whose_home_page_was_forgotten_as_a_page(folder: Folder) -> None:
    """Not as a source: its name would undo nothing."""
    with folder.database.engine.connect() as connection:
        found = finding.find(connection, url=ELSEWHERE)
    removing.forget_page(folder.database.engine, found, None, "me@here")
    folder.write("kurier", ELSEWHERE)
    (said,) = folder.follow()
    assert said.endswith(f"scrapy forget --undo {ELSEWHERE}")
    assert folder.undo(url=ELSEWHERE) == ["kurier"]
    assert folder.state("kurier") == "due"


def test_what_is_asked_each_second_reads_no_table(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, given in (
            (disabling._DISABLED, {"ids": ["herald"]}),
            (disabling._BARRING, {"digests": [tombstones.of_source("herald")]}),
        ):
            plan = "\n".join(connection.execute(text(f"EXPLAIN {statement.text}"), given).scalars())
            assert "Seq Scan" not in plan and "ix_tombstones_digest" in plan, plan
