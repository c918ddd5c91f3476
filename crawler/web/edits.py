"""The edits of an article in a terminal, word by word; line by line when they are piped; as JSON's types.

A colour never says anything that a sign beside it does not: removed words are struck out, added ones underlined.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.editions import Change
from crawler.editions.paragraphs import alike, words
from crawler.store.reading import StoredArticle, StoredEdit

BEFORE, AFTER, MOVED, CHANGED = "-", "+", ">", "~"
GONE, CAME = "red strike", "bold green underline"
COLOURS = {BEFORE: "red", AFTER: "green", MOVED: "cyan", CHANGED: "yellow"}
WORDED = frozenset(("headline", "body", "authors"))  # fields that are compared word by word
MIN_GAP = 2  # words that stayed between two that did not, with fewer of them all are shown as one change
_TOKEN = re.compile(r"(?:[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+|[^\w\s])\s*|\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line of what is shown. `change` is None for paragraphs that stayed as they were: `number` says how many."""

    change: Change | None = None
    number: int = 0


def lines(edit: StoredEdit) -> Iterator[Line]:
    """The changes in their order; between paragraphs that changed, how many did not."""
    reached = 0
    of_body = [change for change in edit.changes if change.field == "body"]
    yield from (Line(change=change) for change in edit.changes if change.field != "body")
    for change, place in zip(of_body, _places(edit, of_body), strict=True):
        if place > reached:
            yield Line(number=place - reached)
        yield Line(change=change)
        reached = max(reached, place + (change.to is not None))
    if of_body and len(edit.after) > reached:
        yield Line(number=len(edit.after) - reached)


def _places(edit: StoredEdit, changes: Sequence[Change]) -> Iterator[int]:
    """Where in the text after each change is; what was removed, where it would be."""
    gone, come = {change.at for change in changes}, {change.to for change in changes}
    stayed = [at for at in range(len(edit.before)) if at not in gone]
    stays = [to for to in range(len(edit.after)) if to not in come]
    for change in changes:
        if change.to is not None:
            yield change.to
        else:
            earlier = min(bisect_left(stayed, change.at or 0), len(stays))
            yield stays[earlier - 1] + 1 if earlier else 0


def show(stored: StoredArticle, edits: Sequence[StoredEdit], console: Console) -> None:
    """Every edit, the oldest first."""
    if not edits:
        never = f"article {stored.id} was never changed since {_time(stored.stored_at)}: {stored.article.url}"
        console.print(Text(never), soft_wrap=True)
        return
    console.print(Text(stored.article.headline or "", style="bold"), soft_wrap=not console.is_terminal)
    about = f"article {stored.id}  {stored.article.url}  stored {_time(stored.stored_at)}"
    console.print(Text(about, style="dim"), soft_wrap=True)
    for edit in edits:
        if console.is_terminal:
            console.print()
        console.print(_title(edit), soft_wrap=not console.is_terminal)
        if console.is_terminal:
            console.print(_table(edit))
        else:
            for line in lines(edit):
                for text in _piped(line, edit):
                    console.print(Text(text), soft_wrap=True)


def _title(edit: StoredEdit) -> Text:
    title = Text(f"{edit.revision} → {edit.revision + 1}", style="bold")
    title.append(f"  {_time(edit.replaced_at)}  ", style="not bold")
    title.append("publisher" if edit.cause == "publisher" else "our rules", style="not bold cyan")
    return title.append(f"  {', '.join(edit.changed)}", style="bold")


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _unchanged(number: int) -> str:
    return f"{number} paragraph{'' if number == 1 else 's'} unchanged"


# -- in a terminal ---------------------------------------------------------------------------------------------------


def _table(edit: StoredEdit) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines(edit):
        if line.change is None:
            table.add_row("", "", Text(f"… {_unchanged(line.number)}", style="dim"))
            continue
        for mark, text in _rows(line.change):
            table.add_row(Text(mark, style=COLOURS[mark]), _number(line.change, mark), _noted(text, line.change, edit))
    return table


def _number(change: Change, mark: str) -> str:
    place = change.at if mark == BEFORE else change.to
    return "" if place is None else str(1 + place)


