"""``incidents`` and ``incident``: what is open, and what people do about it."""

from datetime import timedelta

import pytest

from domain.incident import Operation, Severity
from tests.diagnostics.world import NOW, an_azure, hours
from tests.handlers.world import ANA, World, a_world, an_incident, card_of, say, shown

ID = "INC-7Q4K2P9A"


@pytest.fixture
def world() -> World:
    """Three open incidents and a closed one."""
    world = a_world(an_azure())
    world.incidents.put(
        an_incident(),
        an_incident(
            id="INC-2",
            severity=Severity.WARNING,
            item_name="orders",
            what="restore failed",
            code="",
            operation=Operation.RESTORE,
            owner=ANA,
            opened_at=hours(30),
            snoozed_until=NOW + timedelta(hours=1),
        ),
        an_incident(id="INC-3", severity=Severity.WARNING, opened_at=hours(40), snoozed_until=hours(1)),
        an_incident(id="INC-4", open=False),
    )
    return world


async def test_the_open_ones(world: World) -> None:
    """Worst first; who has it, how long it is quiet, since when; the closed one is not there."""
    lines = shown(card_of(await say("incidents", world.services)))
    assert lines == [
        "✖ CRITICAL 3 open incidents: 1 critical, 2 warning",
        (
            "✖ CRITICAL  INC-7Q4K2P9A vm-erp-01 in vault-prod-01: backup failed 3× "
            "(UserErrorKeyVaultPermissionsNotConfigured) · last good point 31 h ago, RPO 26 h breached by 5 h · "
            "nobody has it · opened 2 h ago (2026-11-22 01:00 UTC)"
        ),
        (
            "▲ WARNING  INC-3 vm-erp-01 in vault-prod-01: backup failed 3× (UserErrorKeyVaultPermissionsNotConfigured) · "
            "last good point 31 h ago, RPO 26 h breached by 5 h · nobody has it · opened 40 h ago (2026-11-20 11:00 UTC)"
        ),
        (
            "▲ WARNING  INC-2 orders in vault-prod-01: restore failed · Ana has it, quiet until 2026-11-22 04:00 UTC · "
            "opened 30 h ago (2026-11-20 21:00 UTC)"
        ),
        "One of them: /backup incident <id> [take|snooze 2h|close <reason>]",
    ]


async def test_none_and_many() -> None:
    """None is good; of twenty the worst fifteen are shown."""
    world = a_world(an_azure())
    assert shown(card_of(await say("incidents", world.services))) == ["✔ GOOD No incident is open"]
    world.incidents.put(*(an_incident(id=f"INC-{number}") for number in range(20)))
    lines = shown(card_of(await say("incidents", world.services)))
    assert "… 5 more; backupbot incidents lists all." in lines
    assert len([line for line in lines if line.startswith("✖ CRITICAL  INC-")]) == 15


async def test_one_is_shown_whole(world: World) -> None:
    """In any letter case of its id, with its buttons."""
    lines = shown(card_of(await say(f"incident {ID.lower()}", world.services)))
    assert lines[0].startswith("✖ CRITICAL vm-erp-01 in vault-prod-01: backup failed 3×")
    assert lines[0].endswith("RPO 26 h breached by 5 h")
    assert "[I have it] [Check again]" in lines
    assert world.incidents.done == []


@pytest.mark.parametrize(
    ("words", "done"),
    [
        ("take", ("take", ID, "U0ANA")),
        ("TAKE", ("take", ID, "U0ANA")),
        ("snooze", ("snooze", ID, "U0ANA", "2:00:00")),
        ("snooze 30m", ("snooze", ID, "U0ANA", "0:30:00")),
        ("snooze 1d 2h", ("snooze", ID, "U0ANA", "1 day, 2:00:00")),
        ("close the disk was full", ("close", ID, "U0ANA", "the disk was full")),
        ('close "the disk was full"', ("close", ID, "U0ANA", "the disk was full")),
    ],
)
async def test_what_people_do(words: str, done: tuple[str, ...], world: World) -> None:
    """Each verb reaches the desk once, with who did it."""
    await say(f"incident {ID} {words}", world.services)
    assert world.incidents.done == [done]


async def test_a_closed_one_is_shown_as_closed(world: World) -> None:
    """The answer is the incident as it stands after the change."""
    lines = shown(card_of(await say(f"incident {ID} close disk freed", world.services)))
    assert lines[0].startswith("✔ GOOD Closed: vm-erp-01")
    assert "disk freed" in lines


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("incident", "● INFO Name the incident: /backup incident <id> [take|snooze 2h|close <reason>]; "),
        (f"incident {ID} close", f"● INFO Say why it is over: /backup incident {ID} close <reason>."),
        (f"incident {ID} snooze 8d", "● INFO An incident can be quiet for 1 minute to 7 days; close it if it is over."),
        (f"incident {ID} snooze soon", "● INFO 'soon' is not a duration"),
        (f"incident {ID} take it", "● INFO take it is not understood: /backup incident"),
        (f"incident {ID} drop", "● INFO drop is not understood: /backup incident"),
        ("incident INC-9", "● INFO There is no incident INC-9."),
        ("incidents INC-9", "● INFO For one incident say /backup incident INC-9; incidents lists all open ones."),
    ],
)
async def test_what_is_not_understood_changes_nothing(words: str, said: str, world: World) -> None:
    """The refusal is private, says the form, and the desk hears of nothing."""
    answers = await say(words, world.services)
    assert " ".join(shown(card_of(answers))).startswith(said)
    assert answers[-1].private
    assert world.incidents.done == []
