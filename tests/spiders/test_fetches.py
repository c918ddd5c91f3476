"""What an answer or an error says of its URL. The errors of real downloads: tests/downloader/test_ends.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scrapy.exceptions import CannotResolveHostError, DownloadTimeoutError, IgnoreRequest
from scrapy.http import HtmlResponse
from scrapy.spidermiddlewares.httperror import HttpError
from twisted.python.failure import Failure

from crawler.errors import PageError
from crawler.outcomes import OUTCOMES
from crawler.spiders import fetches
from crawler.spiders.fetches import Lost

URL = "https://herald.example/a"


def response(
    status: int,
    body: bytes = b"<html></html>",
    *,
    headers: dict[str, str] | None = None,
    flags: list[str] | None = None,
) -> HtmlResponse:
    given = {"Content-Type": "text/html", **(headers or {})}
    return HtmlResponse(URL, status=status, headers=given, body=body, flags=flags)


def word(answer: HtmlResponse) -> str:
    lost = fetches.judged(answer)
    return lost.outcome if lost else "page"


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        ("page", [200, 201, 202, 203, 206, 226]),
        ("no_content", [204, 205]),
        ("not_modified", [304]),
        ("bad_redirect", [300, 301, 305, 306, 308]),  # without a Location
        ("refused", [400, 405, 406, 414, 418, 425, 430, 600]),
        ("forbidden", [401, 402, 403, 407, 451, 999]),
        ("not_found", [404]),
        ("timeout", [408]),
        ("gone", [410]),
        ("rate_limited", [420, 429]),
        ("server_error", [500, 502, 503, 504, 511, 521, 530]),
    ],
)
def test_a_status_has_its_outcome(outcome: str, statuses: list[int]) -> None:
    assert {status: word(response(status)) for status in statuses} == dict.fromkeys(statuses, outcome)


@given(st.integers(200, 999), st.binary(max_size=9))
def test_every_status_has_an_outcome(status: int, body: bytes) -> None:
    assert word(response(status, body)) in {"page", *OUTCOMES}


def test_an_answer_that_promises_nothing_and_gives_nothing_is_no_page() -> None:
    assert word(response(202, b"")) == "no_content"
    assert word(response(200, b"")) == "page"  # for extraction to judge


def test_html_is_a_page_and_a_picture_is_none() -> None:
    assert word(response(200, headers={"Content-Type": "application/xhtml+xml"})) == "page"
    assert fetches.judged(response(200, headers={"Content-Type": "image/PNG"})) == Lost("not_html", "image/png")


@pytest.mark.parametrize("header", [{"CF-Mitigated": "challenge"}, {"X-Amzn-WAF-Action": "captcha"}])
@pytest.mark.parametrize("status", [202, 403, 503])
def test_a_challenge_is_told_by_its_header(header: dict[str, str], status: int) -> None:
    assert word(response(status, headers=header)) == "bot_challenge"


def test_a_page_of_unknown_length_that_ends_early_is_truncated() -> None:
    assert word(response(200, b"<HTML><p>One", flags=["partial"])) == "truncated"
    assert word(response(200, b"<HTML><p>One</HTML>", flags=["partial"])) == "page"
    assert word(response(200, b"<p>One", flags=["partial"])) == "page"
    assert word(response(200, b"<html><p>One")) == "page"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://herald.example/b"),
        ("b?x=1#top", "https://herald.example/b?x=1"),
        ("?utm_source=x", "https://herald.example/a?utm_source=x"),  # no loop
        ("//www.herald.example/b", "https://www.herald.example/b"),
        ("http://HERALD.example:80/b ", "http://herald.example/b"),
        ("/caf\u00e9", "https://herald.example/caf%C3%A9"),
    ],
)
@pytest.mark.parametrize("status", sorted(fetches.REDIRECTS))
def test_a_redirect_leads_to_an_absolute_address(location: str, target: str, status: int) -> None:
    answer = response(status)
    answer.headers["Location"] = location.encode()
    assert fetches.redirect_target(answer) == target
    assert word(answer) == "bad_redirect"  # it is no page


@pytest.mark.parametrize(
    ("location", "outcome"),
    [
        (b"", "bad_redirect"),
        (b"http://[::1/", "bad_redirect"),
        (b"http://herald.example:x/", "bad_redirect"),
        (b"https://" + b"a" * 300 + b".example/", "bad_redirect"),
        (b"/" + b"a" * 9000, "bad_redirect"),
        (b"file:///etc/passwd", "unsupported_scheme"),
        (b"ftp://herald.example/b", "unsupported_scheme"),
        (b"javascript:alert(1)", "unsupported_scheme"),
        (b"data:text/html,hello", "unsupported_scheme"),
        (b"https://herald.example/a", "redirect_loop"),
        (b"?", "redirect_loop"),
    ],
)
def test_a_redirect_that_leads_nowhere(location: bytes, outcome: str) -> None:
    answer = response(302)
    answer.headers["Location"] = location
    lost = fetches.redirect_target(answer)
    assert isinstance(lost, Lost) and lost.outcome == outcome
    assert len(lost.detail) <= 300
    assert fetches.judged(answer) == lost


@given(st.binary(max_size=50))
def test_no_location_is_an_error(location: bytes) -> None:
    answer = response(302)
    answer.headers["Location"] = location
    target = fetches.redirect_target(answer)
    assert isinstance(target, Lost) or target.startswith(("http://", "https://"))


def lost(error: BaseException) -> Lost:
    return fetches.lost(Failure(error))  # type: ignore[no-untyped-call]


def page_error(reason: str, cause: BaseException | None = None) -> PageError:
    error = PageError("It went wrong.\nIn two lines.")
    error.reason, error.__cause__ = reason, cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (page_error("robots_forbidden"), "robots_forbidden"),
        (page_error("robots_unreachable"), "robots_unreachable"),
        (page_error("robots_unreachable", CannotResolveHostError()), "dns"),  # the page would meet the same
        (page_error("robots_unreachable", DownloadTimeoutError()), "robots_unreachable"),  # it might not
        (TimeoutError(), "timeout"),
        (OSError(), "connection"),
        (IgnoreRequest("max redirections reached"), "redirect_loop"),
        (IgnoreRequest("why not"), "ignored"),
        (ValueError("Port could not be cast to integer value"), "bad_redirect"),
        (RuntimeError(), "download_error"),
        (HttpError(response(404)), "not_found"),
        (HttpError(response(200)), "ignored"),
    ],
)
def test_an_error_has_its_outcome(error: Any, outcome: str) -> None:
    assert lost(error).outcome == outcome
    assert outcome in OUTCOMES


def test_a_person_is_told_in_one_line() -> None:
    assert lost(page_error("robots_forbidden")).detail == "It went wrong."
    assert lost(RuntimeError()).detail == "RuntimeError"
    assert len(lost(RuntimeError("x" * 1000)).detail) == 300
