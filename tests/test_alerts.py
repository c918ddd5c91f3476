"""Alerts, to receivers that are real: an HTTP server, an SMTP server, a program."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from crawler import alerts
from crawler.alerts import Notice, message, receivers
from crawler.errors import ConfigurationError
from tests.downloader.authority import Authority
from tests.post import Post, post, serving

AT = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


def notice(source: str | None = "herald", kind: str = "silent", **changes: Any) -> Notice:
    values: dict[str, Any] = {
        "severity": "fail",
        "detail": "0 articles in 26 h",
        "since": AT,
        "opened_at": AT,
    } | changes
    return Notice(source=source, kind=kind, **values)


class Hook(BaseHTTPRequestHandler):
    """Notes what it is told; `/status/500` says so, `/drip` sends a letter of its answer now and then."""

    bodies: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        status = int(self.path.rpartition("/")[2]) if "status" in self.path else 200
        if self.path == "/drip":
            for letter in b"HTTP/1.0 200 OK":
                self.wfile.write(bytes([letter]))
                self.wfile.flush()
                time.sleep(0.2)
            return
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Hook)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture(scope="module")
def office() -> Iterator[Post]:
    with post() as server:
        yield server


def test_every_receiver_gets_it_and_none_holds_up_another(hook: str, office: Post, tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    program = tmp_path / "program"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        f"open({str(said)!r}, 'w').write(json.dumps([json.load(sys.stdin), dict(os.environ)]))\n"
    )
    program.chmod(0o700)
    to = receivers(
        webhook=f"{hook}/key",
        email="a@x.example, b@x.example",
        smtp_url=f"smtp://watch%40x.example@127.0.0.1:{office.port}",
        smtp_password="secret",
        command=f"{program} 'two words'",
    )
    news = message([notice(detail="0 <articles> & none"), notice("courier", closed_at=AT)], watched=9, still=1)
    os.environ["ALERT_WEBHOOK"] = "secret"
    try:
        assert alerts.send(news, to) == {"webhook": None, "email": None, "command": None}
        assert alerts.send(news, to, but=("email", "command")) == {"webhook": None}
    finally:
        del os.environ["ALERT_WEBHOOK"]
    body = Hook.bodies[-1]
    assert body["text"].splitlines()[:2] == [
        "news crawler: herald: silent, 1 over",
        "- herald: silent: 0 &lt;articles&gt; &amp; none",
    ]
    assert [one["source"] for one in body["opened"]] == ["herald"]
    assert [one["source"] for one in body["recovered"]] == ["courier"]
    envelope, mail, _ = office.mails[-1]
    parsed = message_from_bytes(mail, policy=default)
    assert "a@x.example" in envelope and "b@x.example" in envelope
    assert (parsed["Subject"], parsed["From"]) == ("news crawler: herald: silent, 1 over", "watch@x.example")
    assert "0 <articles> & none" in parsed.get_content()
    given, environment = json.loads(said.read_text())
    assert given["subject"] == news.subject and given["open_count"] == 1
    assert environment.keys() <= {"PATH", "LC_ALL", "LC_CTYPE"}


def test_receivers_that_fail_say_why_and_no_secret(hook: str, office: Post) -> None:
    news = alerts.trial()
    for path, wrong in (("/secret/status/500", "it answered 500"), ("/secret/status/302", "it answered 302")):
        assert alerts.send(news, receivers(webhook=hook + path)) == {"webhook": wrong}
    gone = receivers(webhook="http://127.0.0.1:9/secret", command="false")
    told = alerts.send(news, gone)
    assert told["command"] == "it ended with 1"
    assert (told["webhook"] or "").startswith("it does not answer: ") and "secret" not in str(told)
    wrong_password = receivers(email="a@x.example", smtp_url=f"smtp://w:no@127.0.0.1:{office.port}")
    assert alerts.send(news, wrong_password) == {"email": "it refused user and password"}


def test_receivers_that_are_slow_are_left(hook: str) -> None:
    """One sends a letter of its answer now and then, one sleeps with a child that holds its pipes."""
    slow = receivers(webhook=f"{hook}/drip", command="sh -c 'sleep 60 & sleep 60'")
    told = alerts.send(alerts.trial(), slow, seconds=0.5)
    assert told == {"webhook": "it takes longer than 0.5 s", "command": "it had not ended after 0.5 s"}


def test_a_command_may_leave_something_behind(tmp_path: Path) -> None:
    """A daemon that keeps the streams it was given: the command has ended well, and nobody waits for the daemon."""
    number = tmp_path / "pid"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nsetsid sleep 60 &\necho $! > {number}\n")
    program.chmod(0o700)
    before = threading.active_count()
    try:
        assert alerts.send(alerts.trial(), receivers(command=str(program)), seconds=10) == {"command": None}
        assert threading.active_count() <= before
    finally:
        os.kill(int(number.read_text()), signal.SIGKILL)


def test_an_address_of_this_machine_is_not_asked_of_a_proxy(hook: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = hook.rpartition(":")[2]
    assert alerts.send(alerts.trial(), receivers(webhook=hook)) == {"webhook": None}
    assert alerts.send(alerts.trial(), receivers(webhook=f"http://localhost:{port}/")) == {"webhook": None}
    assert alerts.send(alerts.trial(), receivers(webhook=f"http://hook.example:{port}/"))["webhook"] is not None


def test_a_webhook_of_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Hook)) as server:
        server.socket = authority.context(["localhost"]).wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.server_port}/secret"
        wrong = alerts.send(alerts.trial(), receivers(webhook=url))["webhook"] or ""
        assert wrong.startswith("its certificate does not hold: ") and wrong.endswith(" own set SSL_CERT_FILE")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert alerts.send(alerts.trial(), receivers(webhook=url)) == {"webhook": None}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"webhook": "http://127.0.0.1/services/SECRET token"}, "ALERT_WEBHOOK is no http.*address$"),
        ({"webhook": "http://127.0.0.1/services/SECR\u00c9T"}, "ALERT_WEBHOOK is no http.*address$"),
        ({"webhook": "http://[::1/SECRET"}, "ALERT_WEBHOOK is no http.*address$"),
        ({"webhook": "http://127.0.0.1:SECRET/"}, "ALERT_WEBHOOK is no http.*address$"),
        ({"webhook": "file:///etc/passwd"}, "ALERT_WEBHOOK is no http"),
        ({"email": "a@x.example"}, "ALERT_EMAIL needs SMTP_URL"),
        ({"email": "nobody", "smtp_url": "smtp://x"}, "ALERT_EMAIL is no list"),
        ({"email": "a@x.example", "smtp_url": "smtp://x:port"}, "SMTP_URL is no URL"),
        (
            {"email": "a@x.example", "smtp_url": "smtp://x", "smtp_password": "SECRET"},
            "names no user for the password: [^S]*$",
        ),
        ({"email": "a@x.example", "smtp_url": "smtp://w:SECR%C3%89T@x"}, "may have ASCII letters only$"),
        ({"command": "no-such-program -x"}, "there is no program 'no-such-program'"),
        ({"command": "'"}, "ALERT_COMMAND cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, str], wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        receivers(**given)


def test_many_at_once_are_one_message_that_says_so() -> None:
    many = [notice(f"paper_{number}", "errors") for number in range(200)] + [notice(None, "no_worker")]
    said = message(many, watched=210, still=201)
    assert said.subject == "news crawler: 201 incidents (errors 200, no worker 1)"
    lines = said.text.splitlines()
    assert lines[1].startswith("200 of 210 sources are errors at once: look for one cause on this side first")
    assert lines[2].startswith("- the crawler: no worker: ")
    assert lines[-2:] == [
        "- and 193 more: errors 193",
        "201 incidents are open now; `scrapy health` shows how everything stands.",
    ]
    assert len(lines) < 15
