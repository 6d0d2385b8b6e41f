"""``posture``: the prevention checks of a vault, and of all vaults side by side."""

import asyncio
from dataclasses import replace

from adaptive_cards.card import Buttons
from diagnostics.overview import fleet_posture, posture_json
from domain.arm import ItemId, VaultId
from domain.backup import Vault
from domain.errors import PermissionDenied
from domain.finding import Blind, Outcome
from fixes.registry import is_whole_vault, whole_vault
from handlers.commands.posture import context_of
from tests.diagnostics.world import NOW, VAULT, DictLedger, a_vault, an_azure, an_item
from tests.fakes.azure import FakeAzure
from tests.handlers.world import World, a_world, card_of, moment, say, shown

GOOD = VaultId(VAULT.subscription, "rg-dev", "vault-good")
GROUP = f"/subscriptions/{VAULT.subscription}/resourceGroups/rg/providers/Microsoft.Insights/actionGroups/on-call"


def an_estate() -> FakeAzure:
    """A vault without soft delete and alerts, and one with both, whose restores were tested."""
    azure = an_azure()
    azure.put(
        a_vault(soft_delete_state="Disabled"),
        Vault(id=GOOD, location="westeurope", soft_delete_state="AlwaysON", soft_delete_days=30),
        an_item(id=ItemId(GOOD, "Azure", "c", "i"), name="vm-good"),
    )
    azure.lists[f"/subscriptions/{VAULT.subscription}/providers/microsoft.alertsmanagement/actionrules"] = [
        {
            "id": "/x/rule",
            "name": "rule",
            "properties": {
                "enabled": True,
                "scopes": [GOOD.id],
                "actions": [{"actionType": "AddActionGroups", "actionGroupIds": [GROUP]}],
            },
        }
    ]
    azure.bodies[GROUP.casefold()] = {"properties": {"enabled": True, "emailReceivers": [{"name": "on call"}]}}
    return azure


def world_of(azure: FakeAzure) -> World:
    """With a drill of the good vault's item on record."""
    return a_world(azure, ledger=DictLedger({ItemId(GOOD, "Azure", "c", "i").key: moment(10)}))


async def test_a_vault_with_faults() -> None:
    """Each check in its own words, and the fixes that can be done to a vault; not those that need an item."""
    card = card_of(await say("posture vault-prod-01", world_of(an_estate()).services))
    assert shown(card) == [
        "▲ WARNING vault-prod-01: 3 of 3 posture checks failed",
        (
            "✖ FAIL  The alerts of vault-prod-01 reach nobody: no alert processing rule adds an action group to them, and "
            "built-in alerts have no rule of their own to do so."
        ),
        (
            "✖ FAIL  In vault-prod-01 no restore was tested this quarter of: Azure VM. 0 of 1 items were tested; 1 never. A "
            "backup that was never restored is not known to be one."
        ),
        "✖ FAIL  Soft delete is Disabled on vault-prod-01: backups that are deleted are gone at once.",
        "[Turn soft delete on]",
        "More: [Turn failure alerts on] [Open in portal]",
    ]
    (row,) = [one for one in card.elements if isinstance(one, Buttons)]
    fix, incident, item_id = row.shown[0].value.split(" ", 2)
    assert (fix, incident) == ("enable_soft_delete", "-")
    assert is_whole_vault(replace(whole_vault(a_vault()), id=ItemId.parse(item_id)))
    assert ItemId.parse(item_id).vault.key == VAULT.key


async def test_a_good_vault() -> None:
    """All three pass."""
    lines = shown(card_of(await say("posture vault-good", world_of(an_estate()).services)))
    assert lines[0] == "✔ GOOD vault-good: posture is fine"
    assert [line[:6] for line in lines[1:4]] == ["✔ PASS"] * 3


async def test_all_vaults() -> None:
    """Those with a fault first, one row each, after a card that says it takes a while."""
    answers = await say("posture", world_of(an_estate()).services)
    assert len(answers) == 2
    lines = shown(card_of(answers))
    assert lines[0] == "▲ WARNING Posture of 2 vaults: 1 fine, 1 with a fault"
    assert [line.split()[:3] for line in lines if line.startswith("vault-")] == [
        ["vault-prod-01", "✖", "FAIL"],
        ["vault-good", "✔", "PASS"],
    ]


async def test_what_could_not_be_read_is_not_fine() -> None:
    """With the processing rules denied no vault counts as fine."""
    azure = an_estate()
    azure.fail("resources", PermissionDenied("no", action="Microsoft.AlertsManagement/actionRules/read"))
    lines = shown(card_of(await say("posture", world_of(azure).services)))
    assert lines[0] == "▲ WARNING Posture of 2 vaults: 0 fine, 1 with a fault, 2 could not be read in full"


async def test_the_json_and_its_exit_code() -> None:
    """Each vault as a diagnosis has it."""
    azure = an_estate()
    services = world_of(azure).services
    view = await fleet_posture(azure, lambda one: context_of(services, azure, one), services.checks, NOW)
    record = posture_json(view)
    assert {one["vault"]: [f["outcome"] for f in one["findings"]] for one in record["vaults"]} == {
        "vault-good": ["PASS", "PASS", "PASS"],
        "vault-prod-01": ["FAIL", "FAIL", "FAIL"],
    }
    assert view.exit_code == 1
    lines = shown(card_of(await say("posture a b", services)))
    assert lines == ["● INFO Name one vault, or none for all: /backup posture [vault]."]


class MuteAzure(FakeAzure):
    """An Azure that never answers questions about some vaults."""

    async def vault(self, vault: VaultId) -> Vault:
        if vault.name.startswith("vault-good"):
            await asyncio.Event().wait()
        return await super().vault(vault)


async def test_a_vault_that_never_answers_is_unknown_in_time() -> None:
    """The others are answered, and the silent one is neither fine nor at fault."""
    azure = MuteAzure()
    azure.put(a_vault(soft_delete_state="AlwaysON", soft_delete_days=14), Vault(id=GOOD, location="westeurope"))
    services = world_of(azure).services
    view = await fleet_posture(azure, lambda one: context_of(services, azure, one), services.checks, NOW, limit_s=0.3)
    by_name = {one.vault_name: {finding.check: finding for finding in one.findings} for one in view.vaults}
    assert by_name["vault-prod-01"]["soft_delete_is_on"].outcome is Outcome.PASS
    assert by_name["vault-good"]["soft_delete_is_on"].blind is Blind.TIMED_OUT
    assert view.exit_code == 1


async def test_vaults_that_wait_for_silent_ones_are_unknown_too() -> None:
    """More silent vaults than are asked at one time: the limit holds, and every one of them is unknown."""
    azure = MuteAzure()
    azure.put(*(Vault(id=replace(GOOD, name=f"vault-good-{n:02}"), location="westeurope") for n in range(40)))
    services = world_of(azure).services
    view = await fleet_posture(azure, lambda one: context_of(services, azure, one), services.checks, NOW, limit_s=0.2)
    assert len(view.vaults) == 40
    for vault in view.vaults:
        found = {finding.check: finding for finding in vault.findings}
        assert found["soft_delete_is_on"].blind is Blind.TIMED_OUT
        assert not vault.complete


async def test_an_empty_fleet_is_a_warning() -> None:
    """No vault at all is not a good posture."""
    lines = shown(card_of(await say("posture", a_world(FakeAzure()).services)))
    assert lines[0] == "▲ WARNING Posture of 0 vaults: 0 fine"
