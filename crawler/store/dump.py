"""A backup of the whole database, and its way back, by the pg_dump that comes with the embedded server.

A restore is one transaction: until it is committed, and if anything goes wrong, everything is as it was. Hence psql
runs what pg_restore writes, between SQL that clears the place and SQL that looks at what has come. It is told to commit
at the very end: a pipe that breaks off, because this process or pg_restore was killed, commits nothing.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, text

from crawler.errors import ConfigurationError, StoreError
from crawler.store import cursors, schedulers, tombstones, workers
from crawler.store.account import ENVIRONMENT
from crawler.store.checks import alive
from crawler.store.engine import Database, driver_url, known_schemas, lay_surface, migrate
from crawler.store.models import Base
from crawler.store.programs import binary

BUNDLED = 18  # the major version of the programs
CHUNK = 1 << 20
PIPE = subprocess.PIPE
# A setting of pg_dump 17 and later, written whatever the server: earlier servers do not know it.
NEW_SETTING = b"SET transaction_timeout = 0;\n"
LOCK_TIMEOUT = "30s"

_VERSION = text("SELECT current_setting('server_version_num')::int / 10000")
_HAS_TABLE = text("SELECT to_regclass('public.articles') IS NOT NULL")
_HELD = text("SELECT (SELECT count(*) FROM articles), EXISTS (SELECT FROM urls), EXISTS (SELECT FROM pages)")
# Functions that our tables' triggers call go with them: the backup brings its own.
_FUNCTIONS = text("""
SELECT DISTINCT CAST(CAST(tgfoid AS regprocedure) AS text) FROM pg_trigger
JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND relnamespace = CAST('public' AS regnamespace) AND relname = ANY(:tables)
""")


def backup(database: Database, path: Path) -> int:
    """Write the database as it is now, in pg_dump's custom format; returns the size. All of it or nothing.

    Raises StoreError, ConfigurationError.
    """
    if path.exists() and not path.is_file():
        raise ConfigurationError(f"{path} is no file")
    with database.engine.connect() as connection:
        refuse_newer(connection.execute(_VERSION).scalar_one())
    new = path.with_name(f"{path.name}.part")
    try:
        new.touch(mode=0o600)
        _done(_start("pg_dump", database, "--format=custom", f"--file={new.absolute()}", stdout=None))
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)
    return path.stat().st_size


def refuse_newer(major: int) -> None:
    """Raises ConfigurationError for a server that the bundled pg_dump cannot read."""
    if major > BUNDLED:
        raise ConfigurationError(
            f"the server is PostgreSQL {major} and the bundled pg_dump is {BUNDLED}, which cannot read it; "
            f"use the pg_dump of PostgreSQL {major}"
        )


def restore(database: Database, path: Path, *, replace: bool = False) -> None:
    """Make the database what the backup says, and bring its tables up to date. Raises StoreError, ConfigurationError.

    `replace`: what it holds may go; without it, a database that holds articles, pages or addresses is refused.
    What was forgotten since the backup was made stays so: its tombstones are kept, and `scrapy forget --again` does
    the rest.
    """
    if not path.is_file():
        raise ConfigurationError(f"there is no backup {path}")
    with database.engine.connect() as connection:
        if not replace:
            _refuse_full(connection)
        if alive(connection) or workers.alive(connection) or schedulers.leading(connection):
            raise ConfigurationError("a crawl, a worker or a scheduler runs on this database: stop it first")
        kept = tombstones.keep(connection)
        clearing = _clearing(connection)
    _replay(database, path, clearing, replace=replace)
    database.engine.dispose()  # its connections have plans for tables that are gone
    migrate(database.engine)
    lay_surface(database.engine)  # backups carry no rights: roles may be missing where they go
    with database.engine.begin() as connection:
        cursors.adopt(connection)
        tombstones.bring_back(connection, kept)


def _refuse_full(connection: Connection) -> None:
    if not connection.execute(_HAS_TABLE).scalar_one():
        return
    articles, urls, pages = connection.execute(_HELD).one()
    if articles or urls or pages:
        raise ConfigurationError(
            f"the database is not empty: it holds {articles:,} articles; with --replace the backup replaces them"
        )


def _clearing(connection: Connection) -> str:
    """SQL that begins a transaction and removes what is ours, with what depends on it."""
    tables = sorted([*Base.metadata.tables, "alembic_version"])
    functions = connection.execute(_FUNCTIONS, {"tables": tables}).scalars().all()
    return "\n".join(
        [
            "BEGIN;",
            f"SET client_min_messages = warning; SET lock_timeout = '{LOCK_TIMEOUT}';",
            *(f'DROP TABLE IF EXISTS public."{table}" CASCADE;' for table in tables),
            *(f"DROP FUNCTION IF EXISTS {function} CASCADE;" for function in functions),
            "DROP SCHEMA IF EXISTS news CASCADE; DROP SCHEMA IF EXISTS procrastinate CASCADE;\n",
        ]
    )


def _judging() -> str:
    """SQL that refuses what this program cannot use, and commits."""
    known = ", ".join(f"'{schema}'" for schema in known_schemas())
    return f"""
