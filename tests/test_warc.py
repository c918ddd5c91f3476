"""WARC files as they are found: compressed in every way, damaged, cut off, or none at all."""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard
from fastwarc.stream_io import ZstdWriter

from crawler import warc
from crawler.warc import Capture, End, Skipped
from tests.archives import AT, HTML, SITE, Kept, stories, write, write_zstd

LIMIT = 1_000_000
Event = Capture | Skipped | End


def events(path: Path, **options: Any) -> list[Event]:
    return list(warc.read(path, limit=LIMIT, **options))


def pages(found: list[Event]) -> list[str]:
    return [event.url for event in found if isinstance(event, Capture)]


def reasons(found: list[Event]) -> list[str]:
    return [event.reason for event in found if isinstance(event, Skipped)]


def damages(found: list[Event]) -> list[str]:
    return [event.damage for event in found if event.damage]


def urls(kept: list[Kept]) -> list[str]:
    return [one.url for one in kept]


@pytest.fixture
def kept() -> list[Kept]:
    return stories(range(5))


@pytest.mark.parametrize("gzip_", [True, False])
def test_every_page_comes_with_its_place_time_and_headers(tmp_path: Path, kept: list[Kept], gzip_: bool) -> None:
    offsets = write(tmp_path / "a.warc", kept, gzip=gzip_)
    found = events(tmp_path / "a.warc")
    assert [(e.number, e.offset) for e in found if not isinstance(e, End)] == list(enumerate(offsets, 1))
    first = found[1]
    assert isinstance(first, Capture)
    assert (first.url, first.at, first.status, first.body) == (kept[0].url, AT, 200, kept[0].body)
    assert first.headers == {"content-type": "text/html; charset=utf-8"}
    assert (reasons(found), damages(found)) == (["not_response"], [])


def test_zstd_by_record_and_files_compressed_as_a_whole(tmp_path: Path, kept: list[Kept]) -> None:
    offsets = write_zstd(tmp_path / "a.warc.zst", kept)
    found = events(tmp_path / "a.warc.zst")
    assert pages(found) == urls(kept)
    assert [event.offset for event in found if not isinstance(event, End)] == offsets
    write(tmp_path / "plain.warc", kept, gzip=False)
    plain = (tmp_path / "plain.warc").read_bytes()
    for pack in (gzip.compress, zstandard.compress):
        (tmp_path / "whole").write_bytes(pack(plain))
        assert pages(events(tmp_path / "whole")) == urls(kept)


def test_zstd_with_a_dictionary(tmp_path: Path, kept: list[Kept]) -> None:
    write(tmp_path / "plain.warc", kept, gzip=False)
    plain = (tmp_path / "plain.warc").read_bytes()
    with ZstdWriter(str(tmp_path / "a.warc.zst"), dictionary=plain[:4_000]) as writer:
        writer.write(plain)
    found = events(tmp_path / "a.warc.zst")
    assert pages(found) == urls(kept)
    third = found[3]
    assert not isinstance(third, End)
    assert events(tmp_path / "a.warc.zst", after=(third.number, third.offset)) == found[4:]


@pytest.mark.parametrize("form", ["gzip", "plain", "zstd", "whole"])
def test_reading_goes_on_behind_any_record(tmp_path: Path, kept: list[Kept], form: str) -> None:
    path = tmp_path / "a.warc"
    if form == "zstd":
        write_zstd(path, kept)
    else:
        write(path, kept, gzip=form == "gzip")
    if form == "whole":
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = events(path)
    for at, event in enumerate(found[:-1]):
        assert not isinstance(event, End)
        assert events(path, after=(event.number, event.offset)) == found[at + 1 :]


