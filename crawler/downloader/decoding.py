"""Content-Encoding undone: all of what was sent, never more than a limit, or a typed error.

Scrapy 2.19's middleware passes half a page on when its gzip stream was cut, and refuses a plain body that only says it
is compressed. What it advertises is decoded here as well, a chunk at a time, so a bomb costs no more than the limit.
"""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import brotli
from scrapy.exceptions import IgnoreRequest
from scrapy.http import TextResponse
from scrapy.responsetypes import responsetypes

from crawler.errors import PageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from typing import Any, Self

    from scrapy import Request
    from scrapy.crawler import Crawler
    from scrapy.http import Response

ACCEPTED = "gzip, deflate, br, zstd"
CHUNK = 65_536  # bytes
MOST_LAYERS = 3  # encodings on top of each other
MOST_MEMBERS = 1_000  # streams one after another
ZSTD_WINDOW = 23  # 8 MB: what RFC 9659 allows
CORRUPT = (zlib.error, brotli.error, zstd.ZstdError)

# What text has none of, in whatever encoding of bytes; compressed data soon has one.
_CONTROLS = frozenset(range(0x20)) - frozenset(b"\t\n\f\r\x1b")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class TooLarge(PageError, IgnoreRequest):
    """The body is longer than DOWNLOAD_MAXSIZE once it is decompressed."""

    reason = "too_large"


class Truncated(PageError, IgnoreRequest):
    """The compressed body ends too early."""

    reason = "truncated"


class BadEncoding(PageError, IgnoreRequest):
    """The body is not what Content-Encoding says."""

    reason = "bad_encoding"


class DecodingMiddleware:
    """Instead of HttpCompressionMiddleware, at its place 590."""

    def __init__(self, *, limit: int) -> None:
        self.limit = limit

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        return cls(limit=crawler.settings.getint("DOWNLOAD_MAXSIZE"))

    def process_request(self, request: Request) -> None:
        request.headers.setdefault("Accept-Encoding", ACCEPTED)

    def process_response(self, request: Request, response: Response) -> Response:
        """Raise TooLarge, Truncated or BadEncoding."""
        named = b",".join(response.headers.getlist("Content-Encoding")).decode("latin-1").lower()
        if not named or request.method == "HEAD":
            return response
        limit = request.meta.get("download_maxsize", self.limit)
        body = decoded(response.body, [name.strip() for name in named.split(",")], limit)
        headers = response.headers.copy()
        del headers["Content-Encoding"]
        kind = responsetypes.from_args(headers=headers, url=response.url, body=body)
        again: dict[str, Any] = {"encoding": None} if issubclass(kind, TextResponse) else {}  # guess it from the text
        return response.replace(cls=kind, headers=headers, body=body, **again)


def decoded(body: bytes, encodings: Sequence[str], limit: int) -> bytes:
    """The body before `encodings`, of which the last was applied last; `limit` in bytes, 0 for none.

    Raises TooLarge, Truncated, BadEncoding. A body that is plain text, whatever the header says, is taken as it is.
    """
    if len(encodings) > MOST_LAYERS:
        raise BadEncoding(f"{len(encodings)} content encodings on top of each other")
    for name in reversed(encodings):
        body = _undone(body, name, limit)
    return body


def _undone(body: bytes, name: str, limit: int) -> bytes:
    if not body or name in ("", "identity"):
        return body
    try:
        undo = _DECODERS[name]
        return _joined(undo(body), limit)
    except (KeyError, Truncated, *CORRUPT) as error:
        if is_plain(body):
            return body
        if isinstance(error, Truncated):
            raise
        problem = "it is no encoding that we accept" if isinstance(error, KeyError) else str(error)
        raise BadEncoding(f"Content-Encoding is {name[:20]}: {problem}") from error


def is_plain(body: bytes) -> bool:
    """Whether a body looks like text that nobody compressed."""
    head = body[:1_024]
    if head.startswith(_UTF_16):
        return True
    return not _CONTROLS.intersection(head) and (b"<" in head or _is_utf_8(head))


def _is_utf_8(head: bytes) -> bool:
    """The last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _joined(chunks: Iterable[bytes], limit: int) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if 0 < limit < size:
            raise TooLarge(f"More than {limit} bytes once it is decompressed")
        parts.append(chunk)
    return b"".join(parts)


class _Stream(Protocol):
    """A decompressor of one stream. `unused_data`: what of the last piece came after the stream's end."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def feed(self, piece: bytes) -> Iterator[bytes]: ...


class _Zlib:
    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def feed(self, piece: bytes) -> Iterator[bytes]:
        chunk = b""
        while not self.eof and (piece or len(chunk) == CHUNK):
            yield (chunk := self._stream.decompress(piece, CHUNK))
            piece = self._stream.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        self._stream = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW})

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def feed(self, piece: bytes) -> Iterator[bytes]:
        yield self._stream.decompress(piece, CHUNK)
        while not self.eof and not self._stream.needs_input:
            yield self._stream.decompress(b"", CHUNK)


class _Brotli:
    unused_data = b""  # it does not tell

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._stream.is_finished())

    def feed(self, piece: bytes) -> Iterator[bytes]:
        chunk = self._stream.process(piece, output_buffer_limit=CHUNK)
        while chunk:
            yield chunk
            chunk = b"" if self.eof else self._stream.process(b"", output_buffer_limit=CHUNK)


def _streamed(body: bytes, make: Callable[[], _Stream], magic: bytes | None = None) -> Iterator[bytes]:
    """What the streams in `body` hold; what comes after the last is padding. `magic`: how a further one begins."""
    position = 0
    for _ in range(MOST_MEMBERS):
        stream = make()
        while not stream.eof:
            if position >= len(body):
                raise Truncated
            yield from stream.feed(body[position : position + CHUNK])
            position += CHUNK
        position = min(position, len(body)) - len(stream.unused_data)
        if magic is None or not body.startswith(magic, position):
            return
    raise BadEncoding(f"More than {MOST_MEMBERS} compressed streams in one body")


def _gunzipped(body: bytes) -> Iterator[bytes]:
    return _streamed(body, lambda: _Zlib(31), magic=b"\x1f\x8b")


def _inflated(body: bytes) -> Iterator[bytes]:
    # RFC 9110 means zlib's format, and some servers send raw deflate.
    zlib_header = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _streamed(body, lambda: _Zlib(15 if zlib_header else -15))


def _unbrotlied(body: bytes) -> Iterator[bytes]:
    return _streamed(body, _Brotli)


def _unzstd(body: bytes) -> Iterator[bytes]:
    return _streamed(body, _Zstd, magic=b"\x28\xb5\x2f\xfd")


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _inflated,
    "br": _unbrotlied,
    "zstd": _unzstd,
}
