"""The golden pages by name, and what extraction makes of each today."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from crawler.extraction import extract
from crawler.items import Extraction

HERE = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in (HERE / "pages").glob("*.html")))


def truth(name: str) -> dict[str, Any]:
    """What a person wrote down about a page. A key that is not there is not judged; `url` always is there."""
    given = yaml.safe_load((HERE / "truth" / f"{name}.yaml").read_text("utf-8"))
    assert isinstance(given, dict), f"truth/{name}.yaml is no mapping"
    return given


def known() -> dict[str, dict[str, str]]:
    """page -> kind of check -> what is wrong with extraction, as `known.yaml` has it."""
    return yaml.safe_load((HERE / "known.yaml").read_text("utf-8")) or {}


def expected_path(name: str) -> Path:
    """Where the last `make golden-update` wrote what extraction gives."""
    return HERE / "expected" / f"{name}.yaml"


@cache
def extraction(name: str) -> Extraction:
    """Once a run: no check changes it."""
    return extract((HERE / "pages" / f"{name}.html").read_bytes(), truth(name)["url"])
