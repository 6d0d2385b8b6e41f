"""The cards of a vault and of the fleet: exceptions first, nothing unreadable hidden."""

from dataclasses import replace
from datetime import timedelta

from adaptive_cards import text
from adaptive_cards.card import Buttons, Card
from adaptive_cards.cards import fleet
from adaptive_cards.slack import render as slack
from adaptive_cards.teams import render as teams
from diagnostics.overview.judging import judge_item
from domain.arm import VaultId
from domain.overview import FleetStatus, ItemStatus, UnreadSubscription, VaultStatus
from domain.schedule import RpoRules
from tests.diagnostics.world import NOW, VAULT, a_job, an_error, an_item, hours


def item(name: str, **changes: object) -> ItemStatus:
    """An item as it was judged."""
    judged = judge_item(an_item(**changes), (), None, RpoRules(), NOW)
    return replace(judged, name=name, item_id=judged.item_id.replace("vm-erp-01", name))


def of(*items: ItemStatus, **changes: object) -> VaultStatus:
    """A vault with these items."""
    status = VaultStatus(
        vault_id=VAULT.id,
        vault_name="vault-prod-01",
        items=tuple(sorted(items, key=lambda one: one.badness)),
        jobs_failed=1,
        jobs_running=0,
    )
    return replace(status, **changes)  # type: ignore[arg-type]


def buttons(card: Card) -> Buttons:
    """The one row of buttons."""
    (row,) = [one for one in card.elements if isinstance(one, Buttons)]
    return row


def lines(card: Card) -> list[str]:
    """The card as text without links, one line a thought."""
    return [line.partition(" <http")[0] for line in text.render(card, width=1000).splitlines()]


def test_a_vault_shows_what_is_wrong_first() -> None:
    """The line of the breach has its failures, code and age; the fine ones are only named."""
    failing = judge_item(
        an_item(last_backup_status="Failed", last_recovery_point_at=hours(31)),
        [
            a_job("a", age=3, errors=(an_error("UserErrorKeyVaultPermissionsNotConfigured"),)),
            a_job("b", age=8),
            a_job("c", age=27),
        ],
        None,
        RpoRules(),
        NOW,
    )
    stopped = item("vm-old-01", soft_deleted=True, purge_after=timedelta(days=13))
    card = fleet.vault(of(failing, item("vm-app-01"), stopped), NOW, simulated=True)
    portal = "https://portal.azure.com/#resource"
    assert text.render(card, width=1000).replace(f"{portal}{failing.item_id}", "ERP").replace(
        f"{portal}{stopped.item_id}", "OLD"
    ).replace(f"{portal}{VAULT.id}", "VAULT") == (
        "[SIMULATED: nothing here is real]\n"
        "✖ CRITICAL vault-prod-01: 1 fine, 1 needs you, 1 stopped · SIMULATED\n"
        "✖ NEEDS YOU  vm-erp-01 <ERP>: backup failed 3×, RPO 26 h breached by 5 h "
        "(UserErrorKeyVaultPermissionsNotConfigured) · newest point 31 h ago (2026-11-20 20:00 UTC)\n"
        "– STOPPED  vm-old-01 <OLD>: soft deleted, gone for good in 13 d · newest point 5 h ago (2026-11-21 22:00 UTC)\n"
        "Fine: vm-app-01.\n"
        "Jobs: 1 failed in the last 24 h, 0 running. /backup jobs vault-prod-01\n"
        "[Diagnose vm-erp-01] [Open in portal] <VAULT>\n"
        "From Azure's lists; Diagnose reads the recovery points themselves.\n"
    )
    assert buttons(card).shown[0].action == "diagnose.item"
    assert buttons(card).shown[0].value == failing.item_id


def test_only_the_worst_ten_are_shown() -> None:
    """Twelve late items: ten lines, five buttons of which three are seen, and how to see the rest."""
    late = [item(f"vm-{number:02}", last_recovery_point_at=hours(40 - number)) for number in range(12)]
    card = fleet.vault(of(*late), NOW, simulated=False)
    shown = [line for line in lines(card) if line.startswith("✖ NEEDS YOU")]
    assert [line.split()[3] for line in shown] == [f"vm-{number:02}" for number in range(10)]
    assert "… 2 more; all items: /backup rpo vault-prod-01" in lines(card)
    assert [one.label for one in buttons(card).shown] == ["Diagnose vm-00", "Diagnose vm-01", "Diagnose vm-02"]
    assert [one.label for one in buttons(card).menu] == ["Diagnose vm-03", "Diagnose vm-04", "Open in portal"]
    slack(card)
    teams(card)


