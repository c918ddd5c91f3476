"""A command of the owner's, with the alert as JSON on its standard input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import IO

from crawler.alerts.message import Message
from crawler.errors import ConfigurationError, StoreError

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REAPED = 1.0  # seconds in which a killed one is gone
COMPLAINT = 4_000  # bytes of its stderr's end that are looked at
ENVIRONMENT = {"PATH": SEARCHED, "LC_ALL": "C.UTF-8"}  # nothing of ours: it has secrets


class Command:
    """Without a shell. Raises ConfigurationError for what cannot be run."""

    name = "command"

    def __init__(self, line: str) -> None:
        try:
            self.words = shlex.split(line)
        except ValueError as error:
            raise ConfigurationError(f"ALERT_COMMAND cannot be read: {error}") from None
        if not self.words or shutil.which(self.words[0], path=SEARCHED) is None:
            raise ConfigurationError(f"ALERT_COMMAND: there is no program {self.words[0] if self.words else ''!r}")

    def send(self, message: Message, seconds: float) -> None:
        """What does not end in time is killed, with what it has started. Raises StoreError."""
        body = json.dumps({"subject": message.subject, "text": message.text, **message.values}).encode()
        # Files, no pipes: what it leaves behind may hold them open for as long as it likes.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(body)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    self.words,
                    stdin=given,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env=ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                raise StoreError(f"it cannot be run: {error.strerror}") from None
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise StoreError(f"it had not ended after {seconds:g} s") from None
            if process.returncode:
                raise StoreError(f"it ended with {process.returncode}{_last_line(said)}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With what it has started. One of another user's (sudo) is left: it is told of all the same."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=REAPED)


def _last_line(said: IO[bytes]) -> str:
    said.seek(max(said.seek(0, os.SEEK_END) - COMPLAINT, 0))
    lines = said.read(COMPLAINT).decode(errors="replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""
