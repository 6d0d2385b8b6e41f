"""MARS agents: outdated, silent, not reported."""

from datetime import timedelta

import pytest

from diagnostics.checks.mars_agent_is_supported import judge, mars_agent_is_supported
from diagnostics.registry import Limits
from diagnostics.servers import older, server_of, version
from domain.backup import Server
from domain.finding import Outcome
from tests.diagnostics.world import NOW, VAULT, a_context, a_mars_item, an_azure

NAME = "srv-file-01.contoso.local"


def a_server(**changes: object) -> Server:
    base = {
        "id": "/c",
        "name": NAME,
        "kind": "mars",
        "agent_version": "2.0.9262.0",
        "last_seen_at": NOW - timedelta(hours=5),
    }
    return Server(**{**base, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("server", "outcome", "words"),
    [
        (a_server(), Outcome.PASS, "at least the minimum 2.0.9249.0"),
        (a_server(agent_version="2.0.9249.0"), Outcome.PASS, "at least"),
        (a_server(agent_version="2.0.9200.0"), Outcome.FAIL, "older than the minimum"),
        (a_server(agent_version="2.0.927.0"), Outcome.FAIL, "0x1FBD3"),
        (a_server(agent_version=""), Outcome.UNKNOWN, "does not mean it is outdated"),
        (a_server(last_seen_at=NOW - timedelta(days=6)), Outcome.FAIL, "Nothing runs then"),
        (a_server(last_seen_at=None), Outcome.PASS, "at least"),
        (None, Outcome.UNKNOWN, "lists no MARS machine"),
    ],
)
def test_table(server: Server | None, outcome: Outcome, words: str) -> None:
    """Each state of the machine has its verdict and its words."""
    finding = judge(a_mars_item(), server, Limits(), NOW)
    assert finding.outcome is outcome
    assert words in finding.summary


def test_old_and_silent_are_both_told() -> None:
    """Two faults of one machine."""
    finding = judge(
        a_mars_item(), a_server(agent_version="2.0.8000.0", last_seen_at=NOW - timedelta(days=9)), Limits(), NOW
    )
    assert finding.facts == {"version": "outdated", "seen": "offline"}
    assert finding.suggests == ("guide_mars_update", "update_mars_agent")


def test_versions_are_numbers() -> None:
    """2.0.9250 is newer than 2.0.927; what is not reported is not old."""
    assert version("2.0.9250.0") > version("2.0.927.0")
    assert not older("", "2.0.9249.0")
    assert not older("n/a", "2.0.9249.0")


def test_the_machine_is_found_by_any_of_its_names() -> None:
    """Full name, short name, other letter case; never a server of another kind."""
    item = a_mars_item()
    assert server_of(item, [a_server(name="other"), a_server(name=NAME.upper())], "mars") is not None
    assert server_of(item, [a_server(name="SRV-FILE-01")], "mars") is not None
    assert server_of(item, [a_server(kind="mabs")], "mars") is None


async def test_from_azure() -> None:
    """The vault's servers are read once, the minimum is a setting."""
    item = a_mars_item()
    azure = an_azure(item)
    azure.servers_by_vault[VAULT.key] = [a_server()]
    strict = Limits(minimum_mars="2.0.9999.0")
    assert (await mars_agent_is_supported(a_context(azure, item))).outcome is Outcome.PASS
    assert (await mars_agent_is_supported(a_context(azure, item, limits=strict))).outcome is Outcome.FAIL
