"""`python -m tests.site [--port 0] [--many N] [--faults] [--seeds DIR]`: the URL is the first line of its output."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from tests.site.newspaper import Newspaper


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.site", description="Serve the fake newspaper.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--many", type=int, default=0, metavar="N", help="add N generated articles")
    parser.add_argument("--faults", action="store_true", help="serve the publication that is all mistakes")
    parser.add_argument("--seeds", type=Path, metavar="DIR", help="write a seed file for each publication")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Newspaper(faults=options.faults, many=options.many, port=options.port) as paper:
        if options.seeds:
            paper.write_seeds(options.seeds)
        print(paper.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
