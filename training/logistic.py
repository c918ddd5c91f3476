"""Logistic regression on features that a block has or has not: L2, by L-BFGS, with numpy alone.

Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
VOTES = 4
MEMORY = 12
TOLERANCE = 1e-5  # of the loss, relative


@dataclass(frozen=True)
class Sample:
    """A block: its features, what the voters said (0 to 3), whether it is the article's, and how much it weighs."""

    features: tuple[str, ...]
    vote: int
    is_article: bool
    weight: float


def fit(samples: Sequence[Sample], *, l2: float, rare: int) -> dict[str, list[float]]:
    """Feature -> its weight for each vote. Features seen fewer than `rare` times are left out."""
    seen = Counter(feature for sample in samples for feature in sample.features)
    names = sorted(feature for feature, times in seen.items() if times >= rare)
    index = {name: i * (VOTES + 1) for i, name in enumerate(names)}
    rows = [_row(sample, index) for sample in samples]
    beta = _minimise(
        rows,
        np.array([sample.is_article for sample in samples], dtype=float),
        np.array([sample.weight for sample in samples]),
        len(names) * (VOTES + 1),
        l2,
    )
    # A weight for all votes and one for each, added: what is rare with one vote borrows from the others.
    table = beta.reshape(-1, VOTES + 1)
    return {name: [float(shared + own) for own in each] for name, (shared, *each) in zip(names, table, strict=True)}


def _row(sample: Sample, index: dict[str, int]) -> NDArray[np.int64]:
    shared = [index[feature] for feature in sample.features if feature in index]
    return np.array(shared + [at + 1 + sample.vote for at in shared], dtype=np.int64)


def _minimise(rows: list[NDArray[np.int64]], truth: Vector, weight: Vector, size: int, l2: float) -> Vector:
    lengths = np.array([len(row) for row in rows])
    flat = np.concatenate(rows)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])

    def loss(beta: Vector) -> tuple[float, Vector]:
        margin = np.add.reduceat(beta[flat], starts)
        error = weight * (1 / (1 + np.exp(-margin)) - truth)
        gradient = np.bincount(flat, weights=np.repeat(error, lengths), minlength=size) + l2 * beta
        value = float(np.sum(weight * (np.logaddexp(0, margin) - truth * margin)) + l2 / 2 * beta @ beta)
        return value, gradient

    return _lbfgs(loss, np.zeros(size))


def _lbfgs(loss, beta: Vector, rounds: int = 150) -> Vector:  # type: ignore[no-untyped-def]
    value, gradient = loss(beta)
    history: list[tuple[Vector, Vector]] = []
    for _ in range(rounds):
        step = _direction(gradient, history)
        slope, length = float(gradient @ step), 1.0 if history else 1 / max(1.0, float(np.abs(gradient).sum()))
        while True:
            new_value, new_gradient = loss(beta + length * step)
            if new_value <= value + 1e-4 * length * slope or length < 1e-10:
                break
            length /= 2
        history = [*history, (length * step, new_gradient - gradient)][-MEMORY:]
        beta, gradient, gain, value = beta + length * step, new_gradient, value - new_value, new_value
        if gain < TOLERANCE * value:
            break
    return beta


def _direction(gradient: Vector, history: list[tuple[Vector, Vector]]) -> Vector:
    """The two-loop recursion."""
    q = -gradient
    alphas = []
    for s, y in reversed(history):
        alpha = (s @ q) / (s @ y)
        alphas.append(alpha)
        q = q - alpha * y
    if history:
        s, y = history[-1]
        q = q * ((s @ y) / (y @ y))
    for (s, y), alpha in zip(history, reversed(alphas), strict=True):
        q = q + s * (alpha - (y @ q) / (s @ y))
    return q
