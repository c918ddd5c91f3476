"""The measures of a survey, as data: `rules/survey.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much of a site is looked at."""

    requests: int
    feeds: int
    sitemaps: int
    children: int
    sections: int
    samples: int
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Judging:
    """Shares from 0 to 1, days, and numbers of entries: see the file."""

    dated: float
    own: float
    articles: float
    recordings: float
    covered: float
    new_days: int
    stale_days: int
    current_days: int
    current_entries: int
    max_age_days: int
    small_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """What is asked of a source's articles."""

    good: float
    bad: float
    witnesses: int
    quiet_days: float
    quiet_gaps: float
    quiet_most: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """The whole file."""

    feed_places: tuple[str, ...]
    sitemap_places: tuple[str, ...]
    bounds: Bounds
    judging: Judging
    sampling: Sampling
    weights: dict[str, float]
    news_sitemap: re.Pattern[str]
    other_sitemap: re.Pattern[str]
    feed: re.Pattern[str]
    comments: re.Pattern[str]
    shape_entries: int
    shape_share: float
    shapes: tuple[str, ...]
    words_not_countries: frozenset[str]
    countries_of_languages: dict[str, str]


@cache
def measures() -> Measures:
    """Read once."""
    text = files("crawler.discovery").joinpath("rules", "survey.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    told = {name: _any(parts) for name, parts in data["addresses"].items()}
    return Measures(
        feed_places=tuple(data["places"]["feeds"]),
        sitemap_places=tuple(data["places"]["sitemaps"]),
        bounds=Bounds(**data["bounds"]),
        judging=Judging(**data["judging"]),
        sampling=Sampling(**data["samples"]),
        weights=data["weights"],
        comments=_any(data["comments"]),
        shape_entries=data["shared_shape"]["entries"],
        shape_share=data["shared_shape"]["share"],
        shapes=tuple(data["shared_shape"]["of"]),
        words_not_countries=frozenset(data["words_not_countries"]),
        countries_of_languages=data["countries_of_languages"],
        **told,
    )


def _any(parts: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE)
