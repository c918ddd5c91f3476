"""LOG_JSON: every line of standard error is an object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crawler import tally
from tests.runs import PROJECT, Bench, Outcome
from tests.site import Newspaper

TROUBLE = """
import logging, sys, threading, warnings
from crawler import json_log
json_log.install("INFO", sys.argv[1])
logging.warning("to the file")
json_log.install("INFO")
json_log.install("INFO")
json_log.tell(crawl=17, source=None)
log = logging.getLogger("a.library")
log.info("two\\nlines, é \\ud800")
log.info("%d is no number", "this")
log.debug("too much")
warnings.warn("old and tired", DeprecationWarning, stacklevel=1)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it failed")
print("printed", file=sys.stderr)
print('{"time": "", "level": "INFO", "logger": "", "message": "a child"}', file=sys.stderr)
thread = threading.Thread(target=lambda: [][0])
thread.start()
thread.join()
raise SystemError("the end")
"""


def objects(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    assert all(list(one)[:4] == ["time", "level", "logger", "message"] for one in found)
    return found


def test_whatever_is_said_is_one_object_a_line(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "default", "-c", TROUBLE, str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)
    lines = objects(done.stderr)

    assert [one["message"].split(":")[0] for one in lines] == [
        "two\nlines, é \ud800",
        "%d is no number ('this',)",
        "<string>",
        "it failed",
        "printed",
        "a child",
        "IndexError",
        "SystemError",
    ]
    levels = ["INFO", "INFO", "WARNING", "ERROR", "ERROR", "INFO", "CRITICAL", "CRITICAL"]
    assert [one["level"] for one in lines] == levels
    assert "ZeroDivisionError" in lines[3]["exception"] and "SystemError" in lines[7]["exception"]
    assert lines[0]["crawl"] == 17 and "source" not in lines[0]
    assert [one["message"] for one in objects((tmp_path / "log").read_text())] == ["to the file"]
    assert done.returncode == 1


@pytest.fixture(scope="module")
def paper() -> Any:
    with Newspaper() as paper:
        yield paper


def test_a_crawl_and_what_it_timed(database_url: str, tmp_path: Path, paper: Newspaper) -> None:
    bench = Bench(seeds=tmp_path / "seeds", data_dir=tmp_path / "data", database_url=database_url)
    paper.write_seeds(bench.seeds)
    done: Outcome = bench.crawl("example_herald", "-s", "LOG_JSON=1", "-L", "INFO")
    lines = objects(done.err)

    (row,) = bench.rows("SELECT id, stats FROM crawls")
    assert done.status == 0 and done.out == ""
    of_the_crawl = [one for one in lines if one.get("crawl") == row["id"]]
    assert {one["source"] for one in of_the_crawl} == {"example_herald"}
    assert lines[-1]["message"].startswith("finished in ") and lines[-1]["spider"] == "example_herald"
    assert not {"scrapy.middleware", "scrapy.addons"} & {one["logger"] for one in lines}
    for what in ("extraction", "download"):
        buckets, seconds = tally.times(row["stats"], what)
        assert buckets[-1][1] >= row["stats"]["news/outcome/article"] and seconds > 0


def test_an_error_of_a_command_is_one_object(tmp_path: Path) -> None:
    bench = Bench(seeds=tmp_path, data_dir=tmp_path / "data", more={"LOG_JSON": "1"})
    done = bench.scrapy("crawl", "nobody")

    (line,) = objects(done.err)
    assert "nobody" in line["message"] and line["level"] == "ERROR" and done.status == 1
