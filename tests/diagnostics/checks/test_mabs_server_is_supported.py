"""Backup servers: Azure's own word, or the versions."""

import pytest

from diagnostics.checks.mabs_server_is_supported import judge, mabs_server_is_supported
from diagnostics.registry import Limits
from domain.backup import Server
from domain.finding import Outcome
from tests.diagnostics.world import VAULT, a_context, a_mabs_item, an_azure


def a_server(**changes: object) -> Server:
    base = {
        "id": "/e",
        "name": "mabs-01.contoso.local",
        "kind": "mabs",
        "agent_version": "2.0.9262.0",
        "server_version": "14.0.42.0",
        "upgrade_available": False,
    }
    return Server(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("server", "outcome", "words"),
    [
        (a_server(), Outcome.PASS, "supported"),
        (a_server(upgrade_available=True), Outcome.FAIL, "Azure says that an upgrade is available"),
        (a_server(server_version="12.0.332.0"), Outcome.FAIL, "its version 12.0.332.0 is older"),
        (a_server(agent_version="2.0.8719.0"), Outcome.FAIL, "its agent 2.0.8719.0 is older"),
        (
            a_server(agent_version="", server_version="", upgrade_available=None),
            Outcome.UNKNOWN,
            "not mean it is outdated",
        ),
        (a_server(agent_version="", server_version="", upgrade_available=False), Outcome.PASS, "not reported"),
        (None, Outcome.UNKNOWN, "lists no backup server"),
    ],
)
def test_table(server: Server | None, outcome: Outcome, words: str) -> None:
    """Each state of the server has its verdict and its words."""
    finding = judge(a_mabs_item(), server, Limits())
    assert finding.outcome is outcome
    assert words in finding.summary


async def test_from_azure() -> None:
    """The item's own server is judged, not its neighbour."""
    item = a_mabs_item()
    azure = an_azure(item)
    azure.servers_by_vault[VAULT.key] = [a_server(name="mabs-02.contoso.local", upgrade_available=True), a_server()]
    assert (await mabs_server_is_supported(a_context(azure, item))).outcome is Outcome.PASS
