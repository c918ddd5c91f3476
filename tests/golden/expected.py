"""An extraction as canonical YAML: all that it says but floats, which change with every training."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import yaml

from crawler.items import Extraction

WIDTH = 118
FIGURES = frozenset(("page_type_confidence", "confidence", "score"))
LAST = ("posts", "blocks")


def dump(found: Extraction) -> str:
    """Fields in the order of `Extraction`, what is empty left out; then each block with its reason and rule."""
    values = _plain(found)
    # The type's evidence is a sum of weights; the weights are figures too.
    values["evidence"] = {name: where for name, where in sorted(found.evidence.items()) if name != "page_type"}
    for name in LAST:
        if name in values:
            values[name] = values.pop(name)
    header = "# Written by `make golden-update`. Do not edit: what is right stands in truth/.\n"
    return header + yaml.dump(values, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=WIDTH)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        given = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in FIGURES}
        return {name: _plain(part) for name, part in given.items() if part is not None and part not in ((), {})}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
