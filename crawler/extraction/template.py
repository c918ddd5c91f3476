"""A source's own template: what recurs over its articles and is none of them goes, in any language and without rules.

It judges last, over the ledger and nothing but what is kept: so the share of the page that it takes is known, nothing
else of the extraction depends on what was learned by the hour, and a block that is forgiven goes back to where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crawler.items import Block
from crawler.recurrence import REASON, Template, condemned, rule_of

__all__ = ["Template", "drop_template"]


def drop_template(blocks: Sequence[Block], template: Template | None, headline: str | None = None) -> tuple[Block, ...]:
    """The ledger less what the source has taught; see `recurrence.condemned` for what is spared."""
    ledger = list(blocks)
    if not template:
        return tuple(ledger)
    kept = [index for index, block in enumerate(ledger) if block.kept]
    found = condemned([ledger[index].text for index in kept], headline, template)
    for at, key in found.items():
        ledger[kept[at]] = replace(ledger[kept[at]], kept=False, reason=REASON, rule=rule_of(key))
    return tuple(ledger)
