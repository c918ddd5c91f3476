"""The blocks of a page as lines to show, beside today's when two readings are compared, and their sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Literal

from crawler.extraction.segment import count_words
from crawler.items import Block
from crawler.web.inspection import Inspection

Change = Literal["", "decided otherwise", "only stored", "only today"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A block and, of two readings, what the other one made of it."""

    number: int
    block: Block
    today: Block | None = None
    change: Change = ""

    @property
    def words(self) -> int:
        return count_words(self.block.text)

    @property
    def change_words(self) -> str:
        """`decided otherwise: today dropped, support (appeal-run)`, or nothing."""
        if self.change != "decided otherwise" or self.today is None:
            return self.change
        return f"{self.change}: today {decision(self.today)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """The blocks of one reason; of those that were kept, it is None. `rules`: id -> blocks."""

    reason: str | None
    blocks: int
    words: int
    rules: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Neighbours with one fate."""

    reason: str | None
    changed: bool
    lines: tuple[Line, ...]

    @property
    def kept(self) -> bool:
        return self.lines[0].block.kept

    @property
    def words(self) -> int:
        return sum(line.words for line in self.lines)


def decision(block: Block) -> str:
    return "kept" if block.kept else f"dropped, {block.reason} ({block.rule})"


def ledger(inspection: Inspection) -> list[Line]:
    """All blocks in document order; with today's, those that only one reading has stand where they belong."""
    seen, today = inspection.seen.blocks, inspection.today
    if today is None:
        return [Line(number=number, block=block) for number, block in enumerate(seen, 1)]
    return [_line(number, old, new) for number, (old, new) in enumerate(_pairs(seen, today.blocks), 1)]


def _line(number: int, old: Block | None, new: Block | None) -> Line:
    block = old or new
    assert block is not None
    return Line(number=number, block=block, today=new, change=_change(old, new))


def _change(old: Block | None, new: Block | None) -> Change:
    if old is None:
        return "only today"
    if new is None:
        return "only stored"
    same = (old.kept, old.reason, old.rule) == (new.kept, new.reason, new.rule)
    return "" if same else "decided otherwise"


def _pairs(old: Sequence[Block], new: Sequence[Block]) -> Iterator[tuple[Block | None, Block | None]]:
    matcher = SequenceMatcher(None, [block.text for block in old], [block.text for block in new], autojunk=False)
    for tag, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            yield from zip(old[old_from:old_to], new[new_from:new_to], strict=True)
        else:
            yield from ((block, None) for block in old[old_from:old_to])
            yield from ((None, block) for block in new[new_from:new_to])


def sums(lines: Sequence[Line]) -> list[Sum]:
    """Of what is inspected, not of today's: kept first, then the reasons, most words first."""
    own = [line for line in lines if line.change != "only today"]
    found = [_sum(reason, [line for line in own if _fate(line) == reason]) for reason in {*map(_fate, own), None}]
    return sorted(found, key=lambda one: (one.reason is not None, -one.words, one.reason or ""))


def _fate(line: Line) -> str | None:
    return None if line.block.kept else line.block.reason or "unknown"


def _sum(reason: str | None, lines: Sequence[Line]) -> Sum:
    rules = Counter(line.block.rule or "" for line in lines if not line.block.kept)
    return Sum(
        reason=reason, blocks=len(lines), words=sum(line.words for line in lines), rules=dict(rules.most_common())
    )


def runs(lines: Sequence[Line]) -> list[Run]:
    """Kept blocks one by one, dropped ones together with their neighbours of the same reason."""
    grouped = groupby(lines, key=lambda line: (_group(line), line.block.post, line.change))
    return [_run(tuple(group)) for _, group in grouped]


def _run(lines: tuple[Line, ...]) -> Run:
    return Run(reason=_fate(lines[0]), changed=bool(lines[0].change), lines=lines)


def _group(line: Line) -> str | int | None:
    return line.number if line.block.kept else _fate(line)
