"""A feed's or sitemap's bytes as text, whatever the server calls them: unpacked, decoded, from the root element on.

What stands before the root element is cut: the XML declaration, since the text is decoded already, and with the DOCTYPE
every entity that it declares, so no entity can be expanded or fetched by whoever parses the rest.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator

CHUNK = 256 * 1024  # bytes
_STEP = 1024

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{2,40})["']""")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ROOT = re.compile(r"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex|rss|rdf|feed|channel|html)(?=[\s/>])", re.IGNORECASE)


def text_chunks(body: bytes, max_bytes: int) -> Iterator[str]:
    """Decode `body`, plain or gzip, in pieces and without characters that XML forbids; at most `max_bytes` unpacked."""
    chunks = _limited(_gathered(_gunzipped(body)) if body.startswith(b"\x1f\x8b") else _sliced(body), max_bytes)
    head = next(chunks, b"")
    decode = codecs.getincrementaldecoder(_encoding(head))(errors="replace").decode
    yield _NO_XML.sub("", decode(head))
    for chunk in chunks:
        yield _NO_XML.sub("", decode(chunk))


def root_of(head: str) -> tuple[str, int] | None:
    """The root element's local name in lower case and where it begins; None if there is none that we know."""
    match = _ROOT.search(head)
    return (match[1].lower(), match.start()) if match else None


def excerpt(head: str) -> str:
    """The first characters, for an error's message."""
    return repr(" ".join(head[:200].split())[:60])


def _sliced(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


def _gunzipped(body: bytes) -> Iterator[bytes]:
    """What can be unpacked, of all members; a truncated or broken file gives what was there.

    It goes in by small steps: on an error zlib keeps the whole step's output for itself.
    """
    unpacker = zlib.decompressobj(wbits=31)
    for start in range(0, len(body), _STEP):
        step = body[start : start + _STEP]
        while step:
            try:
                yield unpacker.decompress(step, CHUNK)
            except zlib.error:
                return
            if unpacker.eof:
                step, unpacker = unpacker.unused_data, zlib.decompressobj(wbits=31)
            else:
                step = unpacker.unconsumed_tail


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    pending = bytearray()
    for piece in pieces:
        pending += piece
        if len(pending) >= CHUNK:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending)


def _limited(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    for chunk in chunks:
        if max_bytes <= 0:
            return
        yield chunk[:max_bytes]
        max_bytes -= len(chunk)


def _encoding(head: bytes) -> str:
    """Declarations are often wrong, but text that is not ASCII and valid UTF-8 is UTF-8."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return encoding
    declared = _declared(head)
    if head.isascii():
        return declared or "utf-8"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return declared if declared not in (None, "utf-8") else "cp1252"
    return "utf-8"


def _declared(head: bytes) -> str | None:
    match = _DECLARED.search(head[:1000])
    if match is None:
        return None
    try:
        codec = codecs.lookup(match[1].decode("ascii"))
        codec.incrementaldecoder(errors="replace").decode(b"<a")
    except (LookupError, TypeError, UnicodeError, ValueError, AssertionError, AttributeError):
        return None  # unknown, or a codec such as base64 that gives no text
    return _superset(codec.name)


def _superset(name: str) -> str | None:
    """What browsers take Latin-1 for. UTF-16 without its NULs is no UTF-16, and UTF-7 is only good for hiding."""
    if name.startswith(("utf-16", "utf-32", "utf-7")):
        return None
    return "cp1252" if name in ("iso8859-1", "ascii") else name
