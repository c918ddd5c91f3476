"""The queue for people: what runs, then what waits, in its order; the slices of a re-extraction are one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from crawler.printing import print_table
from crawler.store import awaited, queue, slices
from crawler.store.queue import Running, Waiting
from crawler.text import one_line

Row = tuple[str, str, str, str, str, str]


def show_queue(connection: Connection, console: Console) -> None:
    waiting, running = queue.waiting(connection), queue.running(connection)
    counted, hosts = queue.counts(connection), awaited.hosts(connection)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("job", "task", "what", "state", "tries", "where, why"):
        table.add_column(name, justify="right" if name in ("job", "tries") else "left", overflow="fold")
    for row in (*map(_running, running), *_waiting(waiting)):
        table.add_row(*(Text(one_line(cell) or "") for cell in row))
    if table.row_count:
        print_table(console, table)
    jobs: list[Running | Waiting] = [*running, *waiting]
    for run in sorted({one.arguments["run"] for one in jobs if one.task == "reextract"}):
        extent = slices.extent(connection, run)
        said = f"re-extraction {run}: {extent.looked_at:,} of {extent.pages:,} pages, {extent.slices:,} slices to go"
        console.print(said)
    said = f"{counted['running']:,} running, {counted['due']:,} waiting, {counted['later']:,} for later"
    console.print(f"{said}; {alive(len(hosts))}")


def _running(one: Running) -> Row:
    where = f"{one.host} ({one.pid})" if one.alive else f"{one.host or 'a worker'}, which is gone"
    return (str(one.id), one.task, about(one.task, one.arguments), f"since {_at(one.since)}", _tries(one), where)


def _waiting(jobs: Iterable[Waiting]) -> Iterable[Row]:
    seen: set[Any] = set()
    for one in jobs:
        run = one.arguments.get("run") if "slice" in one.arguments else None
        if run is not None and not one.reason:
            if run in seen:
                continue
            seen.add(run)
            yield (f"run:{run}", one.task, f"run {run}, its slices", "waits", "", "")
            continue
        state = f"from {_at(one.due)}" if one.due > one.since else "waits"
        yield (str(one.id), one.task, about(one.task, one.arguments), state, _tries(one), one.reason or "")


def _tries(one: Running | Waiting) -> str:
    return str(one.attempts) if one.attempts else ""


def _at(at: datetime) -> str:
    return f"{at:%m-%d %H:%M:%S}"


def about(task: str, arguments: Mapping[str, Any]) -> str:
    """What a job is to do."""
    if task == "crawl":
        given = [f"{name}={value}" for name, value in sorted((arguments.get("arguments") or {}).items())]
        return " ".join([str(arguments.get("source")), *given])
    if task == "archive":
        return str(arguments.get("warc"))
    what = f"slice {arguments['slice']}" if "slice" in arguments else f"the changes of {arguments.get('apply')}"
    return f"run {arguments.get('run')}, {what}"


def alive(workers: int) -> str:
    """How many workers live."""
    if not workers:
        return "no worker is alive: start one with `scrapy worker`"
    return "1 worker is alive" if workers == 1 else f"{workers} workers are alive"
