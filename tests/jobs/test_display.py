"""What a person sees of a worker, at the width of a terminal."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from crawler.jobs.board import Board
from crawler.jobs.display import Display, span, when
from crawler.store.overview import Due, Overview, Today
from crawler.store.queue import Failure

VIEW = Overview(
    waiting=3,
    later=1,
    running=2,
    due=(Due(source="herald", seconds=200, why="cron */5 * * * *"), Due(source="kurier", seconds=-3, why=None)),
    failures=(
        Failure(
            job_id=7,
            task="crawl",
            source="courrier",
            at=datetime(2026, 11, 26, tzinfo=UTC),
            kind="failed",
            reason="host_died: signal 9, and more is told of it than any terminal has room for in one of its lines",
            status="todo",
        ),
    ),
    today=Today(crawls=12, failed=1, stored=340, updated=5, fetched=400),
)


async def never(_: Any) -> Any:
    raise AssertionError("nobody looks")


def shown(width: int) -> list[str]:
    board = Board()
    board.begin(1, "crawl", "herald").stats |= {"news/herald/fetched": 12, "news/herald/stored": 11, "crawl_id": 5}
    board.begin(2, "reextract", "reextract")
    board.begin(3, "archive", "a[b].warc")
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    display = Display(board, 8, console, never, lambda: None)
    display._seen, display._waiting = VIEW, VIEW.waiting
    with console.capture() as captured:
        console.print(display.picture())
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_what_runs_what_is_due_and_what_failed(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for wanted in (
        "3 of 8 jobs, 3 waiting, 12 pages",
        "archive a[b].warc",
        "today    12 crawls (1 failed), 400 pages, 340 new articles, 5 changed",
        "queue    3 waiting, 1 later, 2 running",
        "next     herald in 3 min (cron */5 * * * *)",
        "         kurier now",
        "failed   courrier: host_died: signal 9",
    ):
        assert wanted in text
    assert [line.split()[0] for line in lines if line.startswith(("herald", "reextract"))] == ["herald", "reextract"]


def test_a_look_that_fails_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.jobs.display.LOG_EVERY", 0.0)
    answers = [RuntimeError("no such column"), {"due": 5}, RuntimeError("no such table")]
    waiting: list[int | None] = []

    async def run() -> None:
        async def reading(_: Any) -> Any:
            waiting.append(display._waiting)
            if not answers:
                over.set_result(None)
                await asyncio.sleep(3600)
            if isinstance(answer := answers.pop(0), Exception):
                raise answer
            return answer

        over = asyncio.get_running_loop().create_future()
        display = Display(Board(), 8, Console(file=io.StringIO()), reading, lambda: None)
        looking = asyncio.ensure_future(display._look())
        await asyncio.wait([over, looking], return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()

    asyncio.run(run())
    assert waiting == [None, None, 5, None], "and what was seen before is not shown as if it were of now"


def test_spans() -> None:
    assert [span(5), span(65), span(7_384)] == ["0:05", "1:05", "2:03:04"]
    assert [when(0), when(59), when(60), when(7_200), when(200_000)] == [
        "now",
        "in 59 s",
        "in 1 min",
        "in 2 h",
        "in 2 d",
    ]
