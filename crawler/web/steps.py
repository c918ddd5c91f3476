"""What a command is doing, a line a step, on a terminal; nothing elsewhere, where only the result counts."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.status import Status
from rich.text import Text

from crawler.printing import printer


class Steps:
    """On standard error. The present step has a sign that moves; earlier ones stay above it."""

    def __init__(self) -> None:
        self.console = printer(stderr=True)
        self.status: Status | None = None
        self.step = ""

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self.status = self.console.status("")
            self.status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.status:
            self.status.stop()

    def say(self, step: str) -> None:
        """Begin a step."""
        if self.status is None:
            return
        if self.step:
            self.console.print(Text(f"  {self.step}", style="dim"), soft_wrap=True)
        self.step = step
        self.status.update(Text(step))
