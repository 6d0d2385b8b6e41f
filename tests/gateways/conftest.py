"""The stub of Azure, a connection to it, and the recordings of the real one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.gateways.azure_operator import AzureOperator
from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.arm import VaultId
from tests.gateways.arm_stub import SUBSCRIPTION, StubArm

DATA = Path(__file__).parents[2] / "../shared/data"
VAULT = VaultId(SUBSCRIPTION, "rg1", "v1")


def recording(name: str) -> Any:
    """The body of a recorded answer; skips the test where the recordings are absent."""
    path = DATA / "recordings/bodies" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the recordings are not on this machine: {path}")
    return json.loads(path.read_text())["response"]["body"]


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stub's certificate, made once."""
    return tmp_path_factory.mktemp("tls")


@pytest.fixture
async def azure(tls: Path) -> AsyncIterator[StubArm]:
    """A running stub."""
    async with StubArm(tls) as stub:
        yield stub


@pytest.fixture
async def connection(azure: StubArm) -> AsyncIterator[AzureConnection]:
    """A connection that trusts the stub through a CA file."""
    async with AzureConnection(cloud_of(azure)) as one:
        yield one


@pytest.fixture
def reader(azure: StubArm, connection: AzureConnection) -> AzureReader:
    """A reader with a short limit."""
    return AzureReader(connection, connection.reader_credential(azure.environment), seconds=5)


@pytest.fixture
def operator(azure: StubArm, connection: AzureConnection) -> AzureOperator:
    """An operator with a short limit."""
    credential = connection.operator_credential(azure.environment)
    assert credential is not None
    return AzureOperator(connection, credential, seconds=3)


def cloud_of(azure: StubArm) -> Cloud:
    """Where the stub is."""
    return Cloud(
        endpoint=azure.url, scope=f"{azure.url}/.default", ca_file=str(azure.ca_file), graph_endpoint=azure.url
    )
