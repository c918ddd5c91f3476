"""Dockerfile, docker-compose.yml, deploy/ and systemd's units fit each other and this tree; no image is built here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from scrapy.commands import ScrapyCommand
from scrapy.utils.misc import load_object
from sqlalchemy import make_url

from crawler import settings
from crawler.jobs.metrics import HEALTH
from crawler.spiders.loader import GENERAL
from crawler.store.engine import driver_url

ROOT = Path(__file__).resolve().parent.parent
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("scheduler", "worker", "crawler")
POSTGRES: dict[str, Any] = SERVICES["postgres"]
CRAWLER: dict[str, Any] = SERVICES["crawler"]
DEPLOY = ROOT / "deploy"


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
    [
        ".env",
        "secrets/postgres",
        ".data/password",
        ".git/config",
        ".venv/bin/python",
        "tests/test_compose.py",
        "crawler/__pycache__/x",
    ],
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

    assert "--require-hashes" in install and all(name in install for name in copied() if name.endswith(".lock"))


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


@pytest.mark.parametrize("service", OURS)
def test_all_of_ours_reach_the_postgres_service_with_its_password(service: str) -> None:
    given, made = SERVICES[service]["environment"], POSTGRES["environment"]
    url = make_url(given["DATABASE_URL"])

    assert driver_url(given["DATABASE_URL"]).host in SERVICES
    assert (url.host, url.database, url.username) == ("postgres", made["POSTGRES_DB"], made["POSTGRES_USER"])
    assert given["DATABASE_PASSWORD_FILE"] == made["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres"
    assert SERVICES[service]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_what_the_environment_sets_can_be_set_in_dot_env() -> None:
    """Or has its place in the file; a variable that no service is given would be ignored without a word."""
    source = (ROOT / "crawler/settings.py").read_text()
    read = set(re.findall(r"""(?:_whole|_secret|_is_yes|environ\.get)\("([A-Z_]+)\"""", source))
    fixed = {"CRAWLER_DATA_DIR", "DATABASE_PASSWORD_FILE", "DATABASE_URL", "LOG_JSON", "METRICS_HOST", "METRICS_PORT"}
    fixed |= {"CHROMIUM", "SEEDS_DIR", "WORKER_GRACE"}
    given = set(re.findall(r"\$\{([A-Z_]+):-", (ROOT / "docker-compose.yml").read_text()))

    assert {name for name in read - fixed if name not in given and f"{name}_FILE" not in given} == set()
    own = {"GRAFANA_PORT", "POSTGRES_MEMORY", "POSTGRES_PORT", "SSL_CERT_FILE", "WORKER_MEMORY"}
    assert {name.removesuffix("_FILE") for name in given - own} <= read


def test_a_database_that_answers_over_tcp_is_healthy() -> None:
    made = POSTGRES["environment"]

    assert POSTGRES["healthcheck"]["test"] == [
        "CMD",
        "pg_isready",
        "--host=127.0.0.1",
        f"--username={made['POSTGRES_USER']}",
        f"--dbname={made['POSTGRES_DB']}",
    ]


def test_there_is_no_password_but_in_files_that_git_does_not_take() -> None:
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}

    assert used == COMPOSE["secrets"].keys()
    assert all(one["file"] == f"./secrets/{name}" for name, one in COMPOSE["secrets"].items())
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not re.search(r"(?i)password(?!_+file)", (ROOT / "docker-compose.yml").read_text())


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_may_do_as_little_as_it_can(service: str) -> None:
    made = SERVICES[service]

    assert made["read_only"] is True and made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["mem_limit"] and made["logging"]["options"]["max-size"]
    assert "build" in made or re.fullmatch(r"[a-z/]+:v?\d+[\d.]*", made["image"])
    assert service == "crawler" or made["restart"] == "unless-stopped"


def test_nothing_listens_but_on_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


def test_the_seeds_can_be_edited_without_a_new_image() -> None:
    for service in OURS:
        seeds, *others = SERVICES[service]["volumes"]
        assert not others or others == ["./secrets/alerts:/run/alerts:ro"]
        here, there, mode = seeds.split(":")
        assert (ROOT / here).is_dir() and there == f"{dockerfile('WORKDIR')[0]}/seeds" and mode == "ro"


def test_a_crawl_that_ended_is_not_started_again() -> None:
    assert CRAWLER["restart"] == "no" and CRAWLER["init"] is True and CRAWLER["profiles"]


def test_a_worker_has_the_time_it_is_promised() -> None:
    worker = SERVICES["worker"]

    grace = int(worker["environment"]["WORKER_GRACE"])
    assert grace < int(worker["stop_grace_period"].removesuffix("s"))


def test_prometheus_scrapes_what_workers_and_schedulers_serve() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]

    for service in found["names"]:
        given = SERVICES[service]["environment"]
        assert given["METRICS_PORT"] == str(found["port"]) and given["METRICS_HOST"] == "0.0.0.0"
        assert f":{found['port']}{HEALTH}" in SERVICES[service]["healthcheck"]["test"][-1]
        assert hasattr(settings, "METRICS_PORT") and hasattr(settings, "METRICS_HOST")


@pytest.mark.parametrize("service", ["prometheus", "grafana"])
def test_what_is_mounted_is_there(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        here = volume.split(":")[0]
        assert (ROOT / here).exists() if here.startswith("./") else here in COMPOSE["volumes"]


def test_the_password_of_a_file_is_put_into_the_url(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("a/b@c:%é\nnot this\n")
    environment = {
        "DATABASE_PASSWORD_FILE": str(tmp_path / "password"),
        "DATABASE_URL": "postgresql://me@there:5433/news",
        "PATH": "",
    }
    told = "import crawler.settings as s; print(ascii(s.DATABASE_URL))"

    def url() -> str:
        done = subprocess.run(
            [sys.executable, "-c", told], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        return done.stdout.strip().strip("'") or done.stderr.strip()

    made = make_url(url())
    assert (made.username, made.password, made.host, made.port) == ("me", "a/b@c:%é", "there", 5433)
    (tmp_path / "url").write_text("postgresql://there/news\n")
    del environment["DATABASE_URL"]
    environment["DATABASE_URL_FILE"] = str(tmp_path / "url")
    assert make_url(url()).password == "a/b@c:%é"
    environment["DATABASE_PASSWORD_FILE"] = "/not/there"
    assert url() == "DATABASE_PASSWORD_FILE=/not/there: No such file or directory"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units_and_finds_them_safe(tmp_path: Path) -> None:
    names = {"news-crawler-worker@.service": "news-crawler-worker@1.service"}
    units = []
    for unit in (DEPLOY / "systemd").glob("*.service"):
        units.append(tmp_path / names.get(unit.name, unit.name))
        program = f"ExecStart={shutil.which('true')}"  # not /opt's, which is not there
        units[-1].write_text(re.sub(r"ExecStart=/opt/news-crawler/.venv/bin/scrapy", program, unit.read_text()))
    assert len(units) == 2

    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    for unit in units:
        judged = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", str(unit)]  # of 100
        assert subprocess.run(judged, capture_output=True).returncode == 0
