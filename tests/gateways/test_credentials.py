"""Which values make which identity."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.gateways.azure_wiring import AzureConnection, Cloud
from domain.errors import SettingsError

TENANT, CLIENT = "11111111-1111-1111-1111-111111111111", "33333333-3333-3333-3333-333333333333"
APPLICATION = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT}


@pytest.fixture
def connection() -> AzureConnection:
    """A connection to nowhere."""
    return AzureConnection(Cloud(endpoint="https://127.0.0.1:9"))


@pytest.fixture
def certificate(tmp_path: Path) -> str:
    """A certificate with its key in one file, as azure-identity wants it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bot")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(
        datetime(2027, 1, 1, tzinfo=UTC)
    )
    made = builder.serial_number(1).sign(key, hashes.SHA256())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both = tmp_path / "both.pem"
    both.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return str(both)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({**APPLICATION, "AZURE_CLIENT_SECRET": "s"}, ClientSecretCredential),
        ({**APPLICATION, "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token"}, WorkloadIdentityCredential),
        ({"AZURE_CLIENT_ID": CLIENT}, ManagedIdentityCredential),
        (APPLICATION, ManagedIdentityCredential),
        ({}, DefaultAzureCredential),
    ],
)
def test_reader(connection: AzureConnection, values: dict[str, str], kind: type) -> None:
    """A secret, then a token file, then a client id alone, then the default chain."""
    credential = connection.reader_credential(values)

    assert type(credential._credential) is kind
    assert credential.client_id == values.get("AZURE_CLIENT_ID", "")


def test_reader_with_a_certificate(connection: AzureConnection, certificate: str) -> None:
    """A certificate makes an application's identity; a file that is none is a wrong setting."""
    values = {**APPLICATION, "AZURE_CLIENT_CERTIFICATE_PATH": certificate}

    assert type(connection.reader_credential(values)._credential) is CertificateCredential
    with pytest.raises(SettingsError, match="AZURE_CLIENT_CERTIFICATE_PATH"):
        connection.reader_credential({**values, "AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere"})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"AZURE_OPERATOR_CLIENT_SECRET": "s"}, ClientSecretCredential),
        ({"AZURE_OPERATOR_FEDERATED_TOKEN_FILE": "/a"}, WorkloadIdentityCredential),
        ({"AZURE_FEDERATED_TOKEN_FILE": "/shared"}, WorkloadIdentityCredential),
        ({}, ManagedIdentityCredential),
    ],
)
def test_operator(connection: AzureConnection, values: dict[str, str], kind: type) -> None:
    """The operator is an identity of its own with the reader's tenant."""
    credential = connection.operator_credential({**APPLICATION, "AZURE_OPERATOR_CLIENT_ID": "o", **values})

    assert credential is not None
    assert type(credential._credential) is kind
    assert credential.client_id == "o"


def test_no_operator(connection: AzureConnection) -> None:
    """Without its client id there is none, whatever the reader has."""
    assert connection.operator_credential({**APPLICATION, "AZURE_CLIENT_SECRET": "s"}) is None


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": "s"}, ["AZURE_TENANT_ID"]),
        ({"AZURE_CLIENT_SECRET": "s"}, ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"]),
    ],
)
def test_half_an_application(connection: AzureConnection, values: dict[str, str], missing: list[str]) -> None:
    """A secret without its application names every value that is missing."""
    with pytest.raises(SettingsError) as caught:
        connection.reader_credential(values)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == missing


def test_an_operators_secret_without_operator(connection: AzureConnection) -> None:
    """A secret for nobody is a mistake, not a read-only installation."""
    with pytest.raises(SettingsError, match="AZURE_OPERATOR_CLIENT_ID"):
        connection.operator_credential({**APPLICATION, "AZURE_OPERATOR_CLIENT_SECRET": "s"})
