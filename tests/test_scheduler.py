"""`scrapy scheduler` as real processes: one acts, another takes over, seeds change under it, clocks are wrong."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from scrapy.settings import Settings

from crawler.commands.scheduler import check
from crawler.errors import ConfigurationError
from tests.conftest import administer, named
from tests.runs import PROJECT, Bench, cloned, until

QUICK = ["-s", "TICK=0.2"]
SEED = "name: {0}\nhomepage: https://{0}.example/\n{1}"
JOBS = "SELECT lock, count(*) FROM procrastinate.procrastinate_jobs GROUP BY lock HAVING count(*) > 1"
LATER = "UPDATE sources SET due_at = now() + interval '5 minutes' WHERE id = 'cron' RETURNING id"
LEADS = "SELECT pid FROM schedulers WHERE ended_at IS NULL"
# The second looks again and again, on one connection, whether it may lead.
HAS_TRIED = """
SELECT FROM pg_stat_activity WHERE application_name = 'second' AND state_change > backend_start + interval '1 second'
"""
# Whoever asks this process for the time is told one that is ten minutes off.
WRONG_CLOCK = """
import datetime, sys, time
right = time.time
time.time = lambda: right() + 600
right_datetime = datetime.datetime
class Any(type):
    def __instancecheck__(cls, one): return isinstance(one, right_datetime)
class Wrong(datetime.datetime, metaclass=Any):
    @classmethod
    def now(cls, tz=None): return super().now(tz) + datetime.timedelta(minutes=10)
    @classmethod
    def utcnow(cls): return cls.now(datetime.UTC).replace(tzinfo=None)
