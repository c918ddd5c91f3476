"""A server on loopback that writes bytes as they are told: answers that no web server library would send."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[str, socket.socket], object]  # path; what is true keeps the connection for another request


@dataclass
class Wire:
    """The running server. Paths are in the order in which they came."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)


@contextmanager
def wire(script: Script, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Wire]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    running = Wire()
    closing = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server((address, 0), family=family) as listener:
        running.port = listener.getsockname()[1]
        listener.settimeout(0.05)

        def accept() -> None:
            while not closing.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    connection.settimeout(20)
                    threads.append(threading.Thread(target=_serve, args=(connection, script, tls, running)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield running
        finally:
            closing.set()
            for connection in running.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


def _serve(connection: socket.socket, script: Script, tls: ssl.SSLContext | None, running: Wire) -> None:
    running.connections.append(connection)
    with suppress(OSError):
        stream = tls.wrap_socket(connection, server_side=True) if tls else connection
        with stream:
            while path := _asked(stream):
                running.paths.append(path)
                if not script(path, stream):
                    break
    connection.close()


def _asked(connection: socket.socket) -> str:
    """The path of the next request; empty when there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65_536)
        if not piece:
            return ""
        head += piece
        if head.startswith(b"\x16\x03"):  # TLS, which a server for plain HTTP takes for a bad request
            return "/"
    return head.split(b" ", 2)[1].decode()


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An answer with its Content-Length, or with a false one, and the end of the connection."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", "Connection: close", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def reset(connection: socket.socket) -> None:
    """End a connection with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
