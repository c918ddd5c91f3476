"""An inspection in a terminal: two columns where there is room, else one with marks; whole lines when it is piped.

A colour never says anything that a word beside it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.items import Block
from crawler.web.inspection import Inspection, Row, field_rows, image_rows, origin_rows, shown, verdict_rows
from crawler.web.ledger import Line, Sum, ledger, sums
from crawler.web.posts import post_titles
from crawler.web.reasons import COLOURS, family, gloss
from crawler.web.rule_book import note_of

WIDE = 120  # columns from which kept and dropped stand side by side
KEPT, DROPPED, DIFFERS = "✓", "✗", "≠"
KINDS = {"heading": "# ", "quote": "> ", "list": "• ", "table": "| ", "caption": "[caption] ", "embed": "[embed] "}


def show(inspection: Inspection, console: Console) -> None:
    """Fields, verdicts, blocks, sums."""
    lines = ledger(inspection)
    _print_rows([*origin_rows(inspection), *verdict_rows(inspection)], console)
    console.print()
    _print_rows([*field_rows(inspection), *image_rows(inspection.seen)], console)
    console.print()
    if console.is_terminal and console.width >= WIDE:
        console.print(_side_by_side(inspection, lines))
    else:
        _print_lines(inspection, lines, console)
    console.print()
    _print_sums(inspection, lines, console)


def _print_rows(rows: Sequence[Row], console: Console) -> None:
    """As a table; piped, a row is one line however long it is."""
    if not console.is_terminal:
        for row in rows:
            console.print(Text(f"{row.name:<15} ") + _row_text(row), soft_wrap=True)
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for row in rows:
        table.add_row(Text(row.name, style="bold"), _row_text(row))
    console.print(table)


def _row_text(row: Row) -> Text:
    text = Text(row.value)
    for part in (row.note and f"({row.note})", row.evidence and f"[{row.evidence}]", row.raw and f"from {row.raw!r}"):
        if part:
            text.append(f"  {part}", style="bold" if row.warning and part.startswith("(") else "dim")
    if row.warning:
        text.append(f"  {DIFFERS} what is seen differs from the claim", style="bold")
    if row.changed:
        text.append(f"  {DIFFERS} today: {row.today}", style="bold")
    return text


def _side_by_side(inspection: Inspection, lines: Sequence[Line]) -> Table:
    posts = post_titles(inspection.seen, lines)
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("", justify="right", style="dim", no_wrap=True)
    table.add_column(f"{KEPT} kept", ratio=1)
    table.add_column(f"{DROPPED} dropped", ratio=1)
    for line in lines:
        if line.number in posts:
            table.add_row("", Text(posts[line.number], style="bold underline"), "")
        text = _whole(line, inspection, between="\n")
        table.add_row(str(line.number), text if line.block.kept else "", "" if line.block.kept else text)
    return table


def _print_lines(inspection: Inspection, lines: Sequence[Line], console: Console) -> None:
    posts = post_titles(inspection.seen, lines)
    for line in lines:
        if line.number in posts:
            console.print(Text(f"-- {posts[line.number]}", style="bold"), soft_wrap=not console.is_terminal)
        mark = KEPT if line.block.kept else DROPPED
        text = Text(f"{mark} {line.number:>3}  ", style="bold" if line.block.kept else _colour(line.block.reason))
        text.append_text(_whole(line, inspection))
        console.print(text, soft_wrap=not console.is_terminal)


def _whole(line: Line, inspection: Inspection, between: str = "  ") -> Text:
    """A block's text with its mark, what dropped it, its score, and what today's reading makes of it."""
    block, text = line.block, Text()
    if not block.kept:
        text.append(block.reason or "unknown", style=_colour(block.reason))
        text.append(f" · {_why(block, inspection)}", style="dim").append(between)
    text.append(KINDS.get(block.kind, "") + shown(block.text), style="bold" if block.kind == "heading" else "")
    if block.kept and block.score is not None:
        text.append(f"  {block.score:.2f}", style="dim")
    if line.change:
        text.append(f"  {DIFFERS} {line.change_words}", style="bold")
    return text


def _why(block: Block, inspection: Inspection) -> str:
    note = note_of(block.rule, inspection.source) if block.rule else None
    parts = [note.id if note else "no rule", note.words if note and note.kind else ""]
    parts += [f"score {block.score:.2f}" if block.score is not None else ""]
    return " · ".join(part for part in parts if part)


def _print_sums(inspection: Inspection, lines: Sequence[Line], console: Console) -> None:
    console.print(f"{'':<15} {'blocks':>6} {'words':>7}  rules", style="dim")
    for one in sums(lines):
        text = Text(f"{one.reason or 'kept':<15}", style=_colour(one.reason) if one.reason else "bold")
        text.append(f" {one.blocks:>6,} {one.words:>7,}  ", style="not bold default")
        console.print(text + _rules(one), soft_wrap=not console.is_terminal)
    if inspection.today is not None:
        console.print(f"blocks that today's reading changes: {sum(bool(line.change) for line in lines)}", style="bold")


def _rules(one: Sum) -> Text:
    text = Text(", ".join(f"{rule} ×{blocks}" for rule, blocks in one.rules.items() if rule))
    if one.reason and (meaning := gloss(one.reason)):
        text.append(f"  ({meaning})", style="dim")
    return text


def _colour(reason: str | None) -> str:
    return f"bold {COLOURS[family(reason)]}"
