"""People: who counts as one human, who cannot be told apart, who may act."""

from dataclasses import replace

import pytest

from domain.actor import Actor
from domain.approval_policy import Rule, Standing, may_approve, satisfiable

SLACK = Actor(platform="slack", id="U0ANA", name="Ana", email="ana@contoso.com", email_confirmed=True)
TEAMS = Actor(platform="teams", id="A-1", entra_id="A-1", email="ANA@contoso.com", email_confirmed=True)
FOUR_EYES = Rule(requesters=("*",), approvers=("email:ana@contoso.com", "teams:a-1", "slack:U0ANA"))


@pytest.mark.parametrize(
    ("one", "other", "same", "comparable"),
    [
        (SLACK, SLACK, True, True),
        (SLACK, replace(SLACK, name="Other", email=""), True, True),
        (SLACK, TEAMS, True, True),
        (SLACK, replace(TEAMS, email="ben@contoso.com"), False, True),
        (SLACK, replace(TEAMS, email_confirmed=False), False, False),
        (replace(SLACK, email_confirmed=False), TEAMS, False, False),
        (replace(SLACK, email="", email_confirmed=True), replace(TEAMS, email=""), False, False),
        (replace(SLACK, entra_id="a-1", email=""), TEAMS, True, True),
        (replace(SLACK, entra_id="b-2", email=""), TEAMS, False, True),
        (replace(SLACK, person="ana", email=""), replace(TEAMS, person="ana", email=""), True, True),
        (replace(SLACK, person="ana", email=""), replace(TEAMS, person="ben", email=""), False, True),
        (SLACK, replace(SLACK, id="U0BEN", email=""), False, True),
    ],
)
def test_one_human(one: Actor, other: Actor, same: bool, comparable: bool) -> None:
    """Same account, person, Entra id or confirmed address; both ways round alike."""
    assert (same, same) == (one.is_same_human(other), other.is_same_human(one))
    assert (comparable, comparable) == (one.is_comparable(other), other.is_comparable(one))


def test_a_person_survives_the_record() -> None:
    """What is written of a person is enough to know them again; an unconfirmed address is not written."""
    assert SLACK == Actor.from_record(SLACK.record())
    assert "" == Actor.from_record(replace(SLACK, email_confirmed=False).record()).email
    assert SLACK.is_same_human(Actor.from_record(TEAMS.record()))


@pytest.mark.parametrize("flag", ["is_bot", "is_guest", "is_foreign", "is_deactivated"])
def test_who_may_not_act_is_told_why(flag: str) -> None:
    """Each flag alone is enough, and says so; also while the account cannot be looked up, for the foreign."""
    one = replace(SLACK, **{flag: True})  # type: ignore[arg-type]  # one of the flags
    assert not one.may_act
    assert one.why_not
    assert not may_approve(FOUR_EYES, one, Standing(), requesters=()).allowed


def test_whoever_cannot_be_looked_up_approves_only_as_the_account_that_is_named() -> None:
    """In an outage a group or an address proves nothing, wherever in the rule it stands; an account id does."""
    blind = Actor(platform="slack", id="U0ANA", known=False)
    rule = replace(FOUR_EYES, approvers=("*", "slack-group:S0", "slack:U0ANA"))
    assert "slack:U0ANA" == may_approve(rule, blind, Standing(groups={"slack-group:S0": True}), requesters=()).by
    refused = may_approve(replace(rule, approvers=("*", "slack-group:S0")), blind, Standing(), requesters=())
    assert (False, True) == (refused.allowed, "named by account id" in refused.reason)
    foreign = replace(blind, is_foreign=True)
    assert not may_approve(rule, foreign, Standing(), requesters=()).allowed


@pytest.mark.parametrize(
    ("approvers", "required", "self_approval", "allowed"),
    [
        ((), 1, False, False),
        (("slack:U0ANA",), 1, False, False),
        (("slack:U0ANA", "email:ANA@contoso.com"), 1, False, False),
        (("slack:U0ANA",), 1, True, True),
        (("slack:U0ANA", "slack:U0BEN"), 1, False, True),
        (("slack:U0ANA", "slack:U0BEN"), 2, False, False),
        (("slack:U0ANA", "slack:U0BEN"), 2, True, True),
        (("slack:U0BEN", "slack:u0ben"), 2, False, False),
        (("slack:U0ANA", "slack-group:S0"), 2, False, True),
        (("azure-rbac",), 1, False, True),
        (("*",), 2, False, True),
    ],
)
def test_a_request_that_nobody_could_approve_is_known_at_once(
    approvers: tuple[str, ...], required: int, self_approval: bool, allowed: bool
) -> None:
    """Ana asks; who of the rule is left?"""
    rule = Rule(approvers=approvers, required=required, self_approval=self_approval)
    assert allowed == satisfiable(rule, (SLACK,)).allowed
