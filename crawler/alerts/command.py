"""A command of the owner's, with the alert as JSON on its standard input."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress

from crawler.alerts.message import Message
from crawler.errors import ConfigurationError, StoreError

SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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
        try:
            process = subprocess.Popen(
                self.words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise StoreError(f"it cannot be run: {error.strerror}") from None
        try:
            _, complaint = process.communicate(body, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise StoreError(f"it had not ended after {seconds:g} s") from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        if process.returncode:
            lines = complaint.decode(errors="replace").strip().splitlines()
            raise StoreError(f"it ended with {process.returncode}{': ' + lines[-1][:200] if lines else ''}")
