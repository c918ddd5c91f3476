from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.urls import MAX_LENGTH, canonical_url, host_of, is_variant, same_site, url_key

any_text = st.text(st.characters(codec=None, exclude_categories=()))
almost_urls = st.text("abF5é/.:@%2e[]?&=#;\\ \t").map(lambda rest: "http://" + rest)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://WWW.Herald.Example/A", "http://www.herald.example/A"),
        ("https://herald.example", "https://herald.example/"),
        ("https://herald.example/a/", "https://herald.example/a/"),
        ("https://herald.example./a", "https://herald.example/a"),
        ("http://herald.example:80/a", "http://herald.example/a"),
        ("https://herald.example:443/a", "https://herald.example/a"),
        ("https://herald.example:8443/a", "https://herald.example:8443/a"),
        ("https://me:secret@herald.example/a", "https://herald.example/a"),
        ("https://herald.example/a#top", "https://herald.example/a"),
        ("https://herald.example/a/../b/./c/..", "https://herald.example/b/"),
        ("https://herald.example/a/%2e%2e/b", "https://herald.example/b"),
        ("https://herald.example/../../a", "https://herald.example/a"),
        ("https://herald.example//a", "https://herald.example//a"),
        ("https://bücher.example/ä ö", "https://xn--bcher-kva.example/%C3%A4%20%C3%B6"),
        ("https://herald.example/%c3%a4%7e%2f%zz", "https://herald.example/%C3%A4~%2F%25zz"),
        ("https://herald.example/?b=2&a=1&b=1", "https://herald.example/?b=2&a=1&b=1"),
        ("https://herald.example/?a=%26&q=a+b&e=", "https://herald.example/?a=%26&q=a+b&e="),
        ("  https://herald.example/a\n ", "https://herald.example/a"),
        ("https://herald.example/a\n\tb", "https://herald.example/ab"),
        ("http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://192.0.2.1/a", "http://192.0.2.1/a"),
        ("https://herald.example/?", "https://herald.example/"),
    ],
)
def test_canonical_url(url: str, expected: str) -> None:
    assert canonical_url(url) == expected


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("utm_source=x&id=5&UTM_Medium=y", "?id=5"),
        ("fbclid=1&gclid=2&mc_cid=3", ""),
        ("utm%5Fsource=x", ""),
        ("b=1&&a=2&msclkid=3", "?b=1&a=2"),
        ("ref=home&cid=7&source=x&page=2", "?ref=home&cid=7&source=x&page=2"),
    ],
)
def test_only_tracking_parameters_go(query: str, left: str) -> None:
    assert canonical_url(f"https://herald.example/a?{query}") == f"https://herald.example/a{left}"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "   ",
        "mailto:desk@herald.example",
        "javascript:void(0)",
        "data:text/html,x",
        "ftp://herald.example/",
        "file:///etc/passwd",
        "/relative",
        "herald.example/a",
        "http://",
        "http:///a",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://herald.example:99999/",
        "http://herald.example:port/",
        "http://her ald.example/",
        "http://herald..example/",
        "http://-.\u2488.example/",
        "http://%65xample.example/",
        "https://herald.example/" + "a" * MAX_LENGTH,
    ],
)
def test_what_is_no_web_address(url: str | None) -> None:
    assert canonical_url(url) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("b", "https://herald.example/dir/b"),
        ("../b", "https://herald.example/b"),
        ("/b", "https://herald.example/b"),
        ("?p=2", "https://herald.example/dir/page?p=2"),
        ("//other.example/b", "https://other.example/b"),
        ("mailto:desk@herald.example", None),
        ("", None),
    ],
)
def test_relative_to_a_base(url: str, expected: str | None) -> None:
    assert canonical_url(url, "https://herald.example/dir/page?p=1") == expected


