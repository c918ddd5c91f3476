"""newsweb with as many hosts as a scenario wants: `--hosts N --each M`, then newsweb's own options.

Run by newsweb's Python with its folder in PYTHONPATH (benchmarks/served.py does). Hosts of the saved pages come first,
each with at most M articles; the rest are invented. The first line of output is when its clock of publishing began.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections import Counter
from typing import Any

from newsweb import __main__ as program
from newsweb import dataset, sites, synthetic

ORIGINAL_LOAD, ORIGINAL_BUILD = dataset.load, sites.build


def main() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--each", type=int, required=True)
    ours, sys.argv[1:] = parser.parse_known_args()

    def load(folders: list[str], _: int) -> list[Any]:
        count = Counter[str]()
        found = [one for one in ORIGINAL_LOAD(folders) if not count.update([one.host]) and count[one.host] <= ours.each]
        found = [one for one in found if one.host in sorted(count)[: ours.hosts]]
        missing = max(0, ours.hosts - len(count))
        made = synthetic.make_articles(missing * ours.each)
        return found + [moved(one, f"www.paper{n % missing}.test").load() for n, one in enumerate(made)]

    def build(*arguments: Any) -> Any:
        made = ORIGINAL_BUILD(*arguments)
        now = time.time()
        for site in made.values():
            site.started = now
        print(now, flush=True)
        return made

    dataset.load, sites.build = load, build
    program.main()


def moved(article: Any, host: str) -> Any:
    """The invented article at another host."""
    old, new = article.host, host
    return dataclasses.replace(
        article, url=article.url.replace(old, new), text=article.text.replace(old.encode(), new.encode())
    )


if __name__ == "__main__":
    main()
