"""A new seed file says what it was told, whatever that is, and never takes another one's place."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import SeedError
from crawler.seed_writing import Taken, checked, free_id, same_host, seed_text, write_seed
from crawler.sources import load_source

TEXT = seed_text([("name", "Herald"), ("homepage", "https://www.herald.example/")])


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(str.strip))
def test_any_name_comes_back(name: str) -> None:
    text = seed_text([("name", name), ("homepage", "https://herald.example/")], ["country: left out"])
    assert checked("herald", text).name == name


def test_it_looks_like_the_others() -> None:
    values: list[tuple[str, str | int | list[str] | None]] = [
        ("name", "Dagens Rapport: nu"),
        ("homepage", "https://rapport.example/"),
        ("language", "no"),
        ("country", None),
        ("feeds", ["https://rapport.example/rss?a=b"]),
        ("sitemaps", []),
        ("max_age_days", 7),
    ]
    assert seed_text(values) == (
        "name: 'Dagens Rapport: nu'\nhomepage: https://rapport.example/\nlanguage: 'no'\n"
        "feeds:\n  - https://rapport.example/rss?a=b\nmax_age_days: 7\n"
    )


def test_a_seed_is_written_whole_and_once(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "seeds"
    path = write_seed(folder, "herald", TEXT)
    assert load_source(path).name == "Herald"
    with pytest.raises(Taken, match="exists already"):
        write_seed(folder, "herald", TEXT.replace("Herald", "Other"))
    assert path.read_text() == TEXT and list(folder.iterdir()) == [path]


def test_what_is_no_valid_seed_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="homepage"):
        write_seed(tmp_path, "herald", "name: Herald\n")
    assert list(tmp_path.iterdir()) == []


def test_a_source_is_known_by_its_host(tmp_path: Path) -> None:
    write_seed(tmp_path, "herald", TEXT)
    assert same_host(tmp_path, "http://herald.example/news/feed") == "herald"
    assert same_host(tmp_path, "https://sport.herald.example/") is None
    assert same_host(tmp_path / "none", "https://herald.example/") is None


def test_a_name_that_another_source_has_gets_its_country_or_a_number() -> None:
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        assert free_id(room, "herald", "GB") == "herald"
        write_seed(room, "herald", TEXT)
        assert (free_id(room, "herald", "GB"), free_id(room, "herald", None)) == ("herald_gb", "herald_2")
