"""A log for programs that collect logs: each line is one JSON object, whatever a message holds, and nothing else.

    {"time": "2026-11-26T04:30:00.123Z", "level": "WARNING", "logger": "crawler.pipelines.extract", "message": "…",
     "spider": "bbc", "source": "bbc", "crawl": 17, "job": 5, "exception": "Traceback …"}

What a line is about (spider, source, crawl, job) is known where a crawl begins, and what it starts inherits it.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

START = '{"time": "'  # of a line
about: ContextVar[dict[str, Any]] = ContextVar("about", default={})  # noqa: B039 (tell() replaces it)
logger = logging.getLogger(__name__)


def tell(**more: Any) -> None:
    """Let the lines of this crawl, those of its tasks that run already too, say so."""
    words = about.get()
    if not words:
        about.set(words := {})
    words.update(more)


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        instant = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {
            "time": instant.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **{name: value for name, value in about.get().items() if value is not None},
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            said["stack"] = record.stack_info
        return json.dumps(said, default=str)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # a library's mistake is no reason to lose its words
        return f"{record.msg} {record.args}"


class LoggedStream(io.TextIOBase):
    """Stands for standard error: what is printed there becomes lines of the log, if it is none of a child's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._begun = stream, ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.startswith(START):
                self._stream.write(f"{line}\n")
                self._stream.flush()
            elif line.strip():
                logging.getLogger("stderr").error("%s", line.rstrip())
        return len(text)

    def fileno(self) -> int:
        return self._stream.fileno()  # children write where we do


def install(level: str | int, file: str | None = None, *, append: bool = True) -> None:
    """Have every line of this process's log, warnings and uncaught exceptions included, in JSON. Once or again."""
    for known in [one for one in logging.root.handlers if isinstance(one.formatter, JsonFormatter)]:
        logging.root.removeHandler(known)
        known.close()
    handler = (
        logging.FileHandler(file, "a" if append else "w", encoding="utf-8")
        if file
        else logging.StreamHandler(sys.__stderr__)
    )
    handler.setFormatter(JsonFormatter())
    handler.setLevel(level)
    logging.root.setLevel(logging.NOTSET)
    logging.root.addHandler(handler)
    logging.raiseExceptions = (
        False  # a line that cannot be written: logging would print so where we log what is printed
    )
    logging.captureWarnings(True)
    if not file and not isinstance(sys.stderr, LoggedStream):
        sys.stderr = LoggedStream(sys.stderr)
    sys.excepthook = _uncaught
    threading.excepthook = lambda given: _uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if kind is not KeyboardInterrupt and error is not None:
        logger.critical("%s: %s", kind.__name__, error, exc_info=(kind, error, trace))
