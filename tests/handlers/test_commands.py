"""What every command promises: help that is true, an example that works, and answers that draw on every platform."""

from datetime import timedelta

import pytest

from adaptive_cards.slack import render as slack
from adaptive_cards.teams import render as teams
from domain.arm import ItemId, VaultId
from domain.errors import PermissionDenied, Throttled
from handlers import grammar, router
from handlers.router import CommandSpec
from tests.cards.oracles import check_slack, check_teams, objects, slack_text
from tests.cards.samples import EVIL
from tests.diagnostics.world import VAULT, a_job, a_share, a_vault, an_azure, an_item, hours
from tests.fakes.azure import FakeAzure
from tests.handlers.world import World, a_world, an_incident, card_of, say, shown

COMMANDS = router.build().commands
GRAMMAR = {
    "help", "status", "jobs", "rpo", "diagnose", "explain", "check-restore", "fix", "agents", "posture", "incidents",
    "incident", "approvals", "audit", "whoami", "drills",
}  # fmt: skip
MINE = ("jobs", "rpo", "agents", "posture", "check-restore", "incidents", "incident", "audit", "whoami", "drills")
READS = ("status", "rpo", "jobs vault-prod-01", "agents", "posture vault-prod-01", "check-restore vm-erp-01")


@pytest.fixture
def azure() -> FakeAzure:
    """A vault with a VM that is well."""
    return an_azure()


@pytest.fixture
def world(azure: FakeAzure) -> World:
    """The bot over it, with one open incident."""
    world = a_world(azure)
    world.incidents.put(an_incident())
    return world


def test_the_chat_grammar_is_there() -> None:
    """Every command of the grammar exists."""
    assert set(COMMANDS) >= GRAMMAR


@pytest.mark.parametrize("spec", COMMANDS.values(), ids=list(COMMANDS))
def test_a_command_explains_itself(spec: CommandSpec) -> None:
    """Usage and example begin with the name, the example parses to it, and one sentence says what it is for."""
    assert spec.usage.split()[0] == spec.name
    assert grammar.parse(spec.example).command == spec.name
    assert grammar.parse(f"/backup {spec.example.upper()}").command == spec.name
    assert spec.about.endswith(".")
    assert ". " not in spec.about
    assert len(spec.about) <= 120


@pytest.mark.parametrize("name", MINE)
async def test_the_example_works(name: str, world: World) -> None:
    """What help shows as an example is answered, not refused, on each platform."""
    answers = await say(COMMANDS[name].example, world.services)
    card = card_of(answers)
    assert "is not understood" not in card.summary
    assert not card.summary.startswith(("There is no", "Name ", "Say "))
    check_slack(slack(card).blocks)
    check_teams(teams(card).content)


@pytest.mark.parametrize("words", READS)
async def test_an_unreadable_azure_is_said_and_never_fine(words: str, azure: FakeAzure, world: World) -> None:
    """With every list denied the answer says what is missing, and no card is good."""
    for method in ("vaults", "items", "jobs", "servers", "vault", "resources", "resource", "recovery_points"):
        azure.fail(method, PermissionDenied("You may not.", action="Microsoft.Something/read", scope="/x"))
    card = card_of(await say(words, world.services))
    assert card.severity == "warning"
    assert any("Microsoft.Something/read" in line for line in shown(card))


@pytest.mark.parametrize("words", ["jobs vault-prod-01", "agents vault-prod-01", "rpo vault-prod-01"])
async def test_throttling_says_when_to_try_again(words: str, azure: FakeAzure, world: World) -> None:
    """The wait that Azure asks for is in the answer."""
    for method in ("items", "jobs", "servers"):
        azure.fail(method, Throttled("Too many requests.", retry_after=timedelta(minutes=5)))
    lines = shown(card_of(await say(words, world.services)))
    assert lines[0] == "▲ WARNING Azure could not be read"
    assert "Azure asks to wait 5m; ask again then." in lines


@pytest.mark.parametrize(
    "words", ["status", "status vault-prod-01", "rpo", "jobs vault-prod-01", f'check-restore "{EVIL}"', "incidents"]
)
async def test_a_hostile_name_stays_text(words: str, azure: FakeAzure) -> None:
    """A name that tries to mention and to link is text on both platforms, and only the portal is linked."""
    azure.put(a_share(name=EVIL, last_backup_status="Failed"), a_job(item_name=EVIL, container_name=EVIL))
    world = a_world(azure)
    world.incidents.put(an_incident(item_name=EVIL))
    card = card_of(await say(words, world.services))
    message, content = slack(card), teams(card).content
    check_slack(message.blocks)
    check_teams(content)
    assert EVIL in slack_text(message.blocks) + message.text.replace("&lt;", "<").replace("&gt;", ">")
    assert not [one for one in objects(message.blocks) if one.get("type") in {"user", "usergroup", "broadcast"}]
    assert content["msteams"]["entities"] == []
    urls = {one["url"] for one in objects([message.blocks, content]) if "url" in one}
    assert all(url.startswith("https://portal.azure.com/#resource/") for url in urls)


async def test_a_large_fleet_still_fits_every_platform() -> None:
    """Thirty vaults with twelve items each, half of them in trouble, are within the limits of Slack and Teams."""
    azure = FakeAzure()
    for number in range(30):
        vault = VaultId(VAULT.subscription, "rg-backup", f"vault-with-a-rather-long-name-{number:02}")
        azure.put(a_vault(id=vault))
        for name in range(12):
            item = ItemId(vault, "Azure", f"IaasVMContainer;iaasvmcontainerv2;rg;vm-{name}", f"VM;v2;rg;vm-{name}")
            age = hours(31 if name % 2 else 5)
            azure.put(an_item(id=item, name=f"vm-{number}-{name}", policy_id="", last_recovery_point_at=age))
    world = a_world(azure)
    for words in ("status", "rpo", "rpo page 2", "posture", "agents"):
        card = card_of(await say(words, world.services))
        check_slack(slack(card).blocks)
        check_teams(teams(card).content)
    assert azure.count("policy") == 0
