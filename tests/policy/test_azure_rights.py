"""``azure-rbac``, asked of the simulated Azure by the bot's own reader: who could do the plan's calls themselves."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from bot.workflows.standing import standing_of
from domain.actor import Actor
from domain.approval_policy import Standing
from domain.fix import FixPlan
from simulator.control import InjectedFault
from simulator.world.access import EVERYBODY
from simulator.world.model import Assignment, Principal, Role, World
from tests.e2e_teams.stage import ROUTE, Stage, stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(60)]

RULE = """
[[approvals.rule]]
fix = "*"
requesters = ["*"]
approvers = ["azure-rbac"]
"""
ZOE = "20e00000-0000-4000-8000-000000000001"
TEAM = "7ea00000-0000-4000-8000-000000000002"
OTHER = "07e00000-0000-4000-8000-000000000003"
BACKUP = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/backup/action"
PERSON = Actor(platform="teams", id=ZOE, entra_id=ZOE, name="Zoe", email="zoe@contoso.com", email_confirmed=True)
OPERATOR = "00c29273-979b-4161-815c-10b084fb9324"  # Backup Operator, the same in every tenant


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A bot whose approvers are whoever could do it in Azure."""
    async with stage(tmp_path_factory.mktemp("rights"), toml=ROUTE + RULE) as one:
        yield one


