"""The block model: how likely each block is the article's. Its weights are a plain table, trained by `training/`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from crawler.extraction.density import densest
from crawler.extraction.features import Features, features, vote_of
from crawler.extraction.segment import Piece

Weights = dict[str, list[float]]  # feature -> its weight for each of the four votes

KEEP = 0.5  # probability from which a block is the article's


@cache
def weights() -> Weights:
    text = files("crawler.extraction").joinpath("model.json").read_text(encoding="utf-8")
    table: Weights = json.loads(text)["weights"]
    return table


def scores(pieces: Sequence[Piece], voted: Sequence[bool]) -> list[float | None]:
    """The probability for each block, 0 to 1; None for those that need no decision. `voted`: trafilatura's choice."""
    dense = densest(pieces)
    table = weights()
    return [
        None if found is None else _probability(found, vote_of(voted[i], dense[i]), table)
        for i, found in enumerate(features(pieces, voted, dense))
    ]


def agreement(pieces: Sequence[Piece], voted: Sequence[bool]) -> float | None:
    """Share of the characters that are kept or voted on which trafilatura and the decision agree; None without any."""
    both = sum(len(piece.text) for piece, yes in zip(pieces, voted, strict=True) if piece.kept and yes)
    any_of = sum(
        len(piece.text) for piece, yes in zip(pieces, voted, strict=True) if piece.kept or (yes and not piece.reason)
    )
    return round(both / any_of, 3) if any_of else None


def _probability(found: Features, vote: int, table: Weights) -> float:
    margin = sum(table[name][vote] for name in found if name in table)
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, margin))))
