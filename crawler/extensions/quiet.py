"""Commands whose output is not a log."""

from __future__ import annotations

import argparse
import signal

from scrapy.commands import ScrapyCommand

from crawler.extensions.log_format import leave_out_inventory, set_up_json


class QuietCommand(ScrapyCommand):
    """Of its log, only errors are shown, unless the user asks for more (`-L`)."""

    def process_options(self, args: list[str], opts: argparse.Namespace) -> None:
        super().process_options(args, opts)
        leave_out_inventory()
        assert self.settings is not None
        if not opts.loglevel:
            self.settings.set("LOG_LEVEL", "ERROR", priority="cmdline")
        set_up_json(self.settings)


def end_with_the_reader() -> None:
    """`scrapy db describe | head`: who only prints ends when nobody reads on, as other programs do."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