DO $$ BEGIN
    IF to_regclass('public.alembic_version') IS NULL OR to_regclass('public.articles') IS NULL THEN
        RAISE EXCEPTION 'this is no backup of a news database';
    ELSIF EXISTS (SELECT FROM public.alembic_version WHERE version_num NOT IN ({known})) THEN
        RAISE EXCEPTION 'the backup has a schema that is newer than this program: upgrade it';
    END IF;
END $$;
COMMIT;
"""


def _replay(database: Database, path: Path, clearing: str, *, replace: bool) -> None:
    """pg_restore's SQL through psql. If the one fails, the other is not told to commit."""
    options = ["--clean", "--if-exists"] if replace else []
    source = subprocess.Popen(
        [binary("pg_restore"), "--no-owner", "--no-privileges", *options, "--file=-", path.absolute()],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )
    target = _start(
        "psql",
        database,
        "-XqAt",
        "--set=ON_ERROR_STOP=1",
        "--file=-",
        stdout=subprocess.DEVNULL,
    )
    assert source.stdout is not None and target.stdin is not None
    try:
        target.stdin.write(clearing.encode())
        _relay(source.stdout, target.stdin)
        _done(source)
        target.stdin.write(_judging().encode())
    except BrokenPipeError:  # psql has ended: it says why
        source.kill()
    except BaseException:
        target.kill()
        source.kill()
        target.communicate()
        raise
    finally:
        source.stdout.close()
        source.wait()
    _done(target)


def _relay(source: IO[bytes], target: IO[bytes]) -> None:
    head = source.read(CHUNK)
    target.write(head.replace(NEW_SETTING, b"", 1))
    while chunk := source.read(CHUNK):
        target.write(chunk)


def _start(program: str, database: Database, *options: str, stdout: int | None) -> subprocess.Popen[bytes]:
    """A program of PostgreSQL on the database; the password is not in its command line."""
    url = driver_url(database.url).set(drivername="postgresql")
    shown = url.set(password=None).render_as_string(hide_password=False).replace(" ", "%20")
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    kept = {name: os.environ[name] for name in ("HOME", "PGPASSFILE", "PGSSLROOTCERT") if name in os.environ}
    return subprocess.Popen(
        [binary(program), "--dbname", shown, *options],
        env=kept | ENVIRONMENT | secret,
        stdin=PIPE,
        stdout=stdout,
        stderr=PIPE,
    )


def _done(process: subprocess.Popen[bytes]) -> None:
    """Wait for a program's end. Raises StoreError with the first line of what it complains of."""
    if process.stdin is None:  # what it wrote is read already
        assert process.stderr is not None
        with process.stderr:
            complaint = process.stderr.read()
        process.wait()
    else:
        complaint = process.communicate()[1]
    if process.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines() or [f"ended with {process.returncode}"]
        raise StoreError(lines[0].replace("psql:<stdin>:", "line "))
