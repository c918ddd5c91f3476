"""`scrapy enqueue`: checked, queued, shown, taken back; workers share slices and files, and say what they cannot do."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archives import stories, write
from tests.runs import Bench, cloned, until
from tests.site import Newspaper
from tests.test_reextract import COPIES, HERALD, TAMPERED, Story

QUICK = ("-s", "WORKER_BEAT=0.5", "-s", "EXTRACTION_WORKERS=2", "-s", "LOG_LEVEL=INFO")
STATES = "SELECT CAST(status AS text), count(*) FROM procrastinate.procrastinate_jobs WHERE task_name = %s GROUP BY 1"

REASON = """
SELECT reason FROM job_failures JOIN procrastinate.procrastinate_jobs AS jobs ON jobs.id = job_id
WHERE task_name = %s AND kind = 'failed'
"""


@pytest.fixture(scope="module")
def story(server_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A newspaper that is stored, with 250 articles whose headlines an earlier version of the rules had found."""
    room = tmp_path_factory.mktemp("enqueue")
    with cloned(server_url, template) as url, Newspaper() as paper:
        paper.write_seeds(room / "seeds")
        story = Story(Bench(seeds=room / "seeds", data_dir=room / "data", database_url=url), paper)
        assert story.bench.crawl(HERALD).status == 0
        story.execute(COPIES, id=story.id(TAMPERED))
        yield story


@contextlib.contextmanager
def worker(bench: Bench) -> Iterator[None]:
    """`scrapy worker`, with two hosts."""
    with bench.start("worker", "--processes", "2", "--crawls", "4", *QUICK) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            print(process.communicate(timeout=60)[1])


def states(bench: Bench, task: str) -> dict[str, int]:
    return {row["status"]: row["count"] for row in bench.rows(STATES, task)}


DISABLED = "courrier_exemple"
WRONG = {
    ("crawl", "exampel_herald"): "There is no source 'exampel_herald'",
    ("crawl", HERALD, "-a", "sinse=2026"): "knows no argument 'sinse'",
    ("archive", "-a", "warc=/nowhere/*.warc.gz"): "-a warc=/nowhere/*.warc.gz names no file",
    ("reextract", "--source", "gazette"): "gazette",
    ("crawl", HERALD, "--at", "someday"): "--at someday is no time",
    ("crawl", HERALD, "--at", "+999999999d"): "--at +999999999d is too far away",
    ("crawl", "beispiel_kurier", DISABLED): f"{DISABLED} is disabled (they asked)",
    ("--cancel", "all"): "--cancel all: write 17, 20-29 or run:3",
}


def test_what_cannot_be_done_is_not_queued(story: Story) -> None:
    story.execute(f"""INSERT INTO sources (id, name, homepage, seed, disabled_at, disabled_why)
                      VALUES ('{DISABLED}', 'C', 'https://c.example/', '{{}}', now(), 'they asked')""")
    outcomes = story.bench.each(*(["enqueue", *arguments] for arguments in WRONG))
    for outcome, words in zip(outcomes, WRONG.values(), strict=True):
        assert (outcome.status, len(outcome.lines)) == (1, 1), outcome.err
        assert outcome.err.startswith("scrapy enqueue: ") and words in outcome.err
    assert "did you mean example_herald?" in outcomes[0].err
    assert story.bench.value("SELECT count(*) FROM procrastinate.procrastinate_jobs") == 0