@given(any_text | almost_urls)
def test_canonical_url_is_idempotent_and_ascii(url: str) -> None:
    canonical = canonical_url(url)
    assert canonical is None or (canonical_url(canonical) == canonical and canonical.isascii())


@given(almost_urls, almost_urls | any_text)
def test_any_base_is_survived(base: str, url: str) -> None:
    canonical_url(url, base)
    host_of(url)
    same_site(url, base)


def test_host_of() -> None:
    assert host_of("https://WWW.Herald.example:8443/a") == "www.herald.example"
    assert host_of("no address") == host_of("http://[") == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.herald.com/", "http://news.herald.com/a", True),
        ("https://www.herald.co.uk/", "https://herald.co.uk/", True),
        ("https://herald.co.uk/", "https://courier.co.uk/", False),
        ("https://herald.com/", "https://herald.org/", False),
        ("https://herald.github.io/", "https://courier.github.io/", False),
        ("http://localhost:1/", "http://localhost:2/", True),
        ("http://127.0.0.1:1/", "http://127.0.0.1:2/", True),
        ("http://127.0.0.1/", "http://127.0.0.2/", False),
        ("nothing", "nothing", False),
    ],
)
def test_same_site(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same


SAME = "herald.example/2026/bridge?id=5"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.herald.example/2026/bridge?id=5",
        "http://herald.example/2026/bridge/?id=5&utm_source=x#top",
        "https://m.herald.example/2026/bridge?id=5",
        "https://mobile.herald.example/2026/bridge?mobile=1&id=5",
        "https://amp.herald.example/2026/bridge?id=5",
        "https://www.herald.example/amp/2026/bridge?id=5",
        "https://www.herald.example/2026/bridge/amp/?id=5",
        "https://www.herald.example/2026/bridge.amp?id=5",
        "https://www.herald.example/2026/bridge?id=5&outputType=amp",
        "https://www.herald.example/print/2026/bridge?id=5",
        "https://www.herald.example/2026/bridge?view=print&id=5",
        "https://www.herald.example/2026/bridge;jsessionid=0A1B2C?id=5",
        "https://www.herald.example/2026/bridge?PHPSESSID=8f14e45fceea167a5a36dedd4bea2543&id=5",
    ],
)
def test_one_page_has_one_key(url: str) -> None:
    assert url_key(url) == SAME


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://herald.example/", "herald.example/"),
        ("https://herald.example/index.html", "herald.example/"),
        ("https://herald.example/a/index.php?id=2", "herald.example/a/index.php?id=2"),
        ("https://herald.example/a?b=2&a=1", "herald.example/a?a=1&b=2"),
        ("https://herald.example/print", "herald.example/print"),
        ("https://herald.example/amp/", "herald.example/amp"),
        ("https://herald.example/a?sid=1234", "herald.example/a?sid=1234"),
        ("https://herald.example/a?view=2", "herald.example/a?view=2"),
        ("https://herald.example/A", "herald.example/A"),
        ("https://herald.example/amp/print/b/index.html/amp", "herald.example/b"),
        ("https://amp.co.uk/a", "amp.co.uk/a"),
        ("https://news.herald.example/a", "news.herald.example/a"),
        ("https://herald.example:8443/a", "herald.example:8443/a"),
    ],
)
def test_what_chooses_a_page_stays_in_its_key(url: str, key: str) -> None:
    assert url_key(url) == key


@given(st.one_of(any_text, almost_urls, almost_urls.map(lambda url: url.replace("F", "/amp/?print"))))
def test_a_keys_key_is_itself(url: str) -> None:
    key = url_key(url)
    assert key is None or url_key(key) == key


def test_amp_print_and_phone_versions_are_told_apart_from_the_page() -> None:
    assert all(map(is_variant, ["https://a.example/amp/b", "https://m.a.example/b", "https://a.example/b?print=1"]))
    assert not any(map(is_variant, ["https://www.a.example/b", "https://a.example/amp", "https://a.example/b?id=1"]))
