"""What a spider decides without fetching anything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scrapy.settings import Settings

from crawler.errors import ConfigurationError, SeedError, UnknownSource
from crawler.items import Candidate
from crawler.spiders.discovery import named_by
from crawler.spiders.loader import SeedSpiderLoader
from crawler.spiders.news import NewsSpider
from crawler.spiders.selection import chosen_sources, source_of
from crawler.store.listings import DueListing

MONDAY = datetime(2026, 5, 11, tzinfo=UTC)
URL = "https://herald.example/a"


def seed(directory: Path, name: str, more: str = "") -> None:
    (directory / f"{name}.yaml").write_text(f"name: {name}\nhomepage: https://{name}.example/\n{more}")


def test_a_passed_on_address_is_passed_on_again_only_with_a_later_change() -> None:
    discovery = NewsSpider().discovery
    plain, changed = announced(), announced(modified_at=MONDAY)
    later = announced(modified_at=MONDAY + timedelta(hours=1))
    assert discovery.sifted([plain, plain]) == ([plain], [])
    assert discovery.sifted([changed, plain]) == ([], [changed])
    assert discovery.sifted([changed, later]) == ([], [later])


def announced(**hints: Any) -> Candidate:
    return Candidate(url=URL, source="herald", found_in="feed", **hints)


def test_sources_are_chosen_by_name(tmp_path: Path) -> None:
    seed(tmp_path, "one")
    seed(tmp_path, "two")
    seed(tmp_path, "off", "enabled: false\n")
    assert ids(tmp_path, "news") == ["one", "two"]
    assert ids(tmp_path, "news", "two, one,two") == ["two", "one"]
    assert ids(tmp_path, "off") == ["off"]  # asked for by name
    with pytest.raises(UnknownSource, match="three"):
        ids(tmp_path, "news", "one,three")


def test_a_broken_seed_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    seed(tmp_path, "one")
    seed(tmp_path, "bad", "feed: []\n")
    sources, broken = chosen_sources(tmp_path, "news")
    assert [source.id for source in sources] == ["one"]
    assert len(broken) == 1
    with pytest.raises(SeedError, match=r"bad\.yaml.*feed"):
        chosen_sources(tmp_path, "bad")


def test_nothing_to_crawl_is_an_error(tmp_path: Path) -> None:
    seed(tmp_path, "off", "enabled: false\n")
    with pytest.raises(ConfigurationError, match="no enabled source"):
        chosen_sources(tmp_path, "news")


def ids(directory: Path, spider: str, sources: str | None = None) -> list[str]:
    return [source.id for source in chosen_sources(directory, spider, sources)[0]]


def test_every_seed_has_a_spider(tmp_path: Path) -> None:
    seed(tmp_path, "one")
    loader = SeedSpiderLoader.from_settings(Settings({"SEEDS_DIR": str(tmp_path)}))
    assert loader.list() == ["one"]
    assert [loader.load(name).name for name in ("one", "news", "page")] == ["one", "news", "page"]
    with pytest.raises(KeyError, match="scrapy list"):
        loader.load("two")


def test_a_feed_or_sitemap_is_asked_for_once_a_run(tmp_path: Path) -> None:
    seed(tmp_path, "loop", "sitemaps: [https://loop.example/s.xml, https://loop.example/s.xml]\n")
    (source,), _ = chosen_sources(tmp_path, "loop")
    discovery = NewsSpider(chosen=[source]).discovery
    [first, _] = named_by(source)
    listing = DueListing(id=1, source="loop", url=first.url, kind="sitemap", found_at=MONDAY)
    assert discovery.may_ask(source, listing)
    assert not discovery.may_ask(source, listing)  # as an index that names itself


def test_a_page_belongs_to_the_seed_of_its_host(tmp_path: Path) -> None:
    seed(tmp_path, "herald")
    assert source_of(tmp_path, "https://www.herald.example/a").name == "herald"
    assert source_of(tmp_path, "https://other.example/a").id not in ("herald", "news", "page")
