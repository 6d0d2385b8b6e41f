"""Random stories: whatever people, time, Azure and crashes do, in whatever order, the promises hold."""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bot.store import tables as t
from domain.actor import Actor
from domain.approval import State, may
from domain.errors import ApprovalError, GatewayUnavailable, OutcomeUnknown, RequestError
from domain.fix import Kind
from domain.records import load_plan
from tests.conftest import migrate
from tests.fixes.world import CUSTOM_ROLE_GUID, KEY_VAULT, SERVICE, assignment
from tests.workflows.world import ANA, ANA_ON_TEAMS, BEN, EVE, FOUR_EYES, MAX, World, world_on

T = TypeVar("T")
GUEST = replace(BEN, id="U0GUEST", name="Gus Guest", email="gus@fabrikam.com", is_guest=True)
FIXES = ("rerun_backup", "grant_key_vault_access")
PEOPLE = (MAX, ANA, ANA_ON_TEAMS, BEN, EVE, GUEST)
RULE = replace(FOUR_EYES, approvers=("email:ana@contoso.com", "email:max@contoso.com", "slack:U0BEN", "slack:U0GUEST"))
MAY_APPROVE = {ANA.id, ANA_ON_TEAMS.id, MAX.id, BEN.id}
HUMAN = {ANA_ON_TEAMS.id: ANA.id}
"""Which accounts belong to which human, said by hand."""


def human(actor: Actor | dict[str, str]) -> str:
    found = actor.id if isinstance(actor, Actor) else actor["id"]
    return HUMAN.get(found, found)


