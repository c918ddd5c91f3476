"""HTTP bodies as archives keep them: chunked, compressed, cut off, or not what their headers say."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import PayloadError
from crawler.payload import decoded

HTML = b"<html><body>" + b"A bridge opens. " * 200 + b"</body></html>"
LIMIT = 1_000_000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def chunked(body: bytes, size: int = 100) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def reason(raw: bytes, limit: int = LIMIT, **headers: str) -> str:
    with pytest.raises(PayloadError) as caught:
        decoded(raw, {name.replace("_", "-"): value for name, value in headers.items()}, limit)
    return caught.value.reason


@pytest.mark.parametrize("name", PACKERS)
def test_every_encoding_of_the_web_is_undone(name: str) -> None:
    assert decoded(PACKERS[name](HTML), {"content-encoding": name}, LIMIT) == HTML


def test_deflate_without_its_header_and_several_encodings_in_chunks() -> None:
    assert decoded(raw_deflate(HTML), {"content-encoding": "Deflate"}, LIMIT) == HTML
    twice = chunked(brotli.compress(gzip.compress(HTML)))
    assert decoded(twice, {"content-encoding": "gzip, br", "transfer-encoding": "chunked"}, LIMIT) == HTML


@given(body=st.binary(max_size=2_000), size=st.integers(1, 300))
def test_chunks_are_joined_whatever_they_hold(body: bytes, size: int) -> None:
    assert decoded(chunked(body, size), {"transfer-encoding": "chunked"}, LIMIT) == body


@given(raw=st.binary(max_size=300), name=st.sampled_from([*PACKERS, "gzip, br", "unknown"]), split=st.booleans())
def test_any_bytes_give_a_body_or_a_reason(raw: bytes, name: str, split: bool) -> None:
    headers = {"content-encoding": name} | ({"transfer-encoding": "chunked"} if split else {})
    try:
        decoded(raw, headers, LIMIT)
    except PayloadError as error:
        assert error.reason in ("bad_encoding", "truncated", "too_large")


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_not_unpacked(name: str) -> None:
    bomb = PACKERS[name](bytes(50_000_000))
    assert len(bomb) < LIMIT
    assert reason(bomb, content_encoding=name) == "too_large"


@pytest.mark.parametrize("name", PACKERS)
def test_half_a_body_is_not_taken_for_a_whole_one(name: str) -> None:
    packed = PACKERS[name](HTML)
    assert reason(packed[: len(packed) // 2], content_encoding=name) == "truncated"
    assert reason(chunked(HTML)[:500], transfer_encoding="chunked") == "truncated"


def test_what_is_too_large_before_it_is_decoded() -> None:
    assert reason(HTML, limit=100) == "too_large"


@pytest.mark.parametrize("name", [*PACKERS, "exotic", "gzip, gzip"])
def test_a_decoded_body_with_the_headers_of_the_encoded_one_is_taken_as_it_is(name: str) -> None:
    headers = {"content-encoding": name, "transfer-encoding": "chunked"}
    assert decoded(HTML, headers, LIMIT) == HTML
    assert decoded(b"\n\n" + HTML, headers, LIMIT) == b"\n\n" + HTML


def test_other_bytes_with_a_wrong_encoding_are_not() -> None:
    assert reason(b"\x00\x01\x02 no page", content_encoding="gzip") == "bad_encoding"
    assert reason(b"\x00\x01\x02 no page", content_encoding="exotic") == "bad_encoding"
    assert reason(b"-5\r\nabc", transfer_encoding="chunked") == "bad_encoding"
    assert reason(gzip.compress(HTML), content_encoding="gzip, gzip, gzip, gzip, gzip") == "bad_encoding"
