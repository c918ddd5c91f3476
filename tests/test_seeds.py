"""Every seed in seeds/ loads, and looks like the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from crawler.sources import Source, find_source, load_source, load_sources, source_names

SEEDS = Path(__file__).parent.parent / "seeds"
KEYS = [key for key in Source.model_fields if key != "id"]


def test_all_seeds_are_valid() -> None:
    sources, errors = load_sources(SEEDS)
    assert [str(error) for error in errors] == []
    assert list(sources) == source_names(SEEDS)
    assert len(sources) >= 181


@pytest.mark.parametrize("name", source_names(SEEDS))
def test_a_seed_is_tidy(name: str) -> None:
    text = (SEEDS / f"{name}.yaml").read_text(encoding="utf-8")
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    assert keys == sorted(keys, key=KEYS.index), "keys stand in the order of Source's fields"
    assert not re.search(r"[ \t]$|\n\n|\t|\r", text, re.MULTILINE), "no blank lines, tabs or trailing blanks"
    assert text.endswith("\n")
    assert yaml.safe_load(text)["country"] == load_source(SEEDS / f"{name}.yaml").country, "safe for YAML 1.1: 'NO'"


def test_seeds_repeat_no_url_and_no_homepage() -> None:
    sources, _ = load_sources(SEEDS)
    homepages = [source.homepage for source in sources.values()]
    assert len(homepages) == len(set(homepages))
    for source in sources.values():
        urls = [*source.feeds, *source.sitemaps, *source.archives, *source.listings]
        assert len(urls) == len(set(urls)), source.id
        assert source.language not in source.languages, source.id


def test_a_seed_that_is_disabled_says_why() -> None:
    sources, _ = load_sources(SEEDS)
    assert all(source.note for source in sources.values() if not source.enabled)
    assert sum(source.enabled for source in sources.values()) >= 170


def test_norway_is_a_country() -> None:
    source = find_source(SEEDS, "verdens_gang")
    assert (source.country, source.language) == ("NO", "no")


def test_the_moscow_times_follows_articles_only() -> None:
    source = find_source(SEEDS, "the_moscow_times")
    home = source.homepage
    assert home == "https://www.themoscowtimes.com/"
    assert f"{home}rss/news" in source.feeds
    assert not source.boilerplate, "the general rules must do"
    assert source.wants(f"{home}2022/02/17/some-slug-a76420")
    for path in ("news", "live/12", "videos/1", "galleries/1", "podcasts/1", "plus/2022/02/17/x", "live/2022/02/17/x"):
        assert not source.wants(home + path), path
