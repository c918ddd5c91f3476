"""What is wrong with a seed, in words for who wrote it: the key, what it should be, and what it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MOST, LONGEST = 20, 500  # problems of a seed that are told, and characters of each: a file may be no seed at all
VALUE = 80  # characters of a value

Keys = Mapping[int | str, Sequence[str]]  # the keys that may stand under a key; those of the seed itself under ""


def problems(error: ValidationError, keys: Keys) -> Iterator[str]:
    """A line for each thing that is wrong."""
    details = error.errors(include_url=False)
    yield from (short(line) for line in _problems(details[:MOST], keys))
    if len(details) > MOST:
        yield f"and {len(details) - MOST:,} more problems"


def short(text: str, most: int = LONGEST) -> str:
    """On one line, and without what is too much of it."""
    text = " ".join(text[: 2 * most].splitlines())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _problems(details: Sequence[ErrorDetails], keys: Keys) -> Iterator[str]:
    for detail in details:
        *parents, key = detail["loc"]
        if detail["type"] == "extra_forbidden":
            allowed = keys[parents[0] if parents else ""]
            yield ": ".join(filter(None, [_dotted(parents), unknown_key(str(key), allowed)]))
        else:
            name = "file name" if detail["loc"] == ("id",) else _dotted(detail["loc"])
            yield f"{name}: {_meaning(detail, keys.get(detail['loc'][0], keys['']))}"


def unknown_key(key: str, allowed: Sequence[str]) -> str:
    """That there is no such key, and which was probably meant."""
    close = get_close_matches(key, allowed, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {short(repr(key), VALUE)}; {hint}Allowed: {', '.join(allowed)}"


def kind_of(value: object) -> str:
    """What the value is, in the words of YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    names: dict[type, str] = {list: "a list", dict: "a mapping", type(None): "nothing"}
    return names.get(type(value)) or short(repr(value), VALUE)


def _meaning(detail: ErrorDetails, allowed: Sequence[str]) -> str:
    given = kind_of(detail["input"])
    context = detail.get("ctx", {})
    expected = {
        "string_type": f"must be text, not {given}" + ("; quote it" if isinstance(detail["input"], int) else ""),
        "tuple_type": f"must be a list such as [a, b], not {given}",
        "bool_type": f"must be true or false, not {given}",
        "int_type": f"must be a whole number, not {given}",
        "greater_than": f"must be greater than {context.get('gt')}, not {given}",
        "too_short": "needs at least one entry",
        "missing": "is required",
        "literal_error": f"must be one of {context.get('expected')}, not {given}",
        "model_type": f"must be a mapping with the keys {', '.join(allowed)}, not {given}",
        "value_error": str(context.get("error")),
    }
    return expected.get(detail["type"], detail["msg"])


def _dotted(loc: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).removeprefix(".")
