"""Migrations and locks."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.store import database
from bot.store.database import OneProcess
from bot.store.tables import OUR_TABLES, metadata
from domain.errors import SettingsError


async def test_models_and_migrations_agree(database_url: str) -> None:
    """A migrated database has exactly the tables, columns and indexes that the code declares."""
    engine = database.connect(database_url)

    def ours(_item: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
        return not (kind == "table" and reflected and name not in OUR_TABLES)

    def compare(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_type": True})
        return list(compare_metadata(context, metadata))

    async with engine.begin() as connection:
        assert [] == await connection.run_sync(compare)
    await engine.dispose()


async def test_replicas_that_start_together_migrate_once(empty_database_url: str) -> None:
    """Four migrations of one empty database at once all succeed, and a fifth has nothing to do."""
    engines = [database.connect(empty_database_url) for _ in range(5)]
    await asyncio.gather(*(database.migrate(engine) for engine in engines[:4]))
    await database.migrate(engines[4])
    async with engines[0].connect() as connection:
        tables = set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))
    assert tables >= OUR_TABLES
    for engine in engines:
        await engine.dispose()


async def test_sqlite_is_durable(sqlite_url: str) -> None:
    """The file has a write-ahead log, and every commit reaches the disk."""
    engine = database.connect(sqlite_url)
    async with engine.connect() as connection:
        assert "wal" == (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
        assert 2 == (await connection.exec_driver_sql("PRAGMA synchronous")).scalar()
        assert 1 == (await connection.exec_driver_sql("PRAGMA foreign_keys")).scalar()
    await engine.dispose()


async def test_a_reader_does_not_wait_for_a_writer(sqlite_url: str) -> None:
    """Reading goes on while a transaction is open."""
    engine = database.connect(sqlite_url)
    reading = database.reader(engine, sqlite_url)
    async with engine.begin() as writing:
        await writing.exec_driver_sql("INSERT INTO audit_head (id, n, hash) VALUES (1, 0, '')")
        async with asyncio.timeout(5), reading.connect() as connection:
            assert 0 == (await connection.exec_driver_sql("SELECT count(*) FROM audit_head")).scalar()
    await reading.dispose()
    await engine.dispose()


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Commands that only read say that there is no database, and leave none behind."""
    url = f"sqlite:///{tmp_path / 'none.db'}"
    with pytest.raises(SettingsError, match="there is no database"):
        database.require_existing(url)
    assert not (tmp_path / "none.db").exists()
    database.require_existing("postgresql://somewhere/x")


HOLD = """
import sys
from bot.store.database import OneProcess
lock = OneProcess(sys.argv[1])
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_one_process_uses_a_file(tmp_path: Path) -> None:
    """A second process is refused by name, also by another way to the file; when the first is killed the lock is free."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "other").symlink_to(real)
    url, other_way = f"sqlite:///{real / 'bot.db'}", f"sqlite:///{tmp_path / 'other' / 'bot.db'}"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert "held\n" == holder.stdout.readline()
        for address in (url, other_way):
            with pytest.raises(SettingsError, match="another backupbot uses"):
                OneProcess(address).acquire()
        holder.kill()
    lock = OneProcess(other_way)
    lock.acquire()
    lock.release()
    lock.release()


def test_postgresql_needs_no_lock() -> None:
    """Several processes may share a PostgreSQL."""
    first, second = OneProcess("postgresql://x/y"), OneProcess("postgresql://x/y")
    first.acquire()
    second.acquire()
    first.release()
