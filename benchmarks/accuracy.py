"""How good is the extraction? The whole table in one run, with trafilatura and the peers that are installed.

    python -m benchmarks.accuracy [--data-root ../shared/data]       the table, under 3 minutes
    python -m benchmarks.accuracy --only bare,short --rates          some lines, and shares by language, kind, place
    python -m benchmarks.accuracy --only bare --show 20              the worst cases, without their wording

The corpora are read by path and nothing of them is kept. The appeals and the reporting (benchmarks/appeals,
benchmarks/reporting) were written apart from the rules: who writes rules reads the shares, never the wordings.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from benchmarks import figures
from benchmarks.corpora import MissingData
from benchmarks.systems import BASELINE, OURS, installed
from benchmarks.tables import main_table, rate_tables, worst_table

DATA = Path("../shared/data")


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, default=DATA, help="folder with the clones of the corpora")
    parser.add_argument("--only", default="", help="lines, by comma: " + ", ".join(line.name for line in figures.LINES))
    parser.add_argument("--json", type=Path, help="write the figures and shares to this file")
    parser.add_argument("--rates", action="store_true", help="shares left by language, kind, style, place")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="the N worst cases, without their wording")
    parser.add_argument(
        "--reveal", action="store_true", help="with --show: the wordings too (not for who writes rules)"
    )
    parser.add_argument("--no-peers", action="store_true", help="only ours and trafilatura")
    parsed = parser.parse_args(arguments)
    known = {line.name for line in figures.LINES}
    if unknown := set(filter(None, parsed.only.split(","))) - known:
        parser.error(f"no line is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return parsed


def main(arguments: list[str] | None = None) -> None:
    chosen = options(arguments)
    extractors, missing = installed()
    if chosen.no_peers:
        extractors, missing = {name: extractors[name] for name in (OURS, BASELINE)}, []
    lines = [line for line in figures.LINES if not chosen.only or line.name in chosen.only.split(",")]
    started = time.perf_counter()
    try:
        with _quiet(), _progress() as progress:
            run = figures.measure(lines, extractors, chosen.data_root, progress)
    except MissingData as error:
        raise SystemExit(f"accuracy: {error}") from None
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(main_table(lines, run, list(extractors)))
    if missing:
        console.print(f"Not installed, so not compared: {', '.join(missing)}.", style="dim")
    for table in rate_tables(run) if chosen.rates else ():
        console.print(table)
    if chosen.show:
        console.print(worst_table(run, chosen.show, chosen.reveal))
    console.print(f"{time.perf_counter() - started:.0f} s", style="dim")
    if chosen.json:
        chosen.json.write_text(json.dumps(run.as_json(), ensure_ascii=False, indent=1), encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """What the libraries log and warn of while they read strange pages is not the table."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    main()