def test_what_is_no_page_is_skipped_with_its_reason(tmp_path: Path) -> None:
    page = b"<html><body>A page</body></html>"
    image, plain = (("Content-Type", "image/png"),), (("Content-Type", "text/plain"),)
    records = [
        Kept(url=f"{SITE}/1", body=b"", kind="revisit"),
        Kept(url=f"{SITE}/2", body=page, kind="resource"),
        Kept(url=f"{SITE}/3", body=page, kind="metadata"),
        Kept(url=f"{SITE}/4", body=page, status="301 Moved Permanently"),
        Kept(url=f"{SITE}/5", body=page, status="404 Not Found"),
        Kept(url=f"{SITE}/6", body=page, headers=image),
        Kept(url=f"{SITE}/7", body=page, headers=plain),
        Kept(url=f"{SITE}/8", body=b"no markup", headers=()),
        Kept(url=f"{SITE}/9", body=b"x" * (LIMIT + 1)),
        Kept(url=f"{SITE}/10", body=gzip.compress(bytes(LIMIT + 1)), headers=[*HTML, ("Content-Encoding", "gzip")]),
        Kept(url=f"{SITE}/11", body=b"\1\2\3", headers=[*HTML, ("Content-Encoding", "gzip")]),
        Kept(url=f"{SITE}/12", body=page, fields={"WARC-Truncated": "length"}),
        Kept(url="dns:herald.example", body=page),
        Kept(url=f"{SITE}/13", body=page, at="yesterday"),
        Kept(url=f"{SITE}/14", body=page, at="9999-12-31T23:59:59Z"),
        Kept(url=f"{SITE}/15", body=page, headers=()),
    ]
    write(tmp_path / "a.warc.gz", records)
    found = events(tmp_path / "a.warc.gz")
    assert reasons(found) == [
        *("not_response", "revisit", "not_response", "not_response", "not_200", "not_200", "not_html", "not_html"),
        *("not_html", "too_large", "too_large", "bad_encoding", "truncated", "bad_address", "bad_date", "bad_date"),
    ]
    assert pages(found) == [f"{SITE}/15"]  # no content type, but markup
    assert damages(found) == []


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("https://bücher.example/über?utm_source=x", "https://xn--bcher-kva.example/%C3%BCber"),
        (f"<{SITE}/wget>", f"{SITE}/wget"),
        (f"{SITE.upper()}:443/a b#c", f"{SITE}/a%20b"),
    ],
)
def test_odd_addresses_are_those_that_the_frontier_knows(tmp_path: Path, given: str, known: str) -> None:
    write(tmp_path / "a.warc.gz", [Kept(url=given, body=b"<html>")])
    assert pages(events(tmp_path / "a.warc.gz")) == [known]


def test_a_refused_page_is_skipped_and_its_body_not_looked_at(tmp_path: Path) -> None:
    hints = {"News-Crawler-Hints": '{"source": "herald"}'}
    broken = [*HTML, ("Content-Encoding", "gzip")]
    write(tmp_path / "a.warc.gz", [Kept(url=f"{SITE}/1", body=b"\1\2", headers=broken, fields=hints)])
    asked: list[tuple[str, datetime, Mapping[str, Any]]] = []

    def refusal(url: str, at: datetime, hints: Mapping[str, Any]) -> str:
        asked.append((url, at, hints))
        return "not_mine"

    assert reasons(events(tmp_path / "a.warc.gz", refusal=refusal)) == ["not_response", "not_mine"]
    assert asked == [(f"{SITE}/1", AT, {"source": "herald"})]


@pytest.mark.parametrize("hints", ["[1]", "{", "\x00", '"text"'])
def test_hints_that_are_none_are_left_out(tmp_path: Path, hints: str) -> None:
    write(tmp_path / "a.warc.gz", [Kept(url=f"{SITE}/1", body=b"<html>", fields={"News-Crawler-Hints": hints})])
    (page,) = (event for event in events(tmp_path / "a.warc.gz") if isinstance(event, Capture))
    assert page.hints == {}


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["gzip", "plain", "zstd"])
def test_a_file_that_is_cut_off_gives_all_before(tmp_path: Path, kept: list[Kept], form: str) -> None:
    path = tmp_path / "a.warc"
    offsets = write_zstd(path, kept) if form == "zstd" else write(path, kept, gzip=form == "gzip")
    path.write_bytes(path.read_bytes()[:-1_500])
    found = events(path)
    assert pages(found) == urls(kept)[:-1]
    if form != "zstd":  # of half a zstd block nothing is left
        assert reasons(found)[-1] == "truncated"
        assert damages(found) == [f"damaged from byte {offsets[-1]} on: a record that is cut off"]


