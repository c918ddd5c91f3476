"""The Dockerfile and docker-compose.yml fit each other and this tree; an image cannot be built in a test."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from scrapy.commands import ScrapyCommand
from scrapy.utils.misc import load_object
from sqlalchemy import make_url

from crawler.spiders.loader import GENERAL
from crawler.store.engine import driver_url

ROOT = Path(__file__).resolve().parent.parent
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
POSTGRES: dict[str, Any] = COMPOSE["services"]["postgres"]
CRAWLER: dict[str, Any] = COMPOSE["services"]["crawler"]


def dockerfile(instruction: str) -> list[str]:
    """The arguments of every such instruction."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    return re.findall(rf"^{instruction}\s+(.+)$", text, re.MULTILINE)


def copied() -> list[str]:
    return [source for line in dockerfile("COPY") for source in line.split()[:-1]]


def is_ignored(path: str) -> bool:
    """As Docker reads .dockerignore: the last pattern that fits the path or a directory above it decides."""
    ignored = False
    for line in IGNORED:
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and _fits(PurePosixPath(path), pattern):
            ignored = not line.startswith("!")
    return ignored


def _fits(path: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatchcase(part, pattern[3:]) for part in path.parts)
    assert "/" not in pattern, "this reading of .dockerignore knows only patterns of one segment"
    return fnmatchcase(path.parts[0], pattern)


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_exists_and_reaches_the_builder(source: str) -> None:
    path = ROOT / source
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    wanted = [file for file in files if "__pycache__" not in file.parts]

    assert wanted and path.exists()
    assert [file for file in wanted if is_ignored(file.relative_to(ROOT).as_posix())] == []


@pytest.mark.parametrize(
    "path",
    [".env", ".data/password", ".git/config", ".venv/bin/python", "tests/test_compose.py", "crawler/__pycache__/x"],
)
def test_nothing_else_reaches_the_builder(path: str) -> None:
    assert is_ignored(path)


def test_the_image_has_a_python_that_the_project_supports() -> None:
    (image,) = dockerfile("FROM")
    needed = re.search(r'requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text())

    version = re.fullmatch(r"python:(\d+\.\d+)-slim", image)
    assert version and needed and version[1] in SpecifierSet(needed[1])


def test_the_image_installs_only_what_is_pinned() -> None:
    (install,) = [line for line in dockerfile("RUN") if "pip install" in line]

    assert "--require-hashes" in install and "requirements.lock" in install


def test_the_image_names_no_host() -> None:
    assert "://" not in (ROOT / "Dockerfile").read_text() and "/" not in dockerfile("FROM")[0]


def test_the_image_runs_a_command_that_exists_as_a_user() -> None:
    program, command, spider = json.loads(dockerfile("ENTRYPOINT")[0]) + json.loads(dockerfile("CMD")[0])

    assert program == "scrapy" and spider in GENERAL
    assert issubclass(load_object(f"crawler.commands.{command}.Command"), ScrapyCommand)
    assert dockerfile("USER") == ["crawler"]


def test_postgres_is_18_and_keeps_its_data() -> None:
    assert POSTGRES["image"] == "postgres:18"
    volume, _, place = POSTGRES["volumes"][0].partition(":")
    assert volume in COMPOSE["volumes"]
    assert place == "/var/lib/postgresql"  # since 18; a mount at .../data is refused by the image


def test_the_crawler_reaches_the_postgres_service() -> None:
    url = make_url(CRAWLER["environment"]["DATABASE_URL"])
    made = POSTGRES["environment"]

    assert driver_url(CRAWLER["environment"]["DATABASE_URL"]).host in COMPOSE["services"]
    assert (url.host, url.database, url.username) == ("postgres", made["POSTGRES_DB"], made["POSTGRES_USER"])


def test_the_crawler_waits_for_a_database_that_answers_over_tcp() -> None:
    made = POSTGRES["environment"]

    assert CRAWLER["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert POSTGRES["healthcheck"]["test"] == [
        "CMD",
        "pg_isready",
        "--host=127.0.0.1",
        f"--username={made['POSTGRES_USER']}",
        f"--dbname={made['POSTGRES_DB']}",
    ]


def test_there_is_no_password_but_the_users_own() -> None:
    given = [POSTGRES["environment"]["POSTGRES_PASSWORD"], CRAWLER["environment"]["PGPASSWORD"]]

    assert all(re.fullmatch(r"\$\{POSTGRES_PASSWORD:\?.*\}", value) for value in given)
    assert make_url(CRAWLER["environment"]["DATABASE_URL"]).password is None


def test_the_database_listens_on_this_machine_only() -> None:
    assert all(port.startswith("127.0.0.1:") for port in POSTGRES["ports"])


def test_the_seeds_can_be_edited_without_a_new_image() -> None:
    (seeds,) = CRAWLER["volumes"]
    here, there, mode = seeds.split(":")

    assert (ROOT / here).is_dir() and there == f"{dockerfile('WORKDIR')[0]}/seeds" and mode == "ro"


def test_a_crawl_that_ended_is_not_started_again() -> None:
    assert CRAWLER["restart"] == "no" and CRAWLER["init"] is True
