"""HTTP bodies as they are kept in archives: chunks joined and content encodings undone, bounded before and after."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import brotli
import zstandard

from crawler.errors import PayloadError

STEP = 65_536  # bytes decoded at a time
MAX_WINDOW = 8 * 1024 * 1024  # bytes; what RFC 9659 allows a zstd body
MAX_ENCODINGS = 3
MARKUP = (b"<", b"\xef\xbb\xbf<")  # what neither a chunk nor gzip begins with


def decoded(raw: bytes, headers: dict[str, str], limit: int) -> bytes:
    """The body that a browser would see. `headers`: lower-case names.

    Some archives keep a decoded body with the headers of the encoded one: what cannot be decoded and begins as a
    document does is taken as it is. Raises PayloadError: `too_large` for more than `limit` bytes, `truncated`,
    `bad_encoding`.
    """
    if len(raw) > limit:
        raise PayloadError(reason="too_large")
    steps: list[Callable[[bytes, int], bytes]] = []
    if "chunked" in headers.get("transfer-encoding", "").lower():
        steps.append(_joined)
    names = [name.strip() for name in headers.get("content-encoding", "").lower().split(",")]
    steps += [_decoder(name) for name in reversed(names) if name not in ("", "identity", "none")]
    if len(steps) > 1 + MAX_ENCODINGS:
        raise PayloadError(reason="bad_encoding")
    for step in steps:
        try:
            raw = step(raw, limit)
        except PayloadError as error:
            if error.reason == "too_large" or not raw.lstrip().startswith(MARKUP):
                raise
    return raw


def _decoder(name: str) -> Callable[[bytes, int], bytes]:
    return {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _inflate, "br": _unbrotli, "zstd": _unzstd}.get(
        name, _unknown
    )


def _unknown(raw: bytes, limit: int) -> bytes:
    raise PayloadError(reason="bad_encoding")


def _joined(raw: bytes, limit: int) -> bytes:
    """RFC 9112, 7.1; what follows the last chunk is left out."""
    found: list[bytes] = []
    at = 0
    while True:
        end = raw.find(b"\n", at)
        if end < 0:
            raise PayloadError(reason="truncated" if found else "bad_encoding")
        try:
            size = int(raw[at:end].partition(b";")[0].strip(), 16)
        except ValueError:
            raise PayloadError(reason="bad_encoding") from None
        if size == 0:
            return b"".join(found)
        if size < 0 or end + 1 + size > len(raw):
            raise PayloadError(reason="bad_encoding" if size < 0 else "truncated")
        found.append(raw[end + 1 : end + 1 + size])
        at = end + 1 + size
        at += 2 if raw[at : at + 2] == b"\r\n" else 1


def _gunzip(raw: bytes, limit: int) -> bytes:
    return _zlib(raw, limit, zlib.MAX_WBITS | 16)


def _inflate(raw: bytes, limit: int) -> bytes:
    """With zlib's header, as the standard has it, or without, as some servers do."""
    try:
        return _zlib(raw, limit, zlib.MAX_WBITS)
    except PayloadError as error:
        if error.reason != "bad_encoding":
            raise
        return _zlib(raw, limit, -zlib.MAX_WBITS)


def _zlib(raw: bytes, limit: int, window: int) -> bytes:
    """One stream; what follows it is left out, as browsers do."""
    decoder = zlib.decompressobj(window)
    try:
        found = decoder.decompress(raw, limit + 1)
    except zlib.error:
        raise PayloadError(reason="bad_encoding") from None
    if len(found) > limit:
        raise PayloadError(reason="too_large")
    if not decoder.eof:
        raise PayloadError(reason="truncated")
    return found


def _unbrotli(raw: bytes, limit: int) -> bytes:
    decoder, found, given = brotli.Decompressor(), io.BytesIO(), raw
    try:
        while piece := decoder.process(given, output_buffer_limit=STEP):
            given = b""
            if found.tell() + len(piece) > limit:
                raise PayloadError(reason="too_large")
            found.write(piece)
    except brotli.error:
        raise PayloadError(reason="bad_encoding") from None
    if not decoder.is_finished():
        raise PayloadError(reason="truncated")
    return found.getvalue()


def _unzstd(raw: bytes, limit: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
    found = io.BytesIO()
    try:
        # Output is not bounded within a call, but what one small piece can hold is.
        for at in range(0, len(raw), 256):
            found.write(decoder.decompress(raw[at : at + 256]))
            if found.tell() > limit:
                raise PayloadError(reason="too_large")
            if decoder.eof:
                return found.getvalue()
    except zstandard.ZstdError:
        raise PayloadError(reason="bad_encoding") from None
    raise PayloadError(reason="truncated")
