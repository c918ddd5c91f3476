"""What the scheduler does beside its ticks: the seeds' folder followed, and duties that fail or take for ever."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from crawler.errors import ConfigurationError, SeedError
from crawler.jobs import scheduler, seeds
from crawler.jobs.duties import Duty
from crawler.jobs.scheduler import Scheduler
from crawler.jobs.seeds import SeedsFolder
from crawler.sources import Source, load_source
from crawler.store.engine import Database
from crawler.store.schedulers import Leadership
from crawler.store.schedules import Defaults
from tests.store.rows import ask, column

SEED = "name: {0}\nhomepage: https://{0}.example/\n"
SEEDED = "SELECT id FROM sources WHERE seeded_at IS NOT NULL ORDER BY id"


def test_the_folder_is_followed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened: list[str] = []

    def load(path: Path) -> Source:
        opened.append(path.stem)
        return load_source(path)

    monkeypatch.setattr(seeds, "load_source", load)
    folder = SeedsFolder(tmp_path, Defaults())
    with pytest.raises(ConfigurationError, match="there is nothing to schedule"):
        folder.follow(database)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(SEED.format(name))
    assert folder.follow(database) == "seeds a, b, c taken up"
    assert folder.follow(database) is None
    assert sorted(opened) == ["a", "b", "c"], "what is as it was is not opened again"

    (tmp_path / "_.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c.yaml").unlink()
    (tmp_path / "c.yaml").symlink_to(tmp_path / "moved")
    with pytest.raises(SeedError, match=r"(?s)^_ broken.*No such file"):
        folder.follow(database)
    assert "seeds: c broken\nc: [Errno 2] No such file" in caplog.text
    assert column(database, SEEDED) == ["a", "b", "c"], "what is there and cannot be read is not gone, nor are others"
    (tmp_path / "moved").write_text(SEED.format("c"))
    (tmp_path / "_.yaml").unlink()
    assert folder.follow(database) == "seed c taken up"

    (tmp_path / "a.yaml").write_text("name: [")
    (tmp_path / "b.yaml").write_text(SEED.format("b") + 'note: "nul \\0"\n')
    (tmp_path / "c.yaml").unlink()
    (tmp_path / "d.yaml").write_text(SEED.format("d"))
    (tmp_path / "e.yaml").write_text(f"name: E\nhomepage: {'e' * 500}\ncountry: none\n")
    with pytest.raises(SeedError) as caught:
        folder.follow(database)
    with pytest.raises(SeedError):
        folder.follow(database)
    assert caplog.text.count("seeds: a, b broken\n") == 1, "their sources' own finding goes on telling"
    _, a, b, *_ = caplog.text.partition("seeds: a, b broken")[2].splitlines()
    head, e = str(caught.value).splitlines()
    assert head == "e broken"
    assert a.startswith("a: line 2, column 1: ") and a.endswith(" (goes on as it last was)")
    assert b.startswith("b: the database refuses it: ")
    assert e.startswith("e: homepage: 'eeee") and e.endswith("… (not crawled: never good)") and len(e) < 160
    (tmp_path / "e.yaml").unlink()
    assert column(database, SEEDED) == ["a", "b", "d"], "the others are taken up"
    assert column(database, "SELECT id FROM sources WHERE seed_error IS NOT NULL ORDER BY id") == ["a", "b"]

    (tmp_path / "a.yaml").write_text(SEED.format("a"))
    (tmp_path / "b.yaml").write_text(SEED.format("b"))
    assert folder.follow(database) == "seeds a, b taken up"
    for path in tmp_path.glob("*.yaml"):
        path.unlink()
    with pytest.raises(ConfigurationError, match="holds no seed; the 3 sources that are known go on as they are"):
        folder.follow(database)
    assert column(database, SEEDED) == ["a", "b", "d"]


def test_a_seed_that_the_database_refused_is_tried_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was wrong may have been in the database: the file need not change."""
    monkeypatch.setattr(seeds, "COMPARE_EVERY", 0.0)
    folder = SeedsFolder(tmp_path, Defaults())
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(SEED.format(name))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE sources ADD CONSTRAINT no_a CHECK (id <> 'a')")
    for _ in range(2):
        with pytest.raises(SeedError, match="a: the database refuses it"):
            folder.follow(database)
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE sources DROP CONSTRAINT no_a")
    assert folder.follow(database) == "seed a taken up"
    assert folder.follow(database) is None
    assert column(database, SEEDED) == ["a", "b"]


def test_a_duty_that_fails_or_hangs_stops_nothing(database: Database) -> None:
    done: list[str] = []
    never = threading.Event()

    def fails(_: Database) -> str | None:
        done.append("fails")
        raise RuntimeError("no")

    def hangs(_: Database) -> str | None:
        done.append("hangs")
        never.wait()
        return None

    def works(_: Database) -> str | None:
        done.append("works")
        return None

    async def run() -> None:
        stop = asyncio.Event()
        todo = [Duty("fails", 0.01, fails), Duty("hangs", 0.01, hangs), Duty("works", 0.01, works)]
        running = asyncio.create_task(Scheduler(database, 0.02, Defaults(), todo).run(stop))
        while ask(database, "SELECT trouble ->> 'fails' FROM schedulers") is None or min(map(done.count, told)) < 2:
            await asyncio.sleep(0.01)
        stop.set()
        await running

    told = ("fails", "works")
    asyncio.run(run())
    never.set()
    assert done.count("hangs") == 1
    assert ask(database, "SELECT trouble ->> 'fails' FROM schedulers") == "RuntimeError: no"
    assert ask(database, "SELECT ended_at IS NOT NULL FROM schedulers")


def test_a_tick_that_always_fails_stops_no_duty_and_lets_another_lead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    led: list[bool] = []
    monkeypatch.setattr(scheduler, "ASIDE", 0.3)

    def errs(*_: Any) -> None:
        raise ValueError("one source too many")

    async def run() -> None:
        monkeypatch.setattr(scheduler, "queue_due", errs)
        stop, other = asyncio.Event(), Leadership(database)
        running = asyncio.create_task(
            Scheduler(database, 0.02, Defaults(), [Duty("works", 0.01, lambda _: done.append(1))]).run(stop)
        )
        while (
            ask(database, "SELECT trouble ->> 'tick' FROM schedulers WHERE ended_at IS NULL") is None or len(done) < 3
        ):
            await asyncio.sleep(0.01)
        while not other.take():
            await asyncio.sleep(0.01)
        led.append(True)
        other.give_up(1)
        stop.set()
        await running

    asyncio.run(asyncio.wait_for(run(), 100))
    assert led
