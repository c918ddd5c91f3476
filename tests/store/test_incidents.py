"""Incidents open once, are told once whoever looks, and close when they are clearly over."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from crawler.alerts import Receiver, receivers
from crawler.health import Finding
from crawler.jobs import watching
from crawler.jobs.watching import Watch, tell
from crawler.store import crawls, incidents, patience
from crawler.store.engine import Database
from tests.runs import until
from tests.store.rows import OTHER, SOURCE, ask, column

SILENT = Finding(kind="silent", severity="fail", sentence="0 articles in 26 h")
SLOW = Finding(kind="slow", severity="warn", sentence="its answers take 9 s")
NO_PAUSE = timedelta(0)
SILENCE = dict.fromkeys(("ALERT_WEBHOOK", "ALERT_EMAIL", "SMTP_URL", "SMTP_PASSWORD", "ALERT_COMMAND"), "")


@pytest.fixture(autouse=True)
def sources(database: Database) -> None:
    with database.engine.begin() as connection:
        crawls.save_sources(connection, [SOURCE, OTHER])


class Noted:
    """A receiver that notes; it fails as often as it is told to."""

    def __init__(self, name: str = "webhook", failures: int = 0) -> None:
        self.name, self.failures, self.got = name, failures, list[str]()

    def send(self, message: Any, seconds: float) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("down")
        self.got.append(message.subject)


def note(database: Database, found: dict[str | None, Sequence[Finding]], whole: bool = True) -> tuple[int, int]:
    with database.engine.begin() as connection:
        return incidents.note(connection, ["herald", "courier"], found, whole=whole)


def earlier(database: Database, minutes: int) -> None:
    """Let so much time have passed."""
    with database.engine.begin() as connection:
        for name in ("opened_at", "last_seen_at", "told_at", "recovery_told_at", "try_at"):
            connection.execute(text(f"UPDATE incidents SET {name} = {name} - :n * interval '1 minute'"), {"n": minutes})


def test_opened_once_told_once_over_once(database: Database) -> None:
    to = Noted()
    assert note(database, {"herald": [SILENT, SLOW], None: []}) == (2, 0)
    assert note(database, {"herald": [SILENT, SLOW], "gone": [SILENT]}) == (0, 0)
    assert tell(database, [to], NO_PAUSE) == {"webhook": None}
    assert tell(database, [to], NO_PAUSE) == {}
    earlier(database, 20)
    assert note(database, {"herald": [SLOW]}) == (0, 0)  # not yet: it may only flicker
    earlier(database, 20)
    assert note(database, {"herald": [SLOW]}) == (0, 1)
    tell(database, [to], NO_PAUSE)
    tell(database, [to], NO_PAUSE)
    assert to.got == ["news crawler: 2 incidents (silent 1, slow 1)", "news crawler: herald: silent is over"]
    assert note(database, {"herald": [SILENT, SLOW]}) == (1, 0)  # again: another one
    assert ask(database, "SELECT count(*) FROM news.incidents WHERE kind = 'silent'") == 2
    assert ask(database, "SELECT health || incidents::text FROM news.source_health WHERE source = 'herald'") == (
        "fail{silent,slow}"
    )


def test_a_seed_that_was_mended_is_over_at_once(database: Database) -> None:
    broken = Finding(kind="broken_seed", severity="fail", sentence="line 2")
    note(database, {"herald": [broken, SLOW]})
    assert note(database, {"herald": [broken]}) == (0, 0)
    assert note(database, {}) == (0, 1)
    assert column(database, "SELECT kind FROM incidents WHERE closed_at IS NULL") == ["slow"]


def test_whoever_looks_at_the_same_time_opens_and_tells_once(database: Database) -> None:
    to = Noted()

    def scheduler(_: int) -> None:
        note(database, {"herald": [SILENT], "courier": [SILENT], None: [SLOW]})
        tell(database, [to], NO_PAUSE)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(scheduler, range(8)))
    assert ask(database, "SELECT count(*) FROM incidents") == 3
    several = [re.search(r"(\d+) incidents", one) for one in to.got]  # two tellers may share them
    assert sum(int(number[1]) if number else 1 for number in several) == 3


def test_who_was_not_reached_is_tried_again_and_nobody_twice(database: Database) -> None:
    one, other = Noted(), Noted("email", failures=2)
    note(database, {"herald": [SILENT]})
    assert tell(database, [one, other], NO_PAUSE) == {"webhook": None, "email": "OSError: down"}
    assert tell(database, [one, other], NO_PAUSE) == {}  # it rests
    earlier(database, 1)
    assert tell(database, [one, other], NO_PAUSE) == {"email": "OSError: down"}
    earlier(database, 2)
    assert tell(database, [one, other], NO_PAUSE) == {"email": None}
    assert (one.got, other.got) == (["news crawler: herald: silent"],) * 2
    assert column(database, "SELECT told_at IS NOT NULL FROM incidents") == [True]


def test_what_came_and_went_while_nobody_could_be_told_is_told(database: Database) -> None:
    to = Noted(failures=1)
    note(database, {"herald": [SILENT]})
    tell(database, [to], NO_PAUSE)
    earlier(database, 40)
    note(database, {})
    tell(database, [to], NO_PAUSE)
    assert to.got == ["news crawler: herald: silent is over"]
    assert tell(database, [to], NO_PAUSE) == {}


def test_a_teller_that_died_is_followed_by_another(database: Database) -> None:
    to = Noted()
    note(database, {"herald": [SILENT]})
    with database.engine.begin() as connection:
        assert len(incidents.claim(connection, NO_PAUSE)) == 1  # and then it dies
    assert tell(database, [to], NO_PAUSE) == {}
    earlier(database, 5)
    assert tell(database, [to], NO_PAUSE) == {"webhook": None}


def test_what_was_sent_is_noted_when_the_database_is_back(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0)
    raised, settle, to = iter(["57P01"]), incidents.settle, Noted()

    def interrupted(connection: Connection, *given: Any, **named: Any) -> None:
        for state in raised:
            connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$"))
        settle(connection, *given, **named)

    monkeypatch.setattr(incidents, "settle", interrupted)
    note(database, {"herald": [SILENT]})
    assert tell(database, [to], NO_PAUSE) == {"webhook": None}
    earlier(database, 6)
    note(database, {"herald": [SILENT]})
    assert tell(database, [to], NO_PAUSE) == {}


def test_after_a_message_there_is_a_pause_and_then_one_message(database: Database) -> None:
    to, pause = Noted(), timedelta(minutes=10)
    note(database, {"herald": [SILENT]})
    tell(database, [to], pause)
    for found in (SLOW, Finding(kind="late", severity="warn", sentence="x")):
        note(database, {"herald": [SILENT, found]})
        assert tell(database, [to], pause) == {}
    earlier(database, 11)
    assert tell(database, [to], pause) == {}, "what has not been seen since may be over"
    note(database, {"herald": [SILENT, SLOW, found]})
    tell(database, [to], pause)
    assert to.got[1:] == ["news crawler: 2 incidents (late 1, slow 1)"]


def test_a_round_of_the_watch(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source whose crawl is due for hours; one source a round; a real program is told."""
    said = tmp_path / "said"
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\nimport sys\nopen({str(said)!r}, 'a').write(sys.stdin.read())\n")
    program.chmod(0o700)
    monkeypatch.setattr(watching, "AT_ONCE", 1)
    settings = {**SILENCE, "ALERT_COMMAND": str(program), "ALERT_PAUSE": "0"}
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE sources SET due_at = now() - interval '3 hours', seeded_at = now()"))
        led = "INSERT INTO schedulers (host, pid, version, ticked_at) VALUES ('', 1, '', now() - interval '1 hour')"
        connection.execute(text(led))
    watch = Watch()
    assert watch(database, settings) == "2 incidents opened"  # no_scheduler and a late courier
    assert watch.sender
    watch.sender.join(60)
    until(said.exists)
    assert {one["kind"] for one in json.loads(said.read_text())["opened"]} == {"no_scheduler", "late"}
    assert watch(database, {**settings, "ALERT_COMMAND": ""}) == "1 incidents opened"
    assert watch.after == "herald"
    assert watch(database, {**settings, "ALERT_COMMAND": ""}) is None
    assert watch.after == ""
    assert receivers() == list[Receiver]()


