"""E-mail over TLS: servers that are real, each right or wrong in one way."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from crawler import alerts
from crawler.alerts import receivers
from tests.downloader.authority import Authority
from tests.post import LOGIN, Post, post

HOST = "mail.test"  # not by its loopback address: with this machine, clear text is in order


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def starting(authority: Authority) -> Iterator[Post]:
    with post(authority.context([HOST])) as server:
        yield server


@pytest.fixture(scope="module")
def wrapping(authority: Authority) -> Iterator[Post]:
    with post(authority.context([HOST]), wrapped=True) as server:
        yield server


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name of `.test` is this machine."""
    asked = socket.getaddrinfo

    def answer(host: str, *rest: Any, **more: Any) -> Any:
        return asked("127.0.0.1" if str(host).endswith(".test") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def _trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


def sent(url: str, *, password: str = "secret", to: str = "a@x.example", seconds: float = 10) -> str | None:
    """What went wrong."""
    told = alerts.send(alerts.trial(), receivers(email=to, smtp_url=url, smtp_password=password), seconds=seconds)
    assert password not in str(told)
    return told["email"]


@pytest.mark.usefixtures("_trusted")
def test_what_is_sent_goes_over_tls(starting: Post, wrapping: Post) -> None:
    for scheme, server in (("smtp", starting), ("smtps", wrapping)):
        assert sent(f"{scheme}://watch%40x.example@{HOST}:{server.port}") is None
        to, mail, secure = server.mails.pop()
        assert secure and "a@x.example" in to and b"Subject: news crawler: a test" in mail
        assert (
            sent(f"{scheme}://watch%40x.example@{HOST}:{server.port}", password="no") == "it refused user and password"
        )
    assert [line.split()[0] for line in starting.clear] == ["ehlo", "STARTTLS"] * 2
    assert wrapping.clear == []


def test_a_certificate_that_nobody_knows_is_refused_and_can_be_trusted(starting: Post, wrapping: Post) -> None:
    for scheme, server in (("smtp", starting), ("smtps", wrapping)):
        wrong = sent(f"{scheme}://watch%40x.example@{HOST}:{server.port}") or ""
        assert wrong.startswith("its certificate does not hold: ")
        assert wrong.endswith("; for an authority of your own set SSL_CERT_FILE")
        assert server.mails == [] and not any("AUTH" in line for line in server.clear)


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_for_another_name_or_of_another_time_is_refused(authority: Authority) -> None:
    for names, end, wrong in ((["other.test"], 30, "not valid for 'mail.test'"), ([HOST], 0, "has expired")):
        with post(authority.context(names, start=-3, end=end), wrapped=True) as server:
            said = sent(f"smtps://watch%40x.example@{HOST}:{server.port}") or ""
            assert wrong in said and "SSL_CERT_FILE" not in said


def test_without_starttls_nothing_is_told_in_clear() -> None:
    with post() as server:
        wrong = sent(f"smtp://watch%40x.example@{HOST}:{server.port}")
        assert wrong == "it offers no STARTTLS and nothing is sent in clear; mail.test may have smtps://"
        assert [line.split()[0] for line in server.clear] == ["ehlo"]
        wrong = sent(f"smtps://watch%40x.example@{HOST}:{server.port}", seconds=2)
        assert wrong == "it was not sent: there is no TLS on that port; is it smtp://, port 587?"
        assert not any(LOGIN in line for line in server.clear)


def test_this_machines_own_server_is_believed(authority: Authority) -> None:
    """Its certificate is for another name, as a rule, and what it takes in clear stays here."""
    with post(authority.context([HOST], signed=False)) as server:
        assert sent(f"smtp://watch%40x.example@localhost:{server.port}") is None
        assert server.mails[0][2] and not any(LOGIN in line for line in server.clear)


@pytest.mark.usefixtures("_trusted")
def test_a_server_that_hangs_is_left(wrapping: Post) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for scheme in ("smtp", "smtps"):
            url = f"{scheme}://watch%40x.example@{HOST}:{deaf.getsockname()[1]}"
            assert sent(url, seconds=0.2) == "it does not answer within 0.2 s"
    # TLS from the start is waited for by the server, a greeting by us
    assert sent(f"smtp://watch%40x.example@{HOST}:{wrapping.port}", seconds=0.2) == "it does not answer within 0.2 s"


@pytest.mark.usefixtures("_trusted")
def test_who_is_not_taken_is_told_of(wrapping: Post, caplog: pytest.LogCaptureFixture) -> None:
    url = f"smtps://watch%40x.example@{HOST}:{wrapping.port}"
    refused = "nobody@x.example: 550 5.1.1 there is no such person"
    assert sent(url, to="nobody@x.example") == f"it was not sent: {refused}"
    with caplog.at_level(logging.WARNING):
        assert sent(url, to="nobody@x.example, a@x.example") is None
    assert "alert by email: nobody@x.example is refused: 550 5.1.1 there is no such person" in caplog.text
    wrapping.mails.clear()