def test_a_vault_without_exceptions_is_good_and_an_empty_one_is_not() -> None:
    """All fine is said in the first line; a vault that protects nothing is no success."""
    assert lines(fleet.vault(of(item("a")), NOW, simulated=False))[0] == "✔ GOOD vault-prod-01: 1 fine"
    assert lines(fleet.vault(of(), NOW, simulated=False))[0] == "● INFO vault-prod-01 protects nothing"


def test_a_vault_whose_jobs_could_not_be_read_is_not_good() -> None:
    """What is missing is a line, and the card is a warning."""
    status = of(item("a"), jobs_failed=None, jobs_running=None, notes=("jobs: Not allowed to look.",))
    card = lines(fleet.vault(status, NOW, simulated=False))
    assert card[0] == "▲ WARNING vault-prod-01: 1 fine"
    assert "? UNKNOWN  jobs: Not allowed to look." in card
    assert not [line for line in card if line.startswith("Jobs:")]


def test_the_fleet_counts_fine_need_and_unread() -> None:
    """The first line has all three, whatever could not be read has its line and reason."""
    fine = [item(f"ok-{number}") for number in range(196)]
    late = [item(f"late-{number}", last_recovery_point_at=hours(31 + number)) for number in range(3)]
    dark = VaultStatus(
        vault_id=VAULT.id.replace("vault-prod-01", "vault-dark"), vault_name="vault-dark", unread="Not allowed to look."
    )
    status = FleetStatus(
        vaults=(of(*fine, *late), dark),
        unread_subscriptions=(UnreadSubscription(subscription="sub-3", why="Throttled."),),
    )
    card = fleet.fleet(status, NOW, simulated=False)
    shown = lines(card)
    assert shown[0] == (
        "✖ CRITICAL 2 vaults: 196 fine, 3 need you, 1 vault could not be read, 1 subscription could not be read"
    )
    assert [line for line in shown if "NEEDS YOU" in line] == [
        "✖ NEEDS YOU  late-2",
        "✖ NEEDS YOU  late-1",
        "✖ NEEDS YOU  late-0",
    ]
    assert "? COULD NOT READ  vault-dark: Not allowed to look." in shown
    assert "? COULD NOT READ  subscription sub-3: Throttled." in shown
    assert [one.label for one in buttons(card).buttons] == ["Diagnose late-2", "Diagnose late-1", "Diagnose late-0"]


def test_blindness_alone_is_a_warning() -> None:
    """All that was read is fine, but a vault was not read: that is not good."""
    dark = VaultStatus(vault_id=VAULT.id, vault_name="vault-dark", unread="Not allowed to look.")
    card = fleet.fleet(FleetStatus(vaults=(dark,)), NOW, simulated=False)
    assert lines(card)[0] == "▲ WARNING 1 vault: 0 fine, 1 vault could not be read"
    assert lines(fleet.fleet(FleetStatus(vaults=()), NOW, simulated=False))[0] == (
        "▲ WARNING The bot sees no vault at all"
    )


def test_a_name_too_long_for_a_button_costs_only_its_button() -> None:
    """An item whose id does not fit into a button is still a line of the card, which renders everywhere."""
    long = replace(item("x", last_recovery_point_at=hours(31)), item_id=VAULT.id + "/" + "ü" * 400)
    card = fleet.vault(of(long), NOW, simulated=False)
    assert [one.label for one in buttons(card).buttons] == ["Open in portal"]
    slack(card)
    teams(card)


def test_vaults_of_one_name_are_told_apart() -> None:
    """Where two vaults share a name the resource group is said, and the subscription where that is not enough."""
    late = item("vm-late", last_recovery_point_at=hours(31))
    twins = [
        VaultId("s-1", "rg-a", "twin"),
        VaultId("s-2", "rg-b", "twin"),
        VaultId("s-1", "rg", "same"),
        VaultId("s-2", "rg", "same"),
    ]
    status = FleetStatus(
        vaults=tuple(
            of(replace(late, vault_id=one.id, vault_name=one.name), vault_id=one.id, vault_name=one.name)
            for one in (VAULT, *twins)
        )
    )
    shown = [line.split()[0] for line in lines(fleet.fleet(status, NOW, simulated=False))]
    assert [word for word in shown if word.endswith(("twin", "same", "vault-prod-01"))] == [
        "s-1/rg/same",
        "s-2/rg/same",
        "rg-a/twin",
        "rg-b/twin",
        "vault-prod-01",
    ]