datetime.datetime = Wrong
from scrapy.cmdline import execute
execute(["scrapy", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def url(server_url: str, template: str) -> Iterator[str]:
    with cloned(server_url, template) as url:
        yield url


@pytest.fixture
def bench(url: str, tmp_path: Path) -> Bench:
    (tmp_path / "seeds").mkdir()
    return Bench(seeds=tmp_path / "seeds", data_dir=tmp_path, database_url=url)


def seed(bench: Bench, name: str, more: str = "") -> Path:
    path = bench.seeds / f"{name}.yaml"
    path.write_text(SEED.format(name, more))
    return path


def jobs(bench: Bench) -> set[str]:
    return {
        row["lock"] for row in bench.rows("SELECT lock FROM procrastinate.procrastinate_jobs WHERE status = 'todo'")
    }


def ended(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> str:
    """End it; what it had said."""
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 0)
    return err


def test_of_two_one_acts_and_the_other_takes_over(bench: Bench) -> None:
    """And meanwhile seeds come, break, are mended and go; and the database throws everybody out."""
    for name in ("a", "b", "c"):
        seed(bench, name)
    first = bench.start("scheduler", *QUICK)
    until(lambda: jobs(bench) == {"a", "b", "c"})
    second = replace(bench, database_url=f"{bench.database_url}?application_name=second").start("scheduler", *QUICK)
    try:
        assert bench.value(LEADS) == first.pid
        seed(bench, "b", "schedule: [broken")
        seed(bench, "d", "schedule: 1h\n")
        until(lambda: bench.rows("SELECT FROM sources WHERE id = 'b' AND strpos(seed_error, 'b.yaml: line ') > 0"))
        until(lambda: "d" in jobs(bench))
        told = "SELECT trouble -> 'seeds' IS NULL FROM schedulers WHERE ended_at IS NULL"
        assert bench.value(told), "its source has a finding of its own"
        assert bench.value("SELECT due_at > now() AND schedule = 'auto' FROM sources WHERE id = 'b'"), "as it last was"

        until(lambda: bench.rows(HAS_TRIED))
        assert bench.value("SELECT count(*) FROM schedulers") == 1, "the second stands by"
        said = ended(first, signal.SIGKILL)
        until(lambda: bench.value(f"SELECT ({LEADS}) = %s", second.pid))
        assert f"(process {first.pid}) led and vanished; another took over" in bench.scrapy("health").out
        assert "seeds: b broken\nb: line " in said and "(goes on as it last was)" in said

        seed(bench, "b", "schedule: 2h\n")
        until(lambda: bench.value("SELECT schedule = '2h' AND seed_error IS NULL FROM sources WHERE id = 'b'"))
        (bench.seeds / "c.yaml").unlink()
        until(lambda: bench.value("SELECT due_at IS NULL AND seeded_at IS NULL FROM sources WHERE id = 'c'"))

        bench.seeds.rename(bench.seeds.with_name("away"))
        gone = "SELECT strpos(trouble ->> 'seeds', 'the 3 sources that are known go on') FROM schedulers WHERE pid = %s"
        until(lambda: bench.value(gone, second.pid))
        bench.seeds.with_name("away").rename(bench.seeds)
        assert bench.value("SELECT count(*) FROM sources WHERE seeded_at IS NOT NULL") == 3

        name = bench.database_url.rpartition("/")[2]
        administer(
            bench.database_url,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        seed(bench, "e")
        until(lambda: "e" in jobs(bench))

        bench.rows("DELETE FROM schedulers RETURNING id")
        until(lambda: bench.rows("SELECT FROM schedulers WHERE pid = %s AND ended_at IS NULL", second.pid))
    finally:
        said = ended(second)
    assert said.count(f"this scheduler stands by: process {first.pid} on ") == 1
    assert "this scheduler leads no longer" in said or "waiting for the database" in said
    assert "Traceback" not in said
    assert bench.rows(LEADS) == []
    assert "No scheduler has ticked for " in bench.scrapy("schedule", "--due").out
    assert bench.rows(JOBS) == [], "nothing was queued twice"


def test_it_waits_for_a_database_that_is_not_there_yet(bench: Bench, server_url: str, template: str) -> None:
    away = named(server_url, "comes_later")
    process = Bench(seeds=bench.seeds, data_dir=bench.data_dir, database_url=away).start("scheduler", *QUICK)
    stderr = process.stderr
    assert stderr is not None
    try:
        until(lambda: "waiting for the database" in stderr.readline())  # whatever came before
        administer(server_url, f"CREATE DATABASE comes_later TEMPLATE {template}")
        later = Bench(seeds=bench.seeds, data_dir=bench.data_dir, database_url=away)
        until(lambda: later.rows(LEADS))
        later.rows("UPDATE alembic_version SET version_num = '9999' RETURNING version_num")
        _, said = process.communicate(timeout=60)
        assert process.returncode == 3, "it is to be started anew, as a newer program"
        assert said.splitlines()[-1].startswith("scrapy scheduler: the database has schema 9999, which is newer than")
        assert "Traceback" not in said
    finally:
        process.kill()
        process.communicate()
        administer(server_url, "DROP DATABASE IF EXISTS comes_later WITH (FORCE)")


def test_settings_that_cannot_be() -> None:
    good = {"SCHEDULE": "auto", "QUIET_HOURS": "", "TICK": 5.0}
    check(Settings(good))
    for name, value, reason in (("SCHEDULE", "hourly", "did you mean 1h?"), ("TICK", 0, "a number of seconds above 0")):
        with pytest.raises(ConfigurationError, match=re.escape(reason)):
            check(Settings(good | {name: value}))


def test_a_clock_that_is_off_changes_nothing(bench: Bench, database_url: str) -> None:
    """A scheduler whose machine is ten minutes ahead queues what the database's clock says, and plans by it."""
    bench = Bench(seeds=bench.seeds, data_dir=bench.data_dir, database_url=database_url)
    for name, schedule in (("new", "auto"), ("hourly", "1h"), ("cron", "'*/20 * * * *'")):
        seed(bench, name, f"schedule: {schedule}\n")
    wrong = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WRONG_CLOCK, "scheduler", *QUICK],
        cwd=PROJECT, env=bench.environment, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    ticked_at = "SELECT max(ticked_at) FROM schedulers"
    try:
        until(lambda: {"new", "hourly"} <= jobs(bench))
        # What is due in five minutes is not due for a clock that is ten minutes ahead either.
        bench.rows(LATER)
        bench.rows("DELETE FROM procrastinate.procrastinate_jobs WHERE lock = 'cron' RETURNING id")
        before = bench.value(ticked_at)
        until(lambda: bench.value(ticked_at) > before)
        assert "cron" not in jobs(bench)
        rest = "SELECT due_at - queued_at BETWEEN %s::interval AND %s::interval FROM sources WHERE id = %s"
        assert bench.value(rest, "60 min", "66.1 min", "new")
        assert bench.value(rest, "29.9 min", "90.1 min", "hourly")
    finally:
        said = ended(wrong)
    assert "ERROR" not in said