def test_what_waits_is_told_and_can_be_taken_back(story: Story) -> None:
    bench = story.bench
    first = bench.scrapy("enqueue", "crawl", HERALD, "beispiel_kurier")
    assert first.status == 0 and f"2 jobs, 1 to 2: {HERALD}, beispiel_kurier" in first.err
    assert first.out == "1\n2\n"
    assert first.lines[-1] == "no worker is alive: start one with `scrapy worker`"
    later = bench.scrapy("enqueue", "crawl", HERALD, "-a", "archives=1", "--at", "+1d", "--json")
    again = bench.scrapy("enqueue", "crawl", HERALD)  # only then: it draws a number, too
    assert again.out == "1\n"  # whose job waited already
    told = json.loads(later.out)
    number = told["jobs"][0].pop("id")  # 3 or 4: the other one drew one, too
    job = {"task": "crawl", "what": f"{HERALD} archives=1", "status": "todo", "in_vain": False, "reason": None}
    assert told == {"jobs": [job], "run": None, "workers_alive": 0}
    assert f"waiting already, and goes first now: {HERALD}" in again.lines
    assert later.err.startswith("queued, not before ")
    shown, plain = bench.each(["enqueue", "--list"], ["enqueue", "--list", "--json"])
    assert [one["id"] for one in json.loads(plain.out)["waiting"]] == [1, 2, number]
    assert "0 running, 2 waiting, 1 for later" in shown.out and f"{HERALD} archives=1" in shown.out
    assert bench.value("SELECT count(*) FROM sources WHERE id = 'beispiel_kurier' AND seeded_at IS NOT NULL") == 1
    taken = bench.scrapy("enqueue", "--cancel", "1-9")
    assert (taken.status, states(bench, "crawl")) == (0, {"cancelled": 3}), taken.err


def test_workers_share_a_reextraction_and_apply_it(story: Story, tmp_path: Path) -> None:
    bench, asked = story.bench, ("reextract", "--source", HERALD, "--apply", "-s", "REEXTRACTION_SLICE=40")
    queued = bench.scrapy("enqueue", *asked)
    assert queued.status == 0 and "queued: 7 jobs" in queued.err, queued.err
    run = bench.value("SELECT max(id) FROM reextractions")
    for number, path in enumerate((tmp_path / "a.warc.gz", tmp_path / "b.warc.gz")):
        write(path, stories(range(number * 5, number * 5 + 5)))
    gone = tmp_path / "b.warc.gz"
    archives = bench.scrapy("enqueue", "archive", "-a", f"warc={tmp_path}/*.warc.gz")
    assert archives.status == 0 and "2 jobs" in archives.err, archives.err
    gone.unlink()
    with worker(bench):
        waited = bench.scrapy("enqueue", *asked, "--wait")
        assert (waited.status, waited.lines[-1]) == (0, "all done"), waited.err
        assert states(bench, "reextract") == {"succeeded": 8}
        assert bench.value("SELECT count(*) FROM articles WHERE headline = 'An earlier headline'") == 0
        (row,) = bench.rows("SELECT * FROM reextractions WHERE id = %s", run)
        assert row["applied_at"] and (row["applied"], row["revised"]) == (250, 250)
        until(lambda: states(bench, "archive") == {"succeeded": 1, "failed": 1})
        reason = bench.value(REASON, "archive")
        assert reason.startswith("nowhere: ") and str(gone) in reason and socket.gethostname() in reason
        assert bench.value("SELECT stored FROM archives WHERE finished_at IS NOT NULL") == 5
        none, torn = tmp_path / "none.warc.gz", tmp_path / "torn.warc.gz"
        none.write_text("no archive")
        write(torn, stories(range(20, 25)))
        torn.write_bytes(torn.read_bytes()[:-50])
        waited = bench.scrapy("enqueue", "archive", "-a", f"warc={tmp_path}/[nt]*.warc.gz", "--wait", "--json")
        assert Counter(one["status"] for one in json.loads(waited.out)["jobs"]) == {"failed": 1, "succeeded": 1}
        assert waited.status == 1 and f"unreadable: no_warc: {none}" in waited.err, waited.err
        assert "done as far as it goes" in waited.err and str(torn) in waited.err
    told = json.loads(bench.scrapy("reextract", "--source", HERALD, "--dry-run", "--json").out)
    assert told["total"]["changed"] == 0
    checked = bench.scrapy("db", "check")
    assert checked.status == 0, checked.out