def _rows(change: Change) -> Iterator[tuple[str, Text]]:
    before, after = change.before, change.after
    if change.change == "moved":
        yield MOVED, Text(after or "")
    elif before is not None and after is not None and change.field in WORDED and alike(words(before), words(after)):
        yield CHANGED, highlighted(before, after)
    else:
        if before is not None:
            yield BEFORE, Text(before, style="red")
        if after is not None:
            yield AFTER, Text(after, style="green")


def _noted(text: Text, change: Change, edit: StoredEdit) -> Text:
    """With what else is to be said of it in front."""
    field, note = "" if change.field == "body" else f"{change.field}  ", _note(change, edit)
    return Text.assemble((field, "dim"), (f"{note} " if note else "", "cyan"), text)


def highlighted(before: str, after: str) -> Text:
    """One text in which removed words are struck out and added ones underlined."""
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    text = Text()
    for i, i_end, j, j_end in _runs(old, new):
        if old[i:i_end] == new[j:j_end]:
            text.append("".join(new[j:j_end]))
            continue
        gone, came = "".join(old[i:i_end]), "".join(new[j:j_end])
        text.append(gone.rstrip(), style=GONE).append(gone[len(gone.rstrip()) :] if came else "")
        text.append(came.rstrip(), style=CAME).append(came[len(came.rstrip()) :])
        if gone and not came and j_end < len(new):
            text.append(" ")
    return text


def _runs(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Stretches that stayed and stretches that did not, in turn; single words that stayed between are taken in."""
    runs: list[tuple[int, int, int, int]] = []
    for tag, i, i_end, j, j_end in SequenceMatcher(None, old, new, autojunk=len(old) > 1_000).get_opcodes():
        inner = tag == "equal" and i_end - i < MIN_GAP and i > 0 and j > 0 and i_end < len(old) and j_end < len(new)
        if runs and (inner or (tag != "equal" and old[runs[-1][0] : i] != new[runs[-1][2] : j])):
            runs[-1] = (runs[-1][0], i_end, runs[-1][2], j_end)
        else:
            runs.append((i, i_end, j, j_end))
    return runs


# -- piped -----------------------------------------------------------------------------------------------------------


def _piped(line: Line, edit: StoredEdit) -> Iterator[str]:
    change = line.change
    if change is None:
        yield f"  {_unchanged(line.number)}"
        return
    note = f"{said} " if (said := _note(change, edit)) else ""
    if change.change == "moved":
        yield f"{MOVED} {_where(change, MOVED)}  {note}{change.after}"
        return
    if change.before is not None:
        yield f"{BEFORE} {_where(change, BEFORE)}  {note}{change.before}"
    if change.after is not None:
        yield f"{AFTER} {_where(change, AFTER)}  {note}{change.after}"


def _where(change: Change, mark: str) -> str:
    """The field, or the paragraph's number in the text that has it."""
    if change.field != "body":
        return change.field
    place = change.at if mark == BEFORE else change.to
    return f"paragraph {1 + (place or 0)}"


def _note(change: Change, edit: StoredEdit) -> str:
    moved = f"moved, was {1 + (change.at or 0)}" if change.change == "moved" else ""
    ours = {"rules": "our rules", "noise": "noise"}.get(change.cause if change.cause != edit.cause else "", "")
    said = "; ".join(part for part in (moved, ours) if part)
    return f"[{said}]" if said else ""


# -- as JSON's types -------------------------------------------------------------------------------------------------


def plain(stored: StoredArticle, edits: Sequence[StoredEdit]) -> dict[str, Any]:
    """The article, and of each edit when it was, whose, and its changes; places count from 1."""
    return {
        "id": stored.id,
        "source": stored.article.source,
        "url": stored.article.url,
        "headline": stored.article.headline,
        "revision": stored.revision,
        "stored_at": stored.stored_at.isoformat(),
        "updated_at": stored.updated_at.isoformat(),
        "edits": [_plain(edit) for edit in edits],
    }


def _plain(edit: StoredEdit) -> dict[str, Any]:
    return {
        "revision": edit.revision,
        "stored_at": edit.stored_at.isoformat(),
        "replaced_at": edit.replaced_at.isoformat(),
        "cause": edit.cause,
        "changed": list(edit.changed),
        "changes": [
            {
                "field": change.field,
                "change": change.change,
                "cause": change.cause,
                "before": change.before,
                "after": change.after,
                "position_before": None if change.at is None else change.at + 1,
                "position_after": None if change.to is None else change.to + 1,
            }
            for change in edit.changes
        ],
    }
