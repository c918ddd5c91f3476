"""What the archive spider decides without a database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import ConfigurationError, UnknownSource
from crawler.spiders.admission import Admission, admission
from crawler.spiders.captures import archives_at
from crawler.spiders.room import Room
from crawler.spiders.watermark import Watermark
from crawler.store.archives import Claim
from crawler.warc import Held
from tests.spiders.test_spiders import seed

AT = datetime(2026, 3, 1, tzinfo=UTC)


def asked(directory: Path, **arguments: str) -> Admission:
    return admission(directory, arguments)[0]


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    seed(tmp_path, "herald", "articles: {deny: [/about]}\n")
    seed(tmp_path, "kurier")
    (tmp_path / "broken.yaml").write_text("feed: []\n")
    return tmp_path


def test_a_page_belongs_to_the_seed_of_its_host_or_to_its_host(seeds: Path) -> None:
    everything, broken = admission(seeds, {})
    assert everything.source_of("https://www.herald.example/a", {}).id == "herald"
    assert everything.source_of("http://kurier.example/a", {}).id == "kurier"
    assert everything.source_of("https://news.other.example/a", {}).id == "news_other_example"
    assert everything.source_of("https://news.other.example/a", {"source": "kurier"}).id == "kurier"
    assert everything.source_of("https://news.other.example/a", {"source": "gone"}).id == "news_other_example"
    assert len(broken) == 1


def test_what_is_not_wanted_has_a_reason(seeds: Path) -> None:
    herald, other = "https://herald.example/a", "https://other.example/a"
    assert asked(seeds).refusal(herald, AT, {}) is asked(seeds).refusal(other, AT, {}) is None
    assert asked(seeds).refusal("https://herald.example/about", AT, {}) == "not_wanted"
    assert asked(seeds, seeded="1").refusal(herald, AT, {}) is None
    assert asked(seeds, seeded="1").refusal(other, AT, {}) == "no_seed"
    assert asked(seeds, sources="kurier").refusal(herald, AT, {}) == "other_source"
    assert asked(seeds, sources="kurier, herald").refusal(herald, AT, {}) is None
    assert asked(seeds, since="2026-03-02").refusal(herald, AT, {}) == "other_time"
    assert asked(seeds, until="2026-03-01").refusal(herald, AT, {}) is None
    assert asked(seeds).refusal("https://herald2.example:0/a", AT, {}) == "bad_address"


def test_each_selection_has_a_name_of_its_own(seeds: Path) -> None:
    assert asked(seeds).selection == asked(seeds, seeded="0", sources=" ,", since="").selection == "{}"
    assert asked(seeds, sources="kurier,herald").selection == asked(seeds, sources="herald, kurier,").selection
    names = [{"sources": "herald"}, {"seeded": "1"}, {"since": "2026-03-01"}, {"until": "2026-03-01"}, {}]
    assert len({asked(seeds, **name).selection for name in names}) == len(names)


def test_a_source_that_is_asked_for_must_be_there(seeds: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownSource, match=r"heralt.*herald"):
        asked(seeds, sources="heralt")
    assert asked(tmp_path / "none").source_of("https://herald.example/a", {}).id == "herald_example"


def test_files_are_found_by_path_and_glob(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    made = [tmp_path / "b.warc", tmp_path / "a[1].warc", tmp_path / "deep" / "c.warc"]
    for path in made:
        path.touch()
    assert archives_at(str(made[1])) == [made[1]]  # a name that looks like a pattern
    assert archives_at(f"{tmp_path}/*.warc") == sorted(made[:2])
    assert archives_at(f"{tmp_path}/**/*.warc") == sorted(made)
    for wrong, message in ((f"{tmp_path}/*.gz", "names no file"), (str(tmp_path), "is a folder"), (None, "say which")):
        with pytest.raises(ConfigurationError, match=message):
            archives_at(wrong)


@given(order=st.permutations(range(6, 14)), skipped=st.sets(st.integers(6, 13)))
def test_a_file_is_done_up_to_the_first_record_that_is_not(order: list[int], skipped: set[int]) -> None:
    watermark = Watermark(Claim(state="ours", id=1, records=5, stored=2, skipped={"revisit": 3}, done_offset=50))
    done = {0, 1, 2, 3, 4, 5}
    for number in range(6, 14):
        damage = {8: "first", 9: "second"}.get(number)
        watermark.read(Held(number=number, offset=10 * number, damage=damage), "revisit" if number in skipped else None)
        done |= {number} & skipped
        assert watermark.records == first_missing(done) - 1
    for number in order:
        if number not in skipped:
            watermark.done(number, "new" if number % 2 else "listing")
            done.add(number)
        mark = watermark.mark()
        assert mark.records == first_missing(done) - 1 == mark.stored + sum(mark.skipped.values())
        assert mark.done_offset == 10 * mark.records
        assert mark.error == ("first" if mark.records >= 8 else None)
    assert watermark.records == 13
    assert watermark.stored == 2 + sum(number % 2 for number in order if number not in skipped)


def first_missing(done: set[int]) -> int:
    return next(number for number in range(20) if number not in done)


def test_room_is_bounded_by_number_and_size_and_one_page_always_enters() -> None:
    async def scenario() -> None:
        room = Room(pages=3, size=100)
        await asyncio.wait_for(room.enter(1_000), 5)
        second = asyncio.create_task(room.enter(50))
        await asyncio.sleep(0)
        assert not second.done()
        room.leave(1_000)
        await second
        await room.enter(50)
        third = asyncio.create_task(room.enter(0))
        await third
        fourth = asyncio.create_task(room.enter(0))
        await asyncio.sleep(0)
        assert not fourth.done()
        room.leave(0)
        await fourth

    asyncio.run(scenario())
