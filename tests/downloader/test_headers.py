"""The pure functions: what a header, a user agent and a robots.txt say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from crawler.downloader.retry import backoff
from crawler.downloader.robots import MOST_BYTES, head, product_token
from crawler.downloader.slots import retry_after

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        (b"", 0),
        (b"soon", 0),
        (b"-5", 0),
        (b"\xb2", 0),
        (b" 120 ", 120),
        (b"9" * 5000, float("inf")),
        (b"Sun, 01 Nov 2026 12:01:30 GMT", 90),
        (b"Sun, 01 Nov 2026 12:01:30 -0000", 90),
        (b"Sun, 01 Nov 2026 13:01:30 +0100", 90),
        (b"Sun, 01 Nov 2026 11:00:00 GMT", 0),
        (b"Sun, 99 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_retry_after(value: bytes | None, seconds: float) -> None:
    assert retry_after(value, now=NOW) == seconds


@pytest.mark.parametrize(("attempt", "ceiling"), [(1, 1), (2, 2), (4, 8), (9, 60), (5000, 60)])
def test_backoff_doubles_up_to_the_longest(attempt: int, ceiling: float) -> None:
    waits = [backoff(attempt, base=1, longest=60) for _ in range(100)]
    assert ceiling / 2 <= min(waits) < max(waits) <= ceiling


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("NewsBot/1.0 (+https://bot.example)", "NewsBot"),
        ("NewsBot", "NewsBot"),
        ("News Bot/2", "News"),
        ("", "*"),
        ("/", "*"),
    ],
)
def test_product_token(user_agent: str, token: str) -> None:
    assert product_token(user_agent) == token


def test_head_ends_with_a_whole_line() -> None:
    body = b"Disallow: /archive\n" * 30_000
    assert len(body) > MOST_BYTES >= len(head(body))
    assert head(body).endswith(b"Disallow: /archive")
    assert head(b"Allow: /") == b"Allow: /"
