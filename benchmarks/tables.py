"""What the figures look like in a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from rich.table import Table

from benchmarks.figures import Figure, Line, Run
from benchmarks.injection import STYLES
from benchmarks.systems import BASELINE, OURS, label
from benchmarks.trial import Outcome, own_share_lost, share_left, share_lost
from benchmarks.wordings import TAGS

MAX_ID = 40  # characters
FACETS: dict[str, Callable[[Outcome], str]] = {
    "language": lambda one: f"{one.case.appeal.language} ({one.case.appeal.tier})",
    "kind": lambda one: one.case.appeal.kind,
    "place": lambda one: one.case.place,
    "page": lambda one: "real" if one.case.host.real else "invented",
}


def main_table(lines: Sequence[Line], run: Run, names: Sequence[str]) -> Table:
    table = Table(title="How good", title_justify="left")
    table.add_column("figure")
    for name in names:
        table.add_column(label(name), justify="right")
        if name == BASELINE:
            table.add_column("target", justify="right")
            table.add_column("reached", justify="center")
    for line in lines:
        cells = [_cell(line, run.values[name]) for name in names]
        table.add_row(line.title, *cells[:2], _targets(line), _mark(line, run.values[OURS]), *cells[2:])
    return table


def _cell(line: Line, values: dict[str, float | None]) -> str:
    return " / ".join(_number(figure, values.get(figure.key)) for figure in line.figures)


def _number(figure: Figure, value: float | None) -> str:
    return "-" if value is None else format(value, figure.form)


def _targets(line: Line) -> str:
    return " / ".join(("≥ " if f.up else "< " if f.strict else "≤ ") + format(f.target, f.form) for f in line.figures)


def _mark(line: Line, values: dict[str, float | None]) -> str:
    found = [(figure, values.get(figure.key)) for figure in line.figures]
    good = [value is not None and figure.reached(value) for figure, value in found]
    return "[green]yes[/]" if all(good) else "[red]no[/]" if not any(good) else "[yellow]in part[/]"


def rate_tables(run: Run) -> Iterator[Table]:
    """Shares of our own extraction, style by style: by language, kind, place, sort of page and tag."""
    outcomes = run.outcomes.get(OURS, [])
    for facet, value_of in FACETS.items() if outcomes else ():
        table = Table("", *STYLES, "own words lost", title=f"Injected blocks left, by {facet}", title_justify="left")
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            groups[value_of(outcome)].append(outcome)
        for value, group in sorted(groups.items()):
            shares = [share_left(one for one in group if one.case.style == style) for style in STYLES]
            table.add_row(value, *map(_share, shares), _share(own_share_lost(group)))
        yield table
    if outcomes:
        yield _tag_table(outcomes)
    if run.kept.get(OURS):
        yield _reporting_table(run)


def _tag_table(outcomes: Sequence[Outcome]) -> Table:
    """Labels beside paragraphs: the tag is the one that a block has where it is laid out (bare ones are all alike)."""
    table = Table("", *STYLES, title="Injected blocks left, by tag", title_justify="left")
    for tag in TAGS:
        row = []
        for style in STYLES:
            pairs = [zip(one.case.appeal.blocks, one.left, strict=True) for one in outcomes if one.case.style == style]
            found = [there for pair in pairs for block, there in pair if block.tag == tag]
            row.append(_share(sum(found) / len(found) if found else None))
        table.add_row(tag, *row)
    return table


def _reporting_table(run: Run) -> Table:
    table = Table("", "alone", "above a letter", "paragraphs", title="Reporting lost", title_justify="left")
    kept = run.kept[OURS]
    values = sorted({one.language for one in kept}) + sorted({one.text.tag for one in kept})
    for value in values:
        group = [one for one in kept if value in (one.language, one.text.tag)]
        sides = [share_lost(one for one in group if one.beside_appeal is beside) for beside in (False, True)]
        table.add_row(value, *map(_share, sides), str(len(group) // 2))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def worst_table(run: Run, most: int, reveal: bool) -> Table:
    """Cases with the most blocks left, then reporting that was lost; wordings only on demand."""
    wording = ["wording"] if reveal else []
    table = Table("language", "kind", "style", "place", "left", "own lost", "page", *wording, title="Worst cases")
    outcomes = [one for one in run.outcomes.get(OURS, []) if any(one.left) or one.own_lost]
    outcomes.sort(key=lambda one: (-sum(one.left), -one.own_lost))
    for one in outcomes[:most]:
        pairs = zip(one.case.appeal.blocks, one.left, strict=True)
        texts = ["\n".join(block.text for block, there in pairs if there)] if reveal else []
        what = (one.case.appeal.language, one.case.appeal.kind, one.case.style, one.case.place)
        left = f"{sum(one.left)} of {len(one.left)}"
        table.add_row(*what, left, str(one.own_lost), one.case.host.id[:MAX_ID], *texts)
    for lost in [one for one in run.kept.get(OURS, []) if one.lost][:most]:
        texts = [lost.text.text] if reveal else []
        style = "above a letter" if lost.beside_appeal else "alone"
        table.add_row(lost.language, f"reporting: {lost.text.tag}", style, "", "", "lost", "", *texts)
    return table
