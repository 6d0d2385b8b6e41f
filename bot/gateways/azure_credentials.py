"""Who the bot signs in as: the reader from azure-identity's own variables, the operator from ``AZURE_OPERATOR_*``.

The values come in as a mapping; which of them are there decides the form, as azure-identity's own chain would.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from domain.errors import SettingsError


class OneFetch(AsyncTokenCredential):
    """A credential for many clients at one time: the first asks for the token, the others wait and take it from the cache.

    ``client_id`` is the identity's client id, "" when only Azure knows it (a system-assigned identity).
    """

    def __init__(self, credential: AsyncTokenCredential, client_id: str) -> None:
        self.client_id = client_id
        self._credential = credential
        self._turn = asyncio.Lock()

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,  # noqa: ANN401  (the SDK's protocol)
    ) -> AccessToken:
        """A token for ``scopes``, fetched at most once however many ask."""
        async with self._turn:
            return await self._credential.get_token(
                *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **kwargs
            )

    async def close(self) -> None:
        """Close what the credential opened; the shared transport is not its own."""
        await self._credential.close()

    async def __aexit__(self, *details: object) -> None:
        await self.close()


def reader_credential(values: Mapping[str, str], transport: AsyncHttpTransport[Any, Any]) -> OneFetch:
    """The identity that reads.

    It comes from ``AZURE_TENANT_ID``, ``AZURE_CLIENT_ID`` and one of ``AZURE_CLIENT_SECRET``,
    ``AZURE_CLIENT_CERTIFICATE_PATH`` (with ``…_PASSWORD``), ``AZURE_FEDERATED_TOKEN_FILE``; with a client id alone it is a
    managed identity, with nothing azure-identity's default chain (managed identity, ``az login``, …).
    Raises SettingsError when a secret, certificate or token file is given without tenant or client id.
    """
    common = _common(values, transport)
    client = values.get("AZURE_CLIENT_ID", "")
    # A read that fails to sign in is tried again as a whole, so the sign-in itself is not.
    once = {**common, "retry_total": 0}
    found = _application(values, "AZURE_", values.get("AZURE_FEDERATED_TOKEN_FILE", ""), once)
    if found is None and client:
        found = ManagedIdentityCredential(client_id=client, **common)
    return OneFetch(found or DefaultAzureCredential(exclude_interactive_browser_credential=True, **common), client)


def operator_credential(values: Mapping[str, str], transport: AsyncHttpTransport[Any, Any]) -> OneFetch | None:
    """The identity that changes things.

    It comes from ``AZURE_OPERATOR_CLIENT_ID``, the reader's tenant and one of ``AZURE_OPERATOR_CLIENT_SECRET``,
    ``AZURE_OPERATOR_CLIENT_CERTIFICATE_PATH``, ``AZURE_OPERATOR_FEDERATED_TOKEN_FILE``; with the id alone it uses the
    workload's own token file if there is one (one service account may be federated with several applications), else it
    is a managed identity. None without a client id: a read-only installation. Raises SettingsError as
    :func:`reader_credential` does.
    """
    prefix = "AZURE_OPERATOR_"
    client = values.get(f"{prefix}CLIENT_ID", "")
    if not client:
        if values.get(f"{prefix}CLIENT_SECRET"):
            raise SettingsError([f"{prefix}CLIENT_ID: missing, although {prefix}CLIENT_SECRET is set"])
        return None
    common = _common(values, transport)
    token_file = values.get(f"{prefix}FEDERATED_TOKEN_FILE", "") or values.get("AZURE_FEDERATED_TOKEN_FILE", "")
    # Nothing tries a changing call again, so its sign-in may be; it has no effect.
    patient = {**common, "retry_total": 2, "retry_backoff_factor": 0.4}
    found = _application(values, prefix, token_file, patient)
    return OneFetch(found or ManagedIdentityCredential(client_id=client, **common), client)


def _common(values: Mapping[str, str], transport: AsyncHttpTransport[Any, Any]) -> dict[str, Any]:
    common: dict[str, Any] = {"transport": transport}
    if authority := values.get("AZURE_AUTHORITY_HOST"):
        common["authority"] = authority
    return common


def _application(
    values: Mapping[str, str], prefix: str, token_file: str, common: Mapping[str, Any]
) -> AsyncTokenCredential | None:
    tenant, client = values.get("AZURE_TENANT_ID", ""), values.get(f"{prefix}CLIENT_ID", "")
    secret = values.get(f"{prefix}CLIENT_SECRET", "")
    certificate = values.get(f"{prefix}CLIENT_CERTIFICATE_PATH", "")
    if not (secret or certificate or token_file):
        return None
    needed = (("AZURE_TENANT_ID", tenant), (f"{prefix}CLIENT_ID", client))
    if missing := [name for name, value in needed if not value]:
        raise SettingsError(
            [f"{name}: missing, although a secret, certificate or token file is set" for name in missing]
        )
    if secret:
        return ClientSecretCredential(tenant, client, secret, **common)
    if certificate:
        password = values.get(f"{prefix}CLIENT_CERTIFICATE_PASSWORD") or None
        try:
            return CertificateCredential(tenant, client, certificate, password=password, **common)
        except (OSError, ValueError) as error:
            raise SettingsError(
                [f"{prefix}CLIENT_CERTIFICATE_PATH: not a readable certificate with key: {error}"]
            ) from error
    return WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=token_file, **common)