class Promises(RuleBasedStateMachine):
    """People ask, click, edit and withdraw; time passes; the plan changes; work is lost; processes start again."""

    required = 1

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.directory = tempfile.TemporaryDirectory(prefix="backupbot-promises-")
        self.seen: dict[str, str] = {}
        self.asked: list[str] = []

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize(who=st.sampled_from([MAX, EVE, ANA]), fix=st.sampled_from(FIXES))
    def begin(self, who: Actor, fix: str) -> None:
        url = f"sqlite:///{Path(self.directory.name) / 'bot.db'}"
        migrate(url)
        self.world: World = self.run(self.stack.enter_async_context(world_on(url)))
        self.world.services.rules = [replace(RULE, required=self.required)]
        self.ask(who, fix)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.loop.close()
        self.directory.cleanup()

    # -- what may happen -------------------------------------------------------------------------------------------

    @rule(who=st.sampled_from(PEOPLE), fix=st.sampled_from(FIXES))
    def ask(self, who: Actor, fix: str) -> None:
        with suppress(RequestError, ApprovalError):
            self.asked.append(self.run(self.world.ask(fix, actor=who)).id)

    @rule(
        who=st.sampled_from(PEOPLE),
        decision=st.sampled_from(["approve", "approve", "approve", "reject", "withdraw", "break_glass"]),
        which=st.integers(0, 3),
    )
    def click(self, who: Actor, decision: str, which: int) -> None:
        if self.asked:
            with suppress(RequestError, ApprovalError):
                self.run(
                    self.world.approvals.decide(self.asked[-1 - which % len(self.asked)], decision, who, reason="x")
                )

    @rule(who=st.sampled_from([ANA, BEN]), which=st.integers(0, 1))
    def an_approver_approves(self, who: Actor, which: int) -> None:
        self.click(who, "approve", which)

    @rule(people=st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=6))
    def click_at_once(self, people: list[Actor]) -> None:
        async def all_at_once() -> None:
            await asyncio.gather(
                *(self.world.approvals.decide(self.asked[-1], "approve", who) for who in people), return_exceptions=True
            )

        if self.asked:
            self.run(all_at_once())

    @rule(who=st.sampled_from(PEOPLE), hours=st.integers(0, 9))
    def edit(self, who: Actor, hours: int) -> None:
        if self.asked:
            with suppress(RequestError, ApprovalError):
                until = {"rights_until": f"2026-11-2{hours % 5 + 3}T0{hours}:00:00Z"}
                self.run(self.world.approvals.edit(self.asked[-1], who, until, "differently"))

    @rule(minutes=st.sampled_from([0, 1, 5, 16, 61, 250]))
    def time_passes(self, minutes: int) -> None:
        self.run(self.world.tick(timedelta(minutes=minutes)))

    @rule()
    def an_hour_passes(self) -> None:
        for _ in range(10):
            self.run(self.world.tick(timedelta(minutes=6)))
            self.world.end_jobs()

    @rule()
    def work_is_done(self) -> None:
        self.run(self.world.work())

    @rule()
    def jobs_end(self) -> None:
        self.world.end_jobs()

    @rule()
    def somebody_grants_by_hand(self) -> None:
        self.world.azure.assignments.append(assignment(KEY_VAULT, SERVICE, CUSTOM_ROLE_GUID))

    @rule()
    def somebody_takes_it_away_by_hand(self) -> None:
        self.world.azure.assignments.clear()
        self.world.azure.bodies = {name: one for name, one in self.world.azure.bodies.items() if "roleass" not in name}

    @rule(despite=st.booleans())
    def the_next_answer_is_lost(self, despite: bool) -> None:
        self.world.operator.answers = [OutcomeUnknown("lost")]
        self.world.operator.effect_despite_error = despite

    @rule()
    def azure_is_away_for_one_call(self) -> None:
        self.world.operator.answers = [GatewayUnavailable("away")]
        self.world.operator.effect_despite_error = False

    @rule()
    def crash(self) -> None:
        self.world.restart()

    @rule()
    def crash_and_the_engine_forgets(self) -> None:
        self.run(self.world.lose_work())
        self.world.restart()

    # -- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def only_the_table_is_followed(self) -> None:
        """Between two looks a request moved along the table, and what was final stayed."""
        for row in self.run(self.world.store.all(sa.select(t.approvals))):
            before, after = State(self.seen.get(row["id"], "requested")), State(row["state"])
            assert reachable(before, after), f"{before} → {after}"
            self.seen[row["id"]] = after

    @invariant()
    def nothing_runs_without_its_approvals(self) -> None:
        """Every run has the approvals of enough different humans who may, none of whom asked or edited, of that very plan."""
        for run in self.run(self.world.store.all(sa.select(t.fix_runs))):
            row = self.run(self.world.row(run["approval_id"]))
            voters = {human(vote["actor"]) for vote in row["votes"]}
            wishers = {human(one) for one in (row["requester"], *row["editors"])}
            assert load_plan(run["plan"]).fingerprint(self.world.operator.client_id) == row["fingerprint"]
            assert len(voters) == len(row["votes"]) >= self.required
            assert not voters & wishers
            assert {vote["actor"]["id"] for vote in row["votes"]} <= MAY_APPROVE
            started = [line for line in self.run(self.world.audit("run.started")) if line["subject"] == row["id"]]
            assert 1 == len(started)
            given = [
                line
                for line in self.run(self.world.audit("approval.approved"))
                if line["subject"] == row["id"] and line["data"]["fingerprint"] == row["fingerprint"]
            ]
            assert len({human(line["actor"]) for line in given}) >= self.required

    @invariant()
    def what_was_shown_is_what_is_sent(self) -> None:
        """Every call that Azure got stands in the plan of a run, and no call had an effect more often than runs wanted it."""
        planned = [
            call for run in self.run(self.world.store.all(sa.select(t.fix_runs))) for call in run["plan"]["calls"]
        ]
        for call in self.world.operator.sent:
            if call.kind is not Kind.ROLE_REMOVAL:
                assert any(one["resource"] == call.resource and one["method"] == call.method for one in planned)
        assert self.world.jobs <= sum(1 for one in planned if one["kind"] == "backup")

    @invariant()
    def one_thing_at_a_time(self) -> None:
        """All the runs under way hold their locks, no ended one does, and one fix of an item lives only once."""
        running = [one for one in self.run(self.world.store.all(sa.select(t.fix_runs))) if one["state"] == "executing"]
        holders = {row["run_id"] for row in self.run(self.world.store.all(sa.select(t.locks)))}
        assert {one["id"] for one in running} == holders
        assert len(running) <= 1, "both fixes work on the same item"
        rows = self.run(self.world.store.all(sa.select(t.approvals)))
        live = [(row["fix"], row["item_id"]) for row in rows if row["state"] in {"requested", "approved", "executing"}]
        assert len(live) == len(set(live))

    @invariant()
    def the_record_holds(self) -> None:
        """The chain is whole."""
        assert self.run(self.world.chain()).ok

    def everything_ends(self) -> None:
        """Given time and an Azure that answers, every request reaches a final state."""
        self.world.operator.answers = []
        for _ in range(100):
            self.run(self.world.tick(timedelta(minutes=31)))
            self.world.end_jobs()
        for row in self.run(self.world.store.all(sa.select(t.approvals))):
            assert State(row["state"]).final, row["state"]
        assert [] == self.run(self.world.locks())


class Finished(Promises):
    """The same, with the end of every story played out."""

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.everything_ends()
                self.only_the_table_is_followed()
                self.what_was_shown_is_what_is_sent()
        finally:
            super().teardown()


class TwoPeople(Finished):
    """The same where two people are needed."""

    required = 2


def reachable(before: State, after: State) -> bool:
    """Whether the table leads from one state to the other in any number of steps."""
    seen, edge = {before}, [before]
    while edge:
        edge = [other for one in edge for other in State if may(one, other) and other not in seen]
        seen.update(edge)
    return after in seen


@pytest.mark.parametrize("machine", [Finished, TwoPeople])
def test_random_stories_keep_the_promises(machine: type[Promises]) -> None:
    """Six random stories of up to twenty-five events each; more in the soak run."""
    play(machine, stories=6, events=25)


def play(machine: type[Promises], *, stories: int, events: int) -> None:
    """Play random stories."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=stories,
            stateful_step_count=events,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_request_knows_what_it_is() -> None:
    """The table's own words: what is final has no successor, and everything else is live."""
    assert {State.REQUESTED, State.APPROVED, State.EXECUTING} == {state for state in State if state.live}
    assert all(state.final != state.live for state in State)
