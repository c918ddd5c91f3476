"""What does a link lead to? An article, a page that lists articles, or anything else: a small sum of weighted signs.

Signs and weights are data (`rules/links.yaml`), so that a wrong answer is explained by its sum and mended by a figure.
The score is the winner's share among the exponentials of all sums.
"""

from __future__ import annotations

from math import exp
from typing import Literal, NamedTuple

from crawler.discovery.outline import Link, Outline, Region, outline
from crawler.discovery.shapes import Shapes
from crawler.discovery.signs import Signs, signs, signs_of_url
from crawler.discovery.vocabulary import weights

Kind = Literal["article", "listing", "other"]
KINDS: tuple[Kind, ...] = ("article", "listing", "other")
NAMED = 4  # signs in the evidence
CLEAR = 0.02  # a chance of being an article below which an address alone is reason enough not to fetch it


class Verdict(NamedTuple):
    """What a link leads to, how sure (0 to 1), and the signs that spoke for it."""

    kind: Kind
    score: float
    evidence: str


def classify(link: Link, shapes: Shapes, source_homepage: str) -> Verdict:
    """What a link of one of the source's pages leads to. Equal sums go to the article."""
    return _judged(signs(link, shapes, source_homepage))


def classify_url(url: str, shapes: Shapes, source_homepage: str) -> Verdict:
    """The same by the address alone, which is less sure."""
    return _judged(signs_of_url(url, shapes, source_homepage))


def is_listing_url(url: str, shapes: Shapes, source_homepage: str) -> bool:
    """Whether an address alone says clearly that it leads to no article; where it says too little, it does not."""
    return _shares(signs_of_url(url, shapes, source_homepage))["article"] < CLEAR


def _judged(seen: Signs) -> Verdict:
    shares = _shares(seen)
    best = max(KINDS, key=lambda kind: shares[kind])
    return Verdict(best, round(shares[best], 3), _reasons(best, seen))


def _shares(seen: Signs) -> dict[Kind, float]:
    sums = {kind: _sum(weights()[kind], seen) for kind in KINDS}
    highest = max(sums.values())
    powers = {kind: exp(value - highest) for kind, value in sums.items()}
    return {kind: power / sum(powers.values()) for kind, power in powers.items()}


def _sum(table: dict[str, float], seen: Signs) -> float:
    return sum(table[name] * value for name, value in seen.items() if name in table)


def _reasons(best: Kind, seen: Signs) -> str:
    table = weights()[best]
    spoke = {name: table.get(name, 0) * value for name, value in seen.items() if name != "bias"}
    names = sorted((name for name in spoke if spoke[name] > 0), key=lambda name: -spoke[name])[:NAMED]
    return ", ".join(f"{name} {spoke[name]:.1f}" for name in names) or "nothing else fits"


__all__ = ["Kind", "Link", "Outline", "Region", "Verdict", "classify", "classify_url", "is_listing_url", "outline"]
