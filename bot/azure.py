"""Joining settings and gateways: the reader, the operator and the one connection they share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.gateways.azure_operator import AzureOperator
from bot.gateways.azure_reader import AzureReader
from bot.gateways.azure_wiring import AzureConnection, Cloud
from bot.settings import Settings
from diagnostics.cache import once
from domain.ports import BackupReader


@dataclass(frozen=True, kw_only=True)
class Azure:
    """The two identities."""

    reader: AzureReader
    operator: AzureOperator | None

    def read(self) -> BackupReader:
        """A fresh reader whose every read happens once."""
        return once(self.reader)


def values_of(settings: Settings) -> Mapping[str, str]:
    """azure-identity's own variables, in clear."""
    return {name: value.get_secret_value() for name, value in settings.azure_environment.items()}


@asynccontextmanager
async def azure(settings: Settings) -> AsyncIterator[Azure]:
    """Both identities over one connection, closed at the end."""
    cloud = Cloud(
        endpoint=settings.arm_endpoint,
        scope=settings.scope,
        ca_file=settings.ca_file,
        graph_endpoint=settings.graph_endpoint,
        trust_env=settings.proxied,
    )
    async with AzureConnection(cloud) as connection:
        values = values_of(settings)
        operator_credential = connection.operator_credential(values)
        operator = AzureOperator(connection, operator_credential) if operator_credential else None
        try:
            yield Azure(
                reader=AzureReader(
                    connection,
                    connection.reader_credential(values),
                    subscriptions=settings.azure.subscriptions,
                    backup_service_principal=settings.azure.backup_service_object_id,
                ),
                operator=operator,
            )
        finally:
            if operator is not None:
                await operator.drain()
