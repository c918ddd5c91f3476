"""Chances of shares: is it by chance that so few of so many have it?"""

from __future__ import annotations

import math

DOUBT = 0.8  # of a usual share: days differ by more than chance


def at_most(hits: int, number: int, share: float) -> float:
    """P(X <= hits) of so many, each with the chance `share`."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return float(hits >= number)
    return math.fsum(
        math.exp(
            math.lgamma(number + 1)
            - math.lgamma(k + 1)
            - math.lgamma(number - k + 1)
            + k * math.log(share)
            + (number - k) * math.log1p(-share)
        )
        for k in range(hits + 1)
    )


def has_fallen(hits: int, number: int, usual: float, limit: float) -> bool:
    """Whether a share is less than half of what is usual, and that by no chance."""
    return hits < 0.5 * usual * number and at_most(hits, number, DOUBT * usual) < limit


def at_most_spread(hits: int, mean: float, spread: float) -> float:
    """P(X <= hits) of a count whose rate itself varies so much (negative binomial)."""
    size = 1 / spread
    chance, found, ratio = math.exp(-size * math.log1p(mean / size)), 0.0, mean / (mean + size)
    for number in range(hits + 1):
        found += chance
        chance *= (size + number) / (number + 1) * ratio
    return min(1.0, found)
