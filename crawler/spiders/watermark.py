"""How far a file is done when its records are done in any order: up to the first that is not."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from crawler.store.archives import Claim, Mark
from crawler.warc import Held

STORED = frozenset({"new", "updated"})


@dataclass(slots=True)
class _Record:
    held: Held
    outcome: str | None = None


class Watermark:
    """The records of one file, as they are read and as they are done."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self.records, self.stored, self.done_offset = claim.records, claim.stored, claim.done_offset
        self.skipped: Counter[str] = Counter(claim.skipped)
        self.error = claim.error
        self._waiting: deque[_Record] = deque()
        self._by_number: dict[int, _Record] = {}

    def read(self, held: Held, outcome: str | None = None) -> None:
        """A record came, the next of its file; with `outcome` it is done already."""
        record = _Record(held, outcome)
        self._waiting.append(record)
        if outcome is None:
            self._by_number[held.number] = record
        self._advance()

    def done(self, number: int, outcome: str) -> None:
        """A record that came is done: `new` or `updated`, or the reason why there is no article of it."""
        self._by_number.pop(number).outcome = outcome
        self._advance()

    def end(self, damage: str | None) -> Mark:
        """All records came and are done; `damage`: what is wrong with the file behind them."""
        self.error = self.error or damage
        return self.mark(finished=True)

    def mark(self, *, finished: bool = False) -> Mark:
        return Mark(
            id=self._claim.id,
            records=self.records,
            stored=self.stored,
            skipped=dict(self.skipped),
            done_offset=self.done_offset,
            error=self.error,
            finished=finished,
        )

    def _advance(self) -> None:
        while self._waiting and (outcome := self._waiting[0].outcome) is not None:
            held = self._waiting.popleft().held
            self.records, self.done_offset = held.number, held.offset
            self.error = self.error or held.damage  # the first complaint is the one that is kept
            if outcome in STORED:
                self.stored += 1
            else:
                self.skipped[outcome] += 1
