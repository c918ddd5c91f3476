"""`make golden-update`: write what extraction gives today to `expected/`, unless the truth says that it is wrong.

What is wrong and known stands in `known.yaml`. Anything else that is wrong stops the update: nothing is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.golden.checks import CHECKS
from tests.golden.expected import dump
from tests.golden.pages import HERE, NAMES, expected_path, extraction, known, truth


def main() -> int:
    """The exit code: 1 when nothing was written."""
    refused = list(refusals())
    if refused:
        print("\n".join((*refused, f"Nothing written: {len(refused)} checks fail that passed.")), file=sys.stderr)
        return 1
    for line in mended():
        print(line)
    print(f"{write()} of {len(NAMES)} expected files changed; read `git diff tests/golden/expected`.")
    return 0


def refusals() -> Iterator[str]:
    """Each check that fails and is not known to: the page, the kind and what is wrong."""
    listed = known()
    for name in NAMES:
        for kind, check in CHECKS.items():
            wrong = check(truth(name), extraction(name))
            if wrong and kind not in listed.get(name, {}):
                yield "\n  ".join((f"{name}: {kind}", *wrong))


def mended() -> Iterator[str]:
    """Each entry of known.yaml that is known no more: the test fails until it is taken out."""
    for name, kinds in known().items():
        for kind in kinds:
            if name in NAMES and not CHECKS[kind](truth(name), extraction(name)):
                yield f"{name}: {kind} is right now; take it out of tests/golden/known.yaml"


def write() -> int:
    """How many files changed. Those of pages that are gone go too."""
    (HERE / "expected").mkdir(exist_ok=True)
    changed = 0
    for path in (HERE / "expected").glob("*.yaml"):
        if path.stem not in NAMES:
            path.unlink()
            changed += 1
    for name in NAMES:
        path, text = expected_path(name), dump(extraction(name))
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.exit(main())
