"""A mail server: as much of SMTP as it takes to take a mail, with STARTTLS, with TLS from the start, or without any."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar, cast

LOGIN = "AHdhdGNoQHguZXhhbXBsZQBzZWNyZXQ="  # watch@x.example, secret
Server = TypeVar("Server", bound=socketserver.TCPServer)


class Post(socketserver.ThreadingTCPServer):
    """`tls`: its certificate; `wrapped`: TLS from the start, not by STARTTLS.

    `mails`: receivers, the mail, and whether it came over TLS. `clear`: the commands that came without.
    It takes no mail for an address that begins with `nobody`.
    """

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None, *, wrapped: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.tls, self.wrapped = tls, wrapped
        self.mails: list[tuple[str, bytes, bool]] = []
        self.clear: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def post(tls: ssl.SSLContext | None = None, *, wrapped: bool = False) -> Iterator[Post]:
    with serving(Post(tls, wrapped=wrapped)) as server:
        yield server


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """While it serves."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.post, self.secure = cast(Post, self.server), False
        with suppress(OSError):  # who does not believe the certificate ends it
            if self.post.wrapped:
                self.wrap()
            self.talk()

    def talk(self) -> None:
        self.say("220 here")
        to = ""
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if not self.secure:
                self.post.clear.append(line)
            if verb == "EHLO":
                offers = "" if self.secure or not self.post.tls else "250-STARTTLS\r\n"
                self.say(f"250-here\r\n{offers}250 AUTH PLAIN")
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.wrap()
            elif verb == "AUTH":
                self.say("235 yes" if line.endswith(LOGIN) else "535 no")
            elif verb == "RCPT" and "<nobody" in line:
                self.say("550 5.1.1 there is no such person")
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.post.mails.append((to, b"".join(lines), self.secure))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                to += line if verb == "RCPT" else ""
                self.say("250 fine")

    def wrap(self) -> None:
        assert self.post.tls
        self.request = self.connection = self.post.tls.wrap_socket(self.connection, server_side=True)
        self.secure = True
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.connection.close()