class Rights:
    """Zoe, who is in one group and holds nothing yet, and hands to give her rights."""

    def __init__(self, world: World, plan: FixPlan) -> None:
        self.world, self.plan = world, plan
        world.principals[TEAM] = Principal("team", TEAM, "group")
        world.principals[ZOE] = Principal("Zoe", ZOE, "user", mail="zoe@contoso.com", groups=(TEAM,))

    @property
    def scope(self) -> str:
        """Where the plan's call needs its permission: the vault."""
        return self.plan.permissions[0][1]

    @property
    def subscription(self) -> str:
        """The vault's subscription."""
        return "/".join(self.scope.split("/")[:3])

    def give(self, scope: str, *, who: str = ZOE, role: str = OPERATOR, **more: Any) -> None:
        """An assignment that has counted for long."""
        name = f"00000000-0000-4000-8000-{len(self.world.assignments):012d}"
        at = self.world.epoch
        one = Assignment(name, scope, role, who, "User" if who == ZOE else "Group", at, at, **more)
        self.world.assignments[one.id.casefold()] = one

    def role(self, **fields: Any) -> str:
        """A custom role."""
        guid = f"00000000-0000-4000-9000-{len(self.world.roles):012d}"
        self.world.roles[guid] = Role(guid, f"custom {guid}", "", scopes=(self.subscription,), **fields)
        return guid

    def deny(
        self, scope: str, *principals: str, actions: tuple[str, ...] = ("*",), spare: tuple[str, ...] = ()
    ) -> None:
        """A deny assignment."""
        name = f"00000000-0000-4000-7000-{len(self.world.denies):012d}"
        self.world.denies.append(
            {
                "id": f"{scope}/providers/Microsoft.Authorization/denyAssignments/{name}",
                "name": name,
                "type": "Microsoft.Authorization/denyAssignments",
                "properties": {
                    "denyAssignmentName": f"deny {name}",
                    "description": "",
                    "permissions": [{"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}],
                    "scope": scope,
                    "doNotApplyToChildScopes": False,
                    "principals": [
                        {"id": one, "type": "SystemDefined" if one == EVERYBODY else "Group" if one == TEAM else "User"}
                        for one in principals
                    ],
                    "excludePrincipals": [{"id": one, "type": "User"} for one in spare],
                    "isSystemProtected": True,
                },
            }
        )  # fmt: skip


Given = Callable[[Rights], None]


def _conditional(rights: Rights) -> None:
    rights.give(rights.scope, condition="(@Resource[x] StringEquals 'y')", condition_version="2.0")


def _denied_and_allowed(*principals: str, **more: Any) -> Given:
    def given(rights: Rights) -> None:
        rights.give(rights.scope)
        rights.deny(rights.subscription, *principals, **more)

    return given


NOTHING: Given = lambda _: None  # noqa: E731
CASES: list[tuple[str, Given, bool | None]] = [
    ("nothing at all", NOTHING, False),
    ("the role at the vault", lambda r: r.give(r.scope), True),
    ("the role at the resource group", lambda r: r.give(r.scope.partition("/providers/")[0]), True),
    ("the role at the subscription", lambda r: r.give(r.subscription), True),
    ("the role through a group", lambda r: r.give(r.scope, who=TEAM), True),
    ("through a group and inherited", lambda r: r.give(r.subscription, who=TEAM), True),
    ("the role of somebody else", lambda r: r.give(r.scope, who=OTHER), False),
    ("a role that only reads", lambda r: r.give(r.scope, role=r.role(actions=("*/read",))), False),
    ("a custom role with the action", lambda r: r.give(r.scope, role=r.role(actions=(BACKUP,))), True),
    ("another writing", lambda r: r.give(r.scope, role=r.role(actions=(BACKUP.upper(),))), True),
    ("a wildcard", lambda r: r.give(r.scope, role=r.role(actions=("Microsoft.RecoveryServices/*",))), True),
    ("taken out again", lambda r: r.give(r.scope, role=r.role(actions=("*",), not_actions=(BACKUP,))), False),
    (
        "taken out by a wildcard",
        lambda r: r.give(r.scope, role=r.role(actions=("*",), not_actions=("Microsoft.RecoveryServices/*/action",))),
        False,
    ),
    ("as a data action", lambda r: r.give(r.scope, role=r.role(data_actions=("*",))), False),
    ("with a condition", _conditional, False),
    ("only below the vault", lambda r: r.give(f"{r.scope}/backupPolicies/DefaultPolicy"), False),
    ("a vault of a longer name", lambda r: r.give(f"{r.scope}0"), False),
    ("denied in person", _denied_and_allowed(ZOE), False),
    ("denied through a group", _denied_and_allowed(TEAM), False),
    ("denied to everybody", _denied_and_allowed(EVERYBODY, actions=(BACKUP,)), False),
    ("denied to everybody but her", _denied_and_allowed(EVERYBODY, actions=(BACKUP,), spare=(ZOE,)), True),
    ("denied to somebody else", _denied_and_allowed(OTHER), True),
    ("denied something else", _denied_and_allowed(ZOE, actions=("Microsoft.Compute/*",)), True),
]


@pytest_asyncio.fixture(loop_scope="module")
async def rights(running: Stage) -> AsyncIterator[Rights]:
    """Zoe in a world that is put back afterwards."""
    world, read = running.cloud.world, running.app.services.read()
    vault = next(one for one in await read.vaults() if one.id.name == "vault-prod-01")
    item = next(one for one in await read.items(vault.id) if one.name == "vm-app-01")
    before = dict(world.assignments), dict(world.roles), list(world.denies), dict(world.principals)
    yield Rights(world, await running.app.approvals.plan("rerun_backup", item.id, {}))
    world.assignments, world.roles, world.denies, world.principals = before
    running.cloud.control.faults.clear()


async def asked(running: Stage, rights: Rights) -> Standing:
    """What the bot finds out."""
    return await standing_of(running.app.services, PERSON, ["azure-rbac"], rights.plan)


@pytest.mark.parametrize(("given", "may"), [pytest.param(*one[1:], id=one[0]) for one in CASES])
async def test_the_right(running: Stage, rights: Rights, given: Given, may: bool) -> None:
    """The bot says what Azure itself would: yes, or no with the reason."""
    given(rights)
    found = await asked(running, rights)
    assert (may, not may) == (found.azure_rbac, bool(found.azure_reason)), found


@pytest.mark.parametrize("what", ["roleAssignments", "roleDefinitions", "denyAssignments"])
async def test_what_cannot_be_read_is_no_right(running: Stage, rights: Rights, what: str) -> None:
    """A denied read of any of the three leaves the right unknown, which the policy takes for no."""
    rights.give(rights.scope)
    running.cloud.control.faults.append(InjectedFault(method="GET", path=what, status=403, code="AuthorizationFailed"))
    found = await asked(running, rights)
    assert found.azure_rbac is None
    assert "could not be read" in found.azure_reason


async def test_somebody_without_an_entra_account_has_no_right(running: Stage, rights: Rights) -> None:
    """A Slack account whose Entra id nobody knows cannot be looked up in Azure."""
    nobody = Actor(platform="slack", id="U0MAX", email="max@contoso.com", email_confirmed=True)
    found = await standing_of(running.app.services, nobody, ["azure-rbac"], rights.plan)
    assert (None, "your Entra account is not known") == (found.azure_rbac, found.azure_reason)
