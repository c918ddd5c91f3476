"""What is known of a rule by its id: where it is written, its kind, and a block that it drops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from crawler.sources import Source

Origin = Literal["package", "seed", "template", "built in"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleNote:
    """A rule that dropped something. `built in`: code or model, so it has no kind and no example of its own."""

    id: str
    origin: Origin
    kind: str | None = None
    example: str | None = None

    @property
    def words(self) -> str:
        """`package rule, kind paywall`, or what else there is to say."""
        rule = f"{self.origin} rule" if self.kind else self.origin
        return f"{rule}, kind {self.kind}" if self.kind else rule


def note_of(rule_id: str, source: Source | None) -> RuleNote:
    """Looked up in the source's seed, then in the package; what neither has is built in or learned."""
    for rule in source.boilerplate if source else ():
        if rule.id == rule_id:
            return RuleNote(id=rule_id, origin="seed", kind=rule.kind, example=rule.drops[0])
    learned: Origin = "template" if rule_id.startswith("template") else "built in"
    return _package().get(rule_id) or RuleNote(id=rule_id, origin=learned)


@cache
def _package() -> dict[str, RuleNote]:
    return {note.id: note for note in _written()}


def _written() -> Iterator[RuleNote]:
    """Every file of rules is a list of mappings; the others beside them hold words."""
    for path in files("crawler.extraction").joinpath("rules").iterdir():
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) if path.name.endswith(".yaml") else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and "id" in entry:
                examples = [str(example) for example in entry.get("drops", ())]
                yield RuleNote(
                    id=entry["id"], origin="package", kind=entry.get("kind"), example=examples[0] if examples else None
                )
