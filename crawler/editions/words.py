"""words.yaml, read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What one language has for notes and counters, with examples that a test runs."""

    note_labels: tuple[str, ...] = ()
    note_openings: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    around: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    no_notes: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    no_counters: tuple[str, ...] = ()


@cache
def book() -> dict[str, Words]:
    """Language -> its words."""
    raw = yaml.safe_load(files("crawler.editions").joinpath("words.yaml").read_text("utf-8"))
    return {
        language: Words(**{name: _tuple(value) for name, value in given.items()}) for language, given in raw.items()
    }


def _tuple(value: Any) -> tuple[str, ...]:
    """A list, or words between commas."""
    return tuple(word.strip() for word in value.split(",")) if isinstance(value, str) else tuple(value)
