"""From settings to a database that is up and has today's tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from crawler.errors import ConfigurationError, DatabaseUnreachable, NewerSchema, StoreError
from crawler.store import reextractions, surface
from crawler.store.checks import alive
from crawler.store.connection import HeedfulConnection, with_options
from crawler.store.embedded import EmbeddedServer

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).with_name("migrations")
KEPT = 4  # connections
MIGRATION_LOCK = 7_305_112  # of pg_advisory_xact_lock: processes that start together migrate once

_PLACE = text("""
SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER') AND current_setting('data_directory') NOT LIKE '/proc/%'
            THEN current_setting('data_directory')
            ELSE concat_ws(' at ', 'a server', host(inet_server_addr())) END
""")


class Database:
    """A server, embedded or not, and an engine on it. A context manager: leaving it gives the server back.

    `connections`: how many it takes at most; None: four are kept, and as many more made when they are needed.
    """

    def __init__(self, url: str, server: EmbeddedServer | None = None, *, connections: int | None = None) -> None:
        self.url = url
        self.heed: Callable[[float], None] | None = None  # of a statement that waits: see connection.py
        self._server = server
        self.engine: Engine = create_engine(
            driver_url(url),
            pool_pre_ping=True,
            pool_size=connections or KEPT,
            max_overflow=0 if connections else KEPT,
        )
        event.listen(self.engine, "do_connect", self._connect)

    @property
    def place(self) -> str:
        """Where its files are, as far as we may know."""
        if self._server:
            return str(self._server.data_dir)
        with self.engine.connect() as connection:
            return str(connection.execute(_PLACE).scalar_one())

    @property
    def port(self) -> int | None:
        """Of the server as it runs now: an embedded one may come back on another."""
        return driver_url(self.url).port

    def mend(self) -> None:
        """Start the embedded server again if it has died. Raises EmbeddedServerError."""
        if self._server and (url := self._server.revive()):
            self.url = url  # the port may be another

    def _connect(self, _: object, __: object, arguments: list[Any], options: dict[str, Any]) -> HeedfulConnection:
        own = {"port": self.port} if self._server else {}
        connection = HeedfulConnection.connect(*arguments, **with_options({**options, **own}))
        connection.heed = self._heed
        return connection

    def _heed(self, seconds: float) -> None:
        if self.heed:
            self.heed(seconds)

    def close(self) -> None:
        self.engine.dispose()
        if self._server:
            self._server.release()
            self._server = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def driver_url(url: str) -> URL:
    """postgresql://, postgres:// and postgresql+psycopg:// are the same to us; other databases are refused."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL is no URL; write postgresql://user:password@host:5432/database"
        ) from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ConfigurationError(f"DATABASE_URL names {parsed.drivername!r}; only postgresql:// works here")
    return parsed.set(drivername="postgresql+psycopg")


def connect_options(url: str) -> dict[str, Any]:
    """What psycopg itself takes; of SQLAlchemy's URLs, too, which write several hosts in another way than libpq's."""
    parsed = driver_url(url)
    return with_options(parsed.get_dialect()().create_connect_args(parsed)[1])


def open_database(
    database_url: str | None, data_dir: Path, *, migrated: bool = True, connections: int | None = None
) -> Database:
    """Connect to DATABASE_URL, or start the embedded server in `data_dir`, and bring the tables up to date.

    Raises ConfigurationError, DatabaseUnreachable or EmbeddedServerError with one line that says what to do.
    """
    server = None if database_url else EmbeddedServer(data_dir)
    url = database_url or server.acquire()  # type: ignore[union-attr]
    database = Database(url, server, connections=connections)
    try:
        check(database)
        if migrated:
            migrate(database.engine)
    except BaseException:
        database.close()
        raise
    return database


def check(database: Database) -> None:
    """One round trip. Raises DatabaseUnreachable."""
    try:
        with database.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        url = database.engine.url.difference_update_query(["password", "sslpassword"])
        shown = url.render_as_string(hide_password=True)
        reason = str(error.orig).strip().splitlines()[0].rstrip(".")
        raise DatabaseUnreachable(
            f"cannot reach {shown}: {reason}. Check DATABASE_URL and that the server is up."
        ) from None


def known_schemas() -> list[str]:
    """The versions of the tables that this program can bring up to date, oldest first.

    Read from the files' names: Alembic would import them all, and it takes 0.2 s itself, for every command.
    """
    return sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*.py"))


@cache
def todays_schema() -> str:
    """The version of the tables that this program makes, also when its files are replaced while it runs."""
    return known_schemas()[-1]


def migration_config() -> Config:
    from alembic.config import Config  # here, as in `migrate`: most commands find the tables up to date

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))  # % is configparser's
    return config


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Bring the tables up to date and return the versions before and after; at most one process does it at a time.

    Not under a running crawl or `scrapy reextract`: its program would write what the new tables refuse. Raises
    StoreError.
    """
    head = todays_schema()
    try:
        with engine.begin() as connection:
            if (current := _version(connection)) == head:
                return current, head
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            before = _version(connection)
            if before is not None and before not in known_schemas():
                raise _newer(before, head)
            if before is not None and before != head and (running := _running(connection)):
                raise StoreError(
                    f"the tables have to be brought up to date (from {before} to {head}), and runs of an earlier "
                    f"program use them: {', '.join(running)}; wait for their end, or stop them"
                )
            from alembic import command

            config = migration_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            return before, head
    except SQLAlchemyError as error:
        raise StoreError(f"the tables could not be brought up to date: {str(error).splitlines()[0]}") from error


def _running(connection: Connection) -> list[str]:
    crawls = [f"crawl {crawl_id}" for crawl_id in alive(connection)]
    return [*crawls, "scrapy reextract"] if reextractions.is_running(connection) else crawls


def keep_schema(connection: Connection) -> None:
    """Let no other process migrate until this transaction ends. Raises StoreError if one has, to what is not ours."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": MIGRATION_LOCK})
    current, head = _version(connection), todays_schema()
    if current != head:
        raise _newer(current, head)


def _newer(version: str | None, ours: str) -> NewerSchema:
    return NewerSchema(f"the database has schema {version}, which is newer than this program ({ours}): upgrade it")


def lay_surface(engine: Engine) -> None:
    """Bring views and comments up to date, where the tables are already. Raises StoreError."""
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            surface.lay(connection)
    except SQLAlchemyError as error:
        raise StoreError(f"the views could not be brought up to date: {str(error).splitlines()[0]}") from error


def _version(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar_one() is None:
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
