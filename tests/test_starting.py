"""What a command imports before it does anything: Scrapy and libraries that one command needs cost every other one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crawler import settings
from tests.runs import PROJECT, Bench

HEAVY = {
    "alembic",
    "crawler.spiders.fetches",
    "numpy",
    "procrastinate",
    "pyarrow",
    "scipy",
    "sqlalchemy",
    "trafilatura",
}


def imported(bench: Bench, *arguments: str) -> set[str]:
    """The modules that `scrapy ARGUMENTS` imports."""
    command = [sys.executable, "-X", "importtime", "-m", "scrapy", *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=bench.environment, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["list"], set()),
        (["db", "migrate"], {"sqlalchemy"}),  # of tables that are up to date
        (["export", "--help"], {"sqlalchemy"}),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else "",
)
def test_a_command_imports_what_it_needs(
    database_url: str, tmp_path: Path, arguments: list[str], needed: set[str]
) -> None:
    modules = imported(Bench(seeds=PROJECT / "seeds", data_dir=tmp_path, database_url=database_url), *arguments)
    assert modules & HEAVY == needed
    ours = {name for name in modules if name.startswith("crawler.commands.")}
    assert ours <= {f"crawler.commands.{arguments[0]}", "crawler.commands.choosing"}


@pytest.mark.parametrize(
    ("called", "module"),
    [
        ("/usr/bin/scrapy export -", "crawler.commands.export"),
        ("scrapy --nolog check-source bbc", "crawler.commands.check_source"),
        ("/lib/scrapy/__main__.py list", ""),
        ("scrapy no_such", ""),
        ("scrapy", "crawler.commands"),
        ("scrapy --help", "crawler.commands"),
        ("pytest tests", "crawler.commands"),
    ],
)
def test_of_the_commands_the_one_that_was_asked_for_is_loaded(
    called: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", called.split())
    assert settings._commands() == module
