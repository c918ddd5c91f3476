"""A seed file as plain data: YAML without surprises. What is wrong with it is a SeedError with line and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml
from yaml.constructor import ConstructorError

from crawler.errors import SeedError
from crawler.seed_errors import kind_of, short

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML was built without libyaml; slower, the same answers
    from yaml import SafeLoader  # type: ignore[assignment]

_YAML = "tag:yaml.org,2002:"


class _SeedLoader(SafeLoader):
    """YAML 1.1 without its traps: NO, 12:30, 010 and 2026-01-01 are text, and a key may stand only once."""

    # Emptied, and filled below with text, true and false, whole numbers and null.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (the parent declares it so)
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}

    def whole_list(self, node: yaml.SequenceNode) -> list[Any]:
        return self.construct_sequence(node, deep=True)

    def text_keyed(self, node: yaml.MappingNode) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                wrong = f"key {key!r} stands twice" if isinstance(key, str) else f"key {key!r} is not text"
                raise ConstructorError(None, None, wrong, key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def refused(self, node: yaml.Node) -> None:
        raise ConstructorError(None, None, f"tag {node.tag!r} is not allowed", node.start_mark)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
):
    _SeedLoader.add_implicit_resolver(f"{_YAML}{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_SeedLoader.add_constructor(f"{_YAML}str", lambda _, node: node.value)
_SeedLoader.add_constructor(f"{_YAML}bool", lambda _, node: node.value.lower() == "true")
_SeedLoader.add_constructor(f"{_YAML}int", lambda _, node: int(node.value))
_SeedLoader.add_constructor(f"{_YAML}null", lambda _, node: None)
_SeedLoader.add_constructor(f"{_YAML}seq", _SeedLoader.whole_list)
_SeedLoader.add_constructor(f"{_YAML}map", _SeedLoader.text_keyed)
_SeedLoader.add_constructor(None, _SeedLoader.refused)


def read_mapping(path: Path) -> dict[str, Any]:
    """What the file holds. Raises SeedError."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_SeedLoader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise SeedError(f"{path}: {_reading_problem(error)}") from None
    if data is None:
        raise SeedError(f"{path}: the file is empty; name and homepage are required")
    if not isinstance(data, dict):
        raise SeedError(f"{path}: must be a mapping of key: value, not {kind_of(data)}")
    return data


def _reading_problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {short(str(error.problem))}"
    return short(" ".join(str(error).split()))
