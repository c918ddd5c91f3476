"""What kind of page is it? Each type has a small sum of weighted signs; the highest sum wins.

Signs and weights are data (`rules/pagetypes.yaml`), so that a wrong answer is explained by its sum and mended by a
figure. The confidence is the winner's share among the exponentials of all sums.
"""

from __future__ import annotations

from math import exp
from typing import NamedTuple, get_args

from crawler.extraction.signs import Signs, View, signs, weights
from crawler.items import PageType

TYPES: tuple[PageType, ...] = get_args(PageType)
SHARPNESS = 1.0  # chosen so that the mean confidence on pages of known type is the share of right answers
NAMED = 4  # signs in the evidence


class Verdict(NamedTuple):
    """A page's type, how sure (0 to 1), and the signs that spoke for it."""

    type: PageType
    confidence: float
    evidence: str


def page_type(view: View) -> Verdict:
    """The type of a page whose blocks are decided. Equal sums go to the type that is named first: an article."""
    seen = signs(view)
    sums = {kind: _sum(kind, seen) for kind in TYPES}
    best = max(TYPES, key=lambda kind: sums[kind])
    share = 1 / sum(exp(SHARPNESS * (value - sums[best])) for value in sums.values())
    return Verdict(best, round(share, 3), _reasons(best, seen))


def _sum(kind: PageType, seen: Signs) -> float:
    table = weights()[kind]
    return sum(weight * seen[name] for name, weight in table.items() if name in seen)


def _reasons(kind: PageType, seen: Signs) -> str:
    table = weights()[kind]
    spoke = {name: table[name] * value for name, value in seen.items() if table.get(name, 0) > 0 and name != "bias"}
    names = sorted(spoke, key=lambda name: -spoke[name])[:NAMED]
    return ", ".join(f"{name} {spoke[name]:.1f}" for name in names) or "nothing else fits"


__all__ = ["TYPES", "Verdict", "View", "page_type"]
