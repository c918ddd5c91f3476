"""RFC 9309, line by line: what a robots.txt allows our crawler, `Test-Bot`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from protego import Protego
from scrapy.robotstxt import ProtegoRobotParser

from crawler.downloader.robots_rules import rules_for

SITE = "https://herald.example"


def parser(text: str, token: str = "Test-Bot") -> ProtegoRobotParser:
    return ProtegoRobotParser(rules_for(token, text.lstrip("\ufeff")).encode(), None)


def allowed(text: str, path: str) -> bool:
    return parser(text).allowed(SITE + path, "Test-Bot")


DENY = "Disallow: /\n"
TWICE = "User-agent: Test-Bot\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: test-bot\nDisallow: /b"
OTHERS = "User-agent: *\nDisallow: /\n"


@pytest.mark.parametrize(
    ("text", "path", "verdict"),
    [
        # -- which group is ours (2.2.1)
        ("", "/a", True),
        (OTHERS, "/a", False),
        (f"{OTHERS}User-agent: test-BOT\nAllow: /", "/a", True),
        (f"User-agent: Test-Bot\n\n{OTHERS}", "/a", False),  # an empty line ends no list of names
        (f"{OTHERS}User-agent: Test-Bot\nDisallow: /b", "/a", True),  # ours, and not the one for all beside it
        (f"User-agent: other\nUser-agent: Test-Bot\n{DENY}", "/a", False),
        (TWICE, "/b", False),
        (TWICE, "/a", False),
        (TWICE, "/c", True),
        (f"User-agent: Test\n{DENY}", "/a", True),  # a part of our name is not our name
        (f"User-agent: Bot\n{DENY}", "/a", True),
        (f"User-agent: T\nAllow: /\n{OTHERS}", "/a", False),
        (f"User-agent: Test-Bot-News\n{DENY}", "/a", True),
        (f"User-agent: Test-Bot/2.1 (news)\n{DENY}", "/a", False),
        (f"User-agent: Test-Bot*\n{DENY}", "/a", False),
        (f"User-agent: Test-Bot\nCrawl-delay: 5\nUser-agent: x\n{DENY}", "/a", False),  # no rule between the names
        (f"User-agent: Test-Bot\nSitemap: /s.xml\nUser-agent: x\n{DENY}", "/a", False),
        (f"User-agent: Test-Bot\nNoindex: /\nUser-agent: x\n{DENY}", "/a", False),
        (f"User-agent: Test-Bot\nDisallow:\nUser-agent: x\n{DENY}", "/a", True),  # an empty rule is one
        (f"{DENY}User-agent: Test-Bot\nAllow: /", "/a", True),  # a rule for nobody
        # -- which rule counts (2.2.2)
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a", "/a/c", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        ("User-agent: *\nDisallow: /A", "/a", True),
        ("User-agent: *\nDisallow: /a", "/ab", False),
        ("User-agent: *\nDisallow: /a?b=1", "/a?b=12", False),
        ("User-agent: *\nDisallow: a", "/a", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        # -- special characters (2.2.3)
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", True),
        ("User-agent: *\nDisallow: /a$", "/ab", True),
        ("User-agent: *\nDisallow: /*/b*c", "/x/bxxc/d", False),
        ("User-agent: *\nDisallow: /a # all of it", "/a", False),
        ("User-agent: *\nDisallow: /a%2Fb", "/a/b", True),
        ("User-agent: *\nDisallow: /a%3cd", "/a%3Cd", False),
        ("User-agent: *\nDisallow: /%62", "/b", False),
        ("User-agent: *\nDisallow: /caf\u00e9", "/caf%C3%A9", False),
        ("User-agent: *\nDisallow: /caf%c3%a9", "/caf\u00e9", False),
        ("User-agent: *\nDisallow: /x*%2A", "/xyz", True),
        # -- how it is written
        ("\ufeffUser-agent: *\nDisallow: /a", "/a", False),
        ("User-agent: *\rDisallow: /a\rDisallow: /b", "/a", False),
        ("User-agent: *\r\n\r\nDisallow: /a", "/a", False),
        ("USER-AGENT : *\n  disallow :/a", "/a", False),
        ("User agent *\nDisalow /a", "/a", False),
        ("User-agent: *\nDisallow: /a\u2028Allow: /a/b", "/a/c", True),  # no end of a line
        ("<!DOCTYPE html><p>Disallow: /", "/a", True),
    ],
)  # fmt: skip
def test_what_is_allowed(text: str, path: str, verdict: bool) -> None:
    assert allowed(text, path) is verdict


def test_crawl_delay_goes_for_every_name_above_it_and_the_longest_counts() -> None:
    text = (
        "User-agent: test-bot\nUser-agent: x\nCrawl-delay: 2\nDisallow: /a\n\nUser-agent: Test-Bot\nCrawl-delay: 7.5\n"
    )
    assert parser(text).crawl_delay("Test-Bot") == 7.5
    assert parser(text, "x").crawl_delay("x") == 2
    for broken in ("soon", "-1", "nan", "inf", "", "1,5"):
        assert parser(f"User-agent: *\nCrawl-delay: {broken}").crawl_delay("Test-Bot") is None


def test_sitemaps_are_everybodys() -> None:
    text = "Sitemap: https://a.example/1.xml\nUser-agent: x\nDisallow: /\nSitemap: https://a.example/2.xml"
    assert list(parser(text).rp.sitemaps) == ["https://a.example/1.xml", "https://a.example/2.xml"]


@given(st.text(alphabet=st.sampled_from("User-agent:*Disallow/Crawl delayTst B#\r\n "), max_size=200))
def test_no_text_is_an_error(text: str) -> None:
    assert isinstance(allowed(text, "/a"), bool)


class TestProtego:
    """Where it differs by itself. When one of these tests fails, it has mended that."""

    def verdict(self, text: str) -> bool:
        return Protego.parse(text).can_fetch(f"{SITE}/a", "Test-Bot")

    def test_a_part_of_a_name_is_taken_for_it(self) -> None:
        assert self.verdict(f"User-agent: T\nAllow: /\n{OTHERS}")

    def test_a_version_hides_the_name(self) -> None:
        assert self.verdict(f"User-agent: Test-Bot/2.1\n{DENY}")

    def test_a_crawl_delay_ends_the_list_of_names(self) -> None:
        assert self.verdict(f"User-agent: Test-Bot\nCrawl-delay: 5\nUser-agent: x\n{DENY}")
