"""Two texts by their paragraphs: what was added, removed, changed, moved.

A paragraph of which half the words are left, or that holds nearly all of the other one, is a changed one. Moved is
what stands word by word in another place. Applied to the old paragraphs, the changes give the new ones: a property.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Literal

Kind = Literal["added", "removed", "changed", "moved"]
ALIKE = 0.5  # share of their words that two paragraphs have in common and are one, changed
HOLDS = 0.8  # share of the shorter one's words that stand in the longer one
LEAST = 5  # words of the shorter one from which on that means something
MOST_PAIRS = 2_500  # paragraphs removed times paragraphs added in one place that are held against each other
_WORD = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One change of one field; of the body, of one paragraph: `at` its place before, `to` its place after, from 0.

    `cause`: `publisher`, `rules` (the page had it before too, our reading did not), `noise` (a counter, a teaser).
    """

    field: str
    change: Kind
    cause: str = "publisher"
    before: str | None = None
    after: str | None = None
    at: int | None = None
    to: int | None = None

    def by(self, cause: str) -> Change:
        return replace(self, cause=cause)

    def plain(self) -> dict[str, Any]:
        """As it is stored: what there is of it."""
        given = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in given.items() if value is not None}


def compared(
    old: Sequence[str],
    new: Sequence[str],
    old_keys: Sequence[str],
    new_keys: Sequence[str],
    alone: tuple[Set[int], Set[int]] = (frozenset(), frozenset()),
) -> list[Change]:
    """What makes `new` of `old`, in reading order; two paragraphs are the same when their keys are.

    `alone`: places of those, before and after, that are no others, changed.
    """
    gone: dict[int, None] = {}
    come: dict[int, None] = {}
    places: list[tuple[range, range]] = []
    spots: dict[int, int] = {}  # of what is gone: before which paragraph of the new text it stood
    for tag, i, i_end, j, j_end in SequenceMatcher(None, old_keys, new_keys).get_opcodes():
        if tag != "equal":
            gone.update(dict.fromkeys(range(i, i_end)))
            come.update(dict.fromkeys(range(j, j_end)))
            places.append((range(i, i_end), range(j, j_end)))
            spots.update(dict.fromkeys(range(i, i_end), j))
    found = [
        Change(field="body", change="moved", before=old[at], after=new[to], at=at, to=to)
        for at, to in _moves(gone, come, old_keys, new_keys)
    ]
    for one in found:
        gone.pop(one.at or 0)
        come.pop(one.to or 0)
    for before, after in places:
        here = [i for i in before if i in gone and i not in alone[0]]
        there = [j for j in after if j in come and j not in alone[1]]
        for at, to in _pairs(here, there, old, new):
            found.append(Change(field="body", change="changed", before=old[at], after=new[to], at=at, to=to))
            gone.pop(at)
            come.pop(to)
    found += [Change(field="body", change="removed", before=old[at], at=at) for at in gone]
    found += [Change(field="body", change="added", after=new[to], to=to) for to in come]
    return sorted(found, key=lambda one: (spots[one.at or 0], 0, one.at) if one.to is None else (one.to, 1, 0))


def _moves(
    gone: dict[int, None], come: dict[int, None], old_keys: Sequence[str], new_keys: Sequence[str]
) -> Iterator[tuple[int, int]]:
    waiting: dict[str, list[int]] = {}
    for at in gone:
        waiting.setdefault(old_keys[at], []).append(at)
    for to in come:
        if places := waiting.get(new_keys[to]):
            yield places.pop(0), to


def _pairs(gone: Sequence[int], come: Sequence[int], old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Those of one place that are each other's, in order, so that most of their words stay."""
    if not gone or not come or len(gone) * len(come) > MOST_PAIRS:
        return []
    before, after = [words(old[at]) for at in gone], [words(new[to]) for to in come]
    best = [[0.0] * (len(come) + 1) for _ in range(len(gone) + 1)]
    likeness = [[alike(one, other) for other in after] for one in before]
    for i in reversed(range(len(gone))):
        for j in reversed(range(len(come))):
            paired = best[i + 1][j + 1] + likeness[i][j] if likeness[i][j] else 0.0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], paired)
    pairs, i, j = [], 0, 0
    while i < len(gone) and j < len(come):
        if likeness[i][j] and best[i][j] == best[i + 1][j + 1] + likeness[i][j]:
            pairs.append((gone[i], come[j]))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def words(text: str) -> frozenset[str]:
    """Words without case; in scripts without spaces, letters."""
    return frozenset(_WORD.findall(text.casefold()))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """How far two paragraphs are one, changed: 0 if they are two."""
    if not one or not other:
        return 0.0
    shared, shorter = len(one & other), min(len(one), len(other))
    share = 2 * shared / (len(one) + len(other))
    if share >= ALIKE:
        return share
    return shared / shorter * ALIKE if shorter >= LEAST and shared >= HOLDS * shorter else 0.0
