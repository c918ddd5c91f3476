"""A process that has imported the program and is forked for each `scrapy ...` of the tests, which then starts at once.

Two cores would spend a minute and more of a test run on importing the same modules hundreds of times. What runs is
still a process of its own, with its own environment, arguments, settings and reactor: none of them is imported or
made before the fork. `Bench.start` starts the program as its users do, for tests of signals, kills and starting.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from pathlib import Path

from scrapy.utils.misc import walk_modules_iter

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("crawler.commands", "crawler.spiders", "crawler.pipelines", "crawler.downloader", "crawler.extensions")
SCRAPYS = (
    "cmdline",
    "commands",
    "core.engine",
    "core.scheduler",
    "core.downloader.handlers.http11",
    "dupefilters",
    "downloadermiddlewares",
    "extensions.corestats",
    "extensions.memusage",
    "extensions.throttle",
    "pqueues",
    "spidermiddlewares",
    "squeues",
    "statscollectors",
)
NOT_YET = ("crawler.settings", "twisted.internet.reactor")  # they look at the environment, or at what runs
MESSAGE = 1 << 18  # bytes
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "USER", "LOGNAME")  # of the tests' environment
_starting = threading.Lock()


# -- in the tests ----------------------------------------------------------------------------------------------------


def run(
    arguments: Sequence[str], environment: Mapping[str, str], given: bytes | None, timeout: float
) -> tuple[int, bytes, bytes]:
    """`scrapy ARGUMENTS` to its end: its status, as subprocess has it, and what it printed. Raises TimeoutError."""
    with ExitStack() as stack:
        pipes = [os.pipe() for _ in range(3)]
        (theirs_in, ours_in), (ours_out, theirs_out), (ours_err, theirs_err) = pipes
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        message = json.dumps([list(arguments), dict(environment)]).encode()
        socket.send_fds(_control(), [message], [theirs_in, theirs_out, theirs_err, theirs.fileno()])
        theirs.close()
        for fd in (theirs_in, theirs_out, theirs_err):
            os.close(fd)
        threads = stack.enter_context(ThreadPoolExecutor(3))
        threads.submit(_write, ours_in, given or b"")
        out, err = (threads.submit(_read, fd) for fd in (ours_out, ours_err))
        ours.settimeout(timeout)
        with ours.makefile() as answer:
            pid = int(answer.readline())
            try:
                status = int(answer.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise
        return status, out.result(), err.result()


def passed_on() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def _read(fd: int) -> bytes:
    with open(fd, "rb") as file:
        return file.read()


def _write(fd: int, given: bytes) -> None:
    with suppress(BrokenPipeError), open(fd, "wb") as file:  # of one that does not read
        file.write(given)


def _control() -> socket.socket:
    with _starting:  # a bench runs several at a time
        return _started()


@cache
def _started() -> socket.socket:
    """Where the zygote of this process listens; it ends when that is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command, nowhere = [sys.executable, "-m", "tests.zygote", str(theirs.fileno())], subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=PROJECT, env=passed_on(), pass_fds=[theirs.fileno()], stdin=nowhere, stdout=nowhere
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# -- in the zygote ---------------------------------------------------------------------------------------------------


def prepare() -> None:
    for name in (*PACKAGES, *(f"scrapy.{name}" for name in SCRAPYS)):
        for _ in walk_modules_iter(name):
            pass
    import_module("numpy.random")
    assert not sys.modules.keys() & set(NOT_YET) and threading.active_count() == 1
    gc.freeze()


def await_call(control: socket.socket) -> list[str]:
    """Returns in a forked process whose part it is to run what it returns; its streams and environment are set."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE, 4)
        if not message:
            os._exit(0)
        if not os.fork():
            break
        for fd in fds:
            os.close(fd)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control.close()
    *streams, reply = fds
    if pid := os.fork():
        for fd in streams:
            os.close(fd)
        os.write(reply, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(reply, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    os.close(reply)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    arguments, environment = json.loads(message)
    os.environ.clear()
    os.environ.update(environment)
    return list(arguments)


if __name__ == "__main__":
    prepare()
    sys.argv = ["scrapy", *await_call(socket.socket(fileno=int(sys.argv[1])))]
    runpy.run_module("scrapy", run_name="__main__", alter_sys=True)