def test_what_is_open_is_looked_at_in_every_round(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "AT_ONCE", 1)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE sources SET due_at = now() - interval '3 hours', seeded_at = now()"))
    watch = Watch()
    watch(database, SILENCE)  # looks at the courier
    earlier(database, 40)
    watch(database, SILENCE)  # and at the herald
    seen = "SELECT source FROM incidents WHERE last_seen_at > now() - interval '1 minute' AND closed_at IS NULL"
    assert {"courier", "herald"} <= set(column(database, seen))


def test_what_was_over_for_long_is_forgotten(database: Database) -> None:
    note(database, {"herald": [SILENT, SLOW]})
    with database.engine.begin() as connection:
        over = "UPDATE incidents SET closed_at = now() - CASE kind WHEN 'slow' THEN 401 ELSE 399 END * interval '1 day'"
        connection.execute(text(over))
    Watch()(database, SILENCE)
    assert column(database, "SELECT kind FROM incidents") == ["silent"]


def test_what_there_is_to_tell_is_found_without_reading_all_that_ever_was(database: Database) -> None:
    old = """INSERT INTO incidents (kind, severity, detail, opened_at, closed_at) SELECT 'slow', 'warn', '',
             now() - interval '50 days', now() - n % 40 * interval '1 day' FROM generate_series(1, 20000) AS n"""
    with database.engine.begin() as connection:
        connection.execute(text(old))
        connection.execute(text("ANALYZE incidents"))
        for statement in (incidents._PAUSED, incidents._CLAIM):
            given = {"pause": NO_PAUSE, "claim": incidents.CLAIM, "fresh": incidents.FRESH}
            plan = connection.execute(text(f"EXPLAIN {statement.text}"), given).scalars().all()
            assert not [line for line in plan if "Seq Scan" in line], plan
