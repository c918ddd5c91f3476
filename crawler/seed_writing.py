"""A new seed file: in the style of the others, checked before it takes its place, never over another one."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from crawler.errors import ConfigurationError, SeedError
from crawler.sources import Source, load_source, load_sources
from crawler.urls import host_of


class Taken(ConfigurationError):
    """There is such a seed already."""


def seed_text(values: Sequence[tuple[str, str | int | Sequence[str] | None]], comments: Sequence[str] = ()) -> str:
    """YAML with a key a line and its list below it; what is None or empty is left out."""
    lines = [f"# {comment}" for comment in comments]
    for key, value in values:
        if isinstance(value, str | int):
            lines.append(f"{key}: {_scalar(value)}")
        elif value:
            lines += [f"{key}:", *(f"  - {_scalar(one)}" for one in value)]
    return "\n".join(lines) + "\n"


def _scalar(value: str | int) -> str:
    """As PyYAML writes it: quoted only where it has to be."""
    return yaml.safe_dump(value, allow_unicode=True, width=10_000).removesuffix("...\n").removesuffix("\n")


def same_host(seeds_dir: Path, url: str) -> str | None:
    """The seed that has this host already."""
    host = _bare(url)
    try:
        sources, _ = load_sources(seeds_dir)
    except ConfigurationError:  # no folder yet
        return None
    return next((source.id for source in sources.values() if _bare(str(source.homepage)) == host), None)


def free_id(seeds_dir: Path, wanted: str, country: str | None) -> str:
    """`wanted`, or with its country or a number when another source has that name."""
    tries = [wanted, *([f"{wanted}_{country.lower()}"] if country else []), *(f"{wanted}_{n}" for n in range(2, 100))]
    return next(one for one in tries if not (seeds_dir / f"{one}.yaml").exists())


def write_seed(seeds_dir: Path, name: str, text: str) -> Path:
    """Write `name`.yaml whole or not at all. Raises Taken, SeedError for what is no valid seed, ConfigurationError."""
    path = seeds_dir / f"{name}.yaml"
    try:
        seeds_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=seeds_dir, prefix=".new-") as room:
            made = Path(room) / path.name
            made.write_text(text, encoding="utf-8")
            load_source(made)
            path.touch(exist_ok=False)  # a rename alone would go over a file that somebody was faster with
            made.replace(path)
    except FileExistsError:
        raise Taken(f"{path} exists already") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    return path


def checked(name: str, text: str) -> Source:
    """The source that a text would be. Raises SeedError."""
    with tempfile.TemporaryDirectory() as room:
        path = Path(room) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            return load_source(path)
        except SeedError as error:
            raise SeedError(str(error).replace(f"{room}/", "")) from None
        finally:
            with suppress(OSError):
                path.unlink()


def _bare(url: str) -> str:
    return host_of(url).removeprefix("www.")
