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
