"""``agents``: outdated and silent ones first; not reported is not outdated."""

from datetime import timedelta

from diagnostics.overview import agents_json, fleet_agents, vault_agents
from diagnostics.registry import Limits
from domain.arm import VaultId
from domain.backup import Server, Vault
from domain.errors import PermissionDenied
from tests.diagnostics.world import NOW, VAULT, a_vault
from tests.fakes.azure import FakeAzure
from tests.handlers.world import a_world, card_of, say, shown

OTHER = VaultId(VAULT.subscription, "rg-dev", "vault-dev-01")


def an_estate() -> FakeAzure:
    """An old agent, a silent one, one that reports no version, a good one and an old backup server."""
    azure = FakeAzure()
    azure.put(a_vault())
    day = timedelta(days=1)
    azure.servers_by_vault[VAULT.key] = [
        Server(id="1", name="srv-good", kind="mars", agent_version="2.0.9250.0", last_seen_at=NOW - day / 2),
        Server(id="2", name="srv-old", kind="mars", agent_version="2.0.9100.0", last_seen_at=NOW - day / 2),
        Server(id="3", name="srv-mute", kind="mars"),
        Server(id="4", name="srv-silent", kind="mars", agent_version="2.0.9250.0", last_seen_at=NOW - 9 * day),
        Server(id="5", name="mabs-01", kind="mabs", agent_version="2.0.9250.0", upgrade_available=True),
    ]
    return azure


async def test_the_agents_of_a_vault() -> None:
    """Three need somebody, one is unknown, the good one is named, and how to update is said."""
    lines = shown(card_of(await say("agents vault-prod-01", a_world(an_estate()).services)))
    assert lines == [
        "▲ WARNING vault-prod-01: 1 of 5 agents fine, 3 need you, 1 unknown",
        "✖ NEEDS YOU  The backup server mabs-01 is outdated: Azure says that an upgrade is available.",
        "✖ NEEDS YOU  The MARS agent on srv-old is 2.0.9100.0, older than the minimum 2.0.9249.0.",
        (
            "✖ NEEDS YOU  srv-silent last reported to the vault 9 d ago (2026-11-13 03:00 UTC): it is switched off, offline, "
            "or its agent has stopped. Nothing runs then, and nothing fails."
        ),
        "? UNKNOWN  The vault does not report the agent version of srv-mute; that does not mean it is outdated.",
        "Fine: srv-good.",
        "The steps of an update: /backup fix guide_mars_update <item>",
        "[Open in portal]",
    ]


async def test_the_fleet_names_the_vaults() -> None:
    """Each line says which vault; one that cannot be read is said."""
    azure = an_estate()
    azure.put(Vault(id=OTHER, location="westeurope"))
    azure.fail("servers", PermissionDenied("no"), of="vault-dev-01")
    answers = await say("agents", a_world(azure).services)
    lines = shown(card_of(answers))
    assert len(answers) == 2
    assert lines[0] == "▲ WARNING 2 vaults: 1 of 5 agents fine, 3 need you, 1 unknown"
    assert lines[1].startswith("✖ NEEDS YOU  vault-prod-01: The backup server mabs-01 is outdated")
    assert any(line.startswith("? COULD NOT READ  vault-dev-01: Not allowed to look") for line in lines)


async def test_a_vault_without_agents() -> None:
    """That there are none is no success and no fault."""
    azure = FakeAzure()
    azure.put(a_vault())
    lines = shown(card_of(await say("agents vault-prod-01", a_world(azure).services)))
    assert lines[0] == "● INFO vault-prod-01: no MARS machines and no backup servers"
    azure.fail("servers", PermissionDenied("no"))
    view = await fleet_agents(azure, Limits(), NOW)
    assert view.exit_code == 3


async def test_the_json() -> None:
    """Each server with its verdict; what is not reported is null."""
    view = await vault_agents(an_estate(), a_vault(), Limits(), NOW)
    (vault,) = agents_json(view)["vaults"]
    by_name = {server["name"]: server for server in vault["servers"]}
    assert {name: server["outcome"] for name, server in by_name.items()} == {
        "mabs-01": "FAIL",
        "srv-old": "FAIL",
        "srv-silent": "FAIL",
        "srv-mute": "UNKNOWN",
        "srv-good": "PASS",
    }
    assert by_name["srv-mute"]["agent_version"] is None
    assert by_name["srv-old"]["suggests"] == ["guide_mars_update", "update_mars_agent"]
    assert view.exit_code == 1


async def test_too_many_words() -> None:
    """One vault at a time."""
    lines = shown(card_of(await say("agents a b", a_world(an_estate()).services)))
    assert lines == ["● INFO Name one vault, or none for all: /backup agents [vault]."]
