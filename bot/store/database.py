"""The database: connecting, migrating, and the lock that keeps SQLite to one process."""

import fcntl
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import aiosqlite
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from domain.errors import SettingsError

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_421_001


def async_url(database_url: str) -> str:
    """The address with the drivers that this project uses."""
    return database_url.replace("sqlite://", "sqlite+aiosqlite://", 1).replace(
        "postgresql://", "postgresql+psycopg://", 1
    )


def _on_sqlite_connect(connection: Any, _record: object) -> None:  # noqa: ANN401  (a DB-API connection)
    connection.isolation_level = None  # SQLAlchemy's begin event below opens every transaction
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked" when another one wrote between.
    _begin(connection, "BEGIN IMMEDIATE")


def _begin_deferred(connection: sa.Connection) -> None:
    _begin(connection, "BEGIN")


def _begin(connection: sa.Connection, statement: str) -> None:
    """One trip to the driver's thread, where a cursor of SQLAlchemy's makes three."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, aiosqlite.Connection):
        connection.exec_driver_sql(statement)  # the migrations' own connection
        return
    try:
        await_only(driver.execute(statement))
    except sqlite3.Error as error:
        raise sa.exc.OperationalError(statement, None, error) from error


def connect(database_url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine for reading and writing."""
    url = async_url(database_url)
    if url.startswith("sqlite"):
        # One writer at a time is all that SQLite allows. Who waits here is served in turn as soon as the connection is free;
        # who waits for the file's lock sleeps in steps of up to 100 ms, and anybody may come first.
        engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_reset_on_return=None)
        sa.event.listen(engine.sync_engine, "connect", _on_sqlite_connect)
        sa.event.listen(engine.sync_engine, "begin", _begin_immediate)
        return engine
    return create_async_engine(url, pool_size=pool_size, max_overflow=5, pool_pre_ping=True)


def reader(engine: AsyncEngine, database_url: str) -> AsyncEngine:
    """An engine for reading only: on SQLite its transactions take no write lock."""
    if not database_url.startswith("sqlite"):
        return engine
    second = create_async_engine(async_url(database_url), pool_reset_on_return=None)
    sa.event.listen(second.sync_engine, "connect", _on_sqlite_connect)
    sa.event.listen(second.sync_engine, "begin", _begin_deferred)
    return second


def require_existing(database_url: str) -> None:
    """Refuse to look into a SQLite file that is not there, rather than make an empty one.

    Raises:
        SettingsError: there is no such file.
    """
    path = Path(database_url.removeprefix("sqlite:///"))
    if database_url.startswith("sqlite") and not path.exists():
        raise SettingsError(
            [f"DATABASE_URL: there is no database {path}; start backupbot serve once, or name the right one"]
        )


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema up to date; replicas that start together wait for each other."""
    async with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        await connection.run_sync(_upgrade)


def alembic_config(connection: sa.Connection) -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: sa.Connection) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(alembic_config(connection), "head")


class OneProcess:
    """An exclusive lock beside a SQLite file: two processes on one file would each resume the other's work."""

    def __init__(self, database_url: str) -> None:
        self._path: Path | None = None
        if database_url.startswith("sqlite"):
            file = Path(database_url.removeprefix("sqlite:///")).resolve()  # whatever way leads to it
            self._path = file.with_name(f"{file.name}.lock")
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            SettingsError: another process holds it.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            used = str(self._path).removesuffix(".lock")
            fault = (
                f"DATABASE_URL: another backupbot uses {used}; stop it first, or use postgresql:// for several replicas"
            )
            raise SettingsError([fault]) from None

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection for reading."""
    async with engine.connect() as connection:
        yield connection