@pytest.mark.parametrize("form", ["gzip", "plain", "zstd"])
@pytest.mark.parametrize("at", [0, 300])
def test_a_damaged_record_is_stepped_over(tmp_path: Path, kept: list[Kept], form: str, at: int) -> None:
    path = tmp_path / "a.warc"
    offsets = write_zstd(path, kept) if form == "zstd" else write(path, kept, gzip=form == "gzip")
    data = bytearray(path.read_bytes())
    data[offsets[3] + at : offsets[3] + at + 200] = bytes(200)
    path.write_bytes(data)
    found = events(path)
    assert [url for url in pages(found) if url != kept[2].url] == [one.url for one in kept if one is not kept[2]]
    assert len(damages(found)) == 1
    assert damages(found)[0].startswith("damaged from byte ")


@pytest.mark.parametrize("length", [10, 10**12])
def test_a_wrong_length_costs_no_other_record(tmp_path: Path, kept: list[Kept], length: int) -> None:
    path = tmp_path / "a.warc"
    offsets = write(path, kept, gzip=False)
    data = path.read_bytes()
    wrong = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % length, data[offsets[3] :], count=1)
    path.write_bytes(data[: offsets[3]] + wrong)
    found = events(path)
    assert [url for url in pages(found) if url != kept[2].url] == [one.url for one in kept if one is not kept[2]]
    assert len(damages(found)) == 1


def test_what_is_no_archive_says_so(tmp_path: Path) -> None:
    (tmp_path / "page.warc").write_bytes(b"<html>no archive</html>\n" * 1_000)
    (tmp_path / "empty.warc").write_bytes(b"")
    assert events(tmp_path / "page.warc") == [End(damage="there is no WARC record in it")]
    assert events(tmp_path / "empty.warc") == [End(damage="it is empty")]
    with pytest.raises(OSError, match="none"):
        events(tmp_path / "none.warc")


@pytest.mark.parametrize("form", ["gzip", "plain", "zstd"])
def test_whatever_is_wrong_reading_ends_and_goes_on_from_any_record(tmp_path: Path, form: str) -> None:
    path, small = tmp_path / "a.warc", [Kept(url=f"{SITE}/{n}", body=b"<p>%d" % n) for n in range(4)]
    _ = write_zstd(path, small) if form == "zstd" else write(path, small, gzip=form == "gzip")
    whole = path.read_bytes()
    for seed in range(150):
        dice, data = random.Random(seed), bytearray(whole)
        for _ in range(dice.choice((1, 1, 3, 10))):
            at = dice.randrange(len(data))
            data[at : at + dice.choice((0, 1, 40))] = dice.choice((b"", b"\r\n\r\n", dice.randbytes(20)))
        path.write_bytes(data)
        found = events(path)
        *records, end = found
        assert isinstance(end, End)
        for position, event in enumerate(records):
            assert not isinstance(event, End) and event.number == position + 1
            assert events(path, after=(event.number, event.offset)) == found[position + 1 :]


def test_a_file_is_known_by_what_it_holds(tmp_path: Path, kept: list[Kept]) -> None:
    write(tmp_path / "a.warc.gz", kept)
    data = (tmp_path / "a.warc.gz").read_bytes()
    (tmp_path / "moved.warc.gz").write_bytes(data)
    (tmp_path / "other.warc.gz").write_bytes(data[:-1] + b"\1")
    first, moved, other = (warc.identity(tmp_path / f"{n}.warc.gz").fingerprint for n in ("a", "moved", "other"))
    assert first == moved != other
    assert warc.identity(tmp_path / "a.warc.gz").size == len(data)


def test_dates_are_read_to_the_microsecond(tmp_path: Path) -> None:
    write(tmp_path / "a.warc.gz", [Kept(url=f"{SITE}/1", body=b"<p>", at="2024-02-03T04:05:06.789012Z")])
    (page,) = (event for event in events(tmp_path / "a.warc.gz") if isinstance(event, Capture))
    assert page.at == datetime(2024, 2, 3, 4, 5, 6, 789012, tzinfo=UTC)
