"""What a page says of how it may be used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crawler.rights import rights_of

HEAD = b"""<html><head><META NAME="robots" CONTENT="index, NOARCHIVE">
<meta content='max-snippet:-1' name=googlebot-news><meta name="tdm-reservation" content="1">
<meta name="tdm-policy" content="https://herald.example/tdm?a=1&amp;b=2">
<meta name="author" content="noarchive"></head>"""


def test_what_meta_tags_and_headers_say() -> None:
    assert rights_of({"x-robots-tag": "noai", "content-type": "text/html"}, HEAD) == {
        "x-robots-tag": "noai",
        "meta:robots": "index, NOARCHIVE",
        "meta:googlebot-news": "max-snippet:-1",
        "tdm-reservation": "1",
        "tdm-policy": "https://herald.example/tdm?a=1&b=2",
        "noarchive": "meta:robots",
    }


def test_a_header_goes_before_a_tag() -> None:
    assert rights_of({"tdm-reservation": "0"}, HEAD)["tdm-reservation"] == "0"
    assert rights_of({"x-robots-tag": "noarchive"}, b"")["noarchive"] == "x-robots-tag"


@given(st.binary())
def test_any_bytes_will_do(body: bytes) -> None:
    assert "noarchive" not in rights_of({}, body) or b"noarchive" in body.lower()
