"""Content-Encoding undone, byte by byte."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.downloader.decoding import (
    MOST_LAYERS,
    MOST_MEMBERS,
    BadEncoding,
    TooLarge,
    Truncated,
    decoded,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(body) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": raw_deflate,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
TEXT = bytes(random.Random(1).choices(b"abcdefgh <>\n", k=200_000))

packed = pytest.mark.parametrize("name", PACK)


@packed
@pytest.mark.parametrize(
    "body", [b"", b"x", b"<p>" + b"a" * 65_533, b"a" * 65_536, b"a" * 65_537, bytes(999_999), TEXT], ids=len
)
def test_what_was_packed_comes_back(name: str, body: bytes) -> None:
    assert decoded(PACK[name](body), [name.strip()], 1_000_000) == body


@given(st.binary(max_size=300), st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "identity"]), max_size=3))
def test_layers_are_undone_from_the_last(body: bytes, names: list[str]) -> None:
    wrapped = body
    for name in names:
        wrapped = PACK[name](wrapped) if name in PACK else wrapped
    assert decoded(wrapped, names, 0) == body


@packed
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_stream_that_was_cut_is_truncated(name: str, part: float) -> None:
    whole = PACK[name](TEXT)
    with pytest.raises(Truncated):
        decoded(whole[: int(len(whole) * part)], [name.strip()], 0)


@packed
def test_the_limit_holds(name: str) -> None:
    bomb = PACK[name](bytes(30_000_000))
    with pytest.raises(TooLarge, match="1000000"):
        decoded(bomb, [name.strip()], 1_000_000)


def test_the_limit_holds_for_each_layer() -> None:
    with pytest.raises(TooLarge):
        decoded(gzip.compress(gzip.compress(bytes(30_000_000), 0), 9), ["gzip", "gzip"], 1_000_000)
    with pytest.raises(BadEncoding):
        decoded(b"x", ["gzip"] * (MOST_LAYERS + 1), 0)


@pytest.mark.parametrize("name", [*PACK, "utf-8", "none"])
@pytest.mark.parametrize(
    "body", [b"<html>\xe4 plain</html>", "Grüße".encode(), "<p>ä".encode("utf-16"), b"\xef\xbb\xbf<?xml"]
)
def test_a_plain_body_is_taken_as_it_is(name: str, body: bytes) -> None:
    assert decoded(body, [name.strip()], 0) == body


@pytest.mark.parametrize("name", [*PACK, "compress"])
def test_what_is_neither_is_a_bad_encoding(name: str) -> None:
    with pytest.raises(BadEncoding):
        decoded(b"\0\1\2\xff" * 500, [name.strip()], 0)


def test_a_wrong_checksum_is_a_bad_encoding() -> None:
    body = bytearray(gzip.compress(TEXT))
    body[-6] ^= 1
    with pytest.raises(BadEncoding):
        decoded(bytes(body), ["gzip"], 0)


def test_streams_may_follow_each_other_but_not_for_ever() -> None:
    for name in ("gzip", "zstd"):
        one = PACK[name](b"<p>")
        assert decoded(one * 3, [name], 0) == b"<p>" * 3
        assert decoded(one + b"\0" * 99, [name], 0) == b"<p>"  # padding
        with pytest.raises(BadEncoding):
            decoded(one * (MOST_MEMBERS + 1), [name], 0)


def test_a_zstd_window_of_128_mb_is_refused() -> None:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    wide = packer.compress(TEXT) + packer.flush()  # which does not know how little will come
    with pytest.raises(BadEncoding, match="memory"):
        decoded(wide, ["zstd"], 0)


@given(st.binary(max_size=200), st.sampled_from([*PACK]))
def test_no_bytes_are_another_error(body: bytes, name: str) -> None:
    with suppress(BadEncoding, Truncated, TooLarge):
        decoded(body, [name.strip()], 1_000_000)
