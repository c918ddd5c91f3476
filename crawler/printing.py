"""How words get to their reader: a terminal has a width; elsewhere nothing is wrapped or cut, and a row is a line."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

UNBOUNDED = 1_000_000  # columns


def printer(*, stderr: bool = False) -> Console:
    """For standard output, or standard error. What it is given is data: no markup, no emoji, no colours by guess."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = UNBOUNDED
    return console


def print_table(console: Console, table: Table) -> None:
    """Elsewhere than on a terminal without the blanks that fill up the last column."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as drawn:
        console.print(table)
    for line in drawn.get().splitlines():
        console.file.write(f"{line.rstrip()}\n")
