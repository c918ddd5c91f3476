"""The bytes of pages, packed and back: with other pages as the dictionary, chosen where that pays."""

from __future__ import annotations

import random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from crawler.packing import MOST, PAYS, Damaged, Dictionary, pack, packed_size, trained, unpack

DICE = random.Random(5)


def words(number: int) -> bytes:
    return " ".join(f"{DICE.randrange(10**9):x}" for _ in range(number)).encode()


def pages(number: int, template: bytes) -> list[bytes]:
    """Of one source: all have its template, and a text of their own."""
    half = len(template) // 2
    return [template[:half] + words(100) + template[half:] for _ in range(number)]


@given(html=st.binary(max_size=2000), dictionary=st.none() | st.binary(min_size=1, max_size=500))
def test_round_trip(html: bytes, dictionary: bytes | None) -> None:
    known = Dictionary(dictionary) if dictionary else None
    assert unpack(pack(html, known), len(html), known) == html


@given(html=st.binary(min_size=50, max_size=500))
def test_a_page_that_is_in_the_dictionary_takes_next_to_nothing(html: bytes) -> None:
    known = Dictionary(b"<html>" + html + b"</html>")
    assert len(pack(html, known)) < 40
    assert unpack(pack(html, known), len(html), known) == html


def test_another_dictionary_is_noticed() -> None:
    one, other = Dictionary(words(500)), Dictionary(words(500))
    packed = pack(one.content[:2000], one)
    for wrong in (other, None):
        with pytest.raises(Damaged):
            unpack(packed, 2000, wrong)


def test_a_frame_takes_no_more_memory_than_the_page_has_bytes() -> None:
    bomb = pack(bytes(50_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(Damaged, match="another length"):
        unpack(bomb, 1_000)
    # The same blocks under a header that says a thousand: single segment, two bytes for the length less 256.
    header = zstandard.get_frame_parameters(bomb)
    assert header.content_size == 50_000_000
    lying = bomb[:4] + b"\x60" + (1_000 - 256).to_bytes(2, "little") + bomb[zstandard.frame_header_size(bomb) :]
    assert zstandard.frame_content_size(lying) == 1_000
    with pytest.raises(Damaged):
        unpack(lying, 1_000)
    unknown = zstandard.ZstdCompressor(write_content_size=False).compress(b"x" * 10)
    with pytest.raises(Damaged):
        unpack(unknown, 10)


@pytest.mark.parametrize("damaged", [b"", b"no zstd", pack(b"a page" * 100)[:-5]])
def test_what_is_no_whole_frame(damaged: bytes) -> None:
    with pytest.raises(Damaged):
        unpack(damaged, 600)


def test_pages_of_one_template_get_a_dictionary() -> None:
    source = pages(12, words(2_000))
    trial = trained(source)
    assert trial.dictionary is not None
    assert trial.before == packed_size(source[1::2], None)
    assert trial.after == packed_size(source[1::2], trial.dictionary) < trial.before / 4
    assert trial.dictionary.content in source[::2]  # one page says it all


def test_two_templates_get_a_page_of_each() -> None:
    templates = words(2_000), words(2_000)
    news, sport = (pages(6, template) for template in templates)
    mixed = [page for four in zip(news[::2], news[1::2], sport[::2], sport[1::2], strict=True) for page in four]
    trial = trained(mixed)
    assert trial.dictionary is not None
    assert all(template[: len(template) // 2] in trial.dictionary.content for template in templates)


def test_pages_that_share_nothing_get_none() -> None:
    trial = trained([words(1_000) for _ in range(12)])
    assert trial.dictionary is None and trial.before == trial.after


def test_a_dictionary_that_is_as_good_stays_and_one_of_an_old_template_goes() -> None:
    old, new = pages(12, words(2_000)), pages(12, words(2_000))
    first = trained(old).dictionary
    assert trained(old[::-1], first).dictionary is None
    trial = trained(new, first)
    assert trial.dictionary is not None and trial.after <= trial.before * PAYS


def test_a_dictionary_is_not_longer_than_that() -> None:
    template = words(MOST // 8)
    trial = trained([template + words(20) for _ in range(4)])
    assert len(template) > MOST and trial.dictionary is None


def test_too_few_pages() -> None:
    assert trained([]).dictionary is None
    assert trained([b"<p>"]).dictionary is None
