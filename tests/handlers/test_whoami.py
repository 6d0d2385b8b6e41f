"""``whoami``: who the bot takes somebody for, what they may, and why not."""

from dataclasses import replace

from domain.actor import Actor
from domain.approval_policy import Decision, Rule, Standing, may_approve, may_request
from tests.diagnostics.world import an_azure
from tests.handlers.world import ANA, GUEST, World, a_world, card_of, say, shown

RULES = (
    Rule(risk=("low",), requesters=("*",), approvers=("slack:U0BEN",), self_approval=True, name="on call"),
    Rule(fix=("grant_*",), vault=("vault-prod-*",), requesters=("slack:U0BEN",), approvers=("email:ana@contoso.com",)),
    Rule(requesters=("*",), approvers=("azure-rbac",)),
)


def world_for(who: Actor) -> World:
    """A desk that decides by the real policy."""
    world = a_world(an_azure())
    world.approvals.given = [
        (rule, may_request(rule, who, Standing()), may_approve(rule, who, Standing(), requesters=())) for rule in RULES
    ]
    return world


async def test_each_rule_with_both_decisions() -> None:
    """What a rule covers in words, then yes or no with the reason; only the asker sees it."""
    answers = await say("whoami", world_for(ANA).services)
    assert shown(card_of(answers)) == [
        "● INFO You are Ana: of 3 rules, 2 let you ask and 1 let you approve",
        "Account:  slack U0ANA",
        "E-mail:   ana@contoso.com",
        "Entra id: aaaaaaaa-0000-0000-0000-000000000001",
        "on call: every fix of low risk in every vault",
        "* Ask: yes, you may ask: the rule names *",
        "* Approve: no, you are not among the approvers",
        "fix grant_* in vault vault-prod-*",
        "* Ask: no, the rule does not name you among those who may ask",
        "* Approve: yes, you may approve: the rule names email:ana@contoso.com",
        "every fix in every vault",
        "* Ask: yes, you may ask: the rule names *",
        "* Approve: no, you are not among the approvers (azure-rbac could not be read just now)",
        "Whether your own rights in Azure suffice to approve is looked up for each request.",
        "The first rule that fits a request is the one that counts.",
    ]
    assert answers[0].private


async def test_a_guest_learns_why_not() -> None:
    """The account's own hindrance is said before the rules."""
    lines = shown(card_of(await say("whoami", world_for(GUEST).services, GUEST)))
    assert "✖ NO  You may not act here: guest accounts may not act." in lines
    assert "E-mail:   not known" in lines
    assert lines.count("* Ask: no, guest accounts may not act") == 3


async def test_no_rule_means_nobody() -> None:
    """Without a rule the answer says what is missing."""
    lines = shown(card_of(await say("whoami", a_world(an_azure(), read_only=True).services)))
    assert lines[0] == "● INFO You are Ana: no approval rule lets anybody do anything"
    assert "● READ ONLY  This installation changes nothing: fixes are shown, not run." in lines
    assert any("[[approvals.rule]]" in line for line in lines)


async def test_many_rules_and_an_unconfirmed_address() -> None:
    """Fifteen rules are shown, the rest counted; an address that does not count says so."""
    world = a_world(an_azure())
    yes = Decision(allowed=True, reason="yes")
    world.approvals.given = [(Rule(item=(f"vm-{number}",)), yes, yes) for number in range(20)]
    who = replace(ANA, email_confirmed=False, person="ana")
    lines = shown(card_of(await say("whoami", world.services, who)))
    assert "E-mail:   ana@contoso.com (not confirmed, so it does not count)" in lines
    assert "Person:   ana in [people]" in lines
    assert "… 5 more rules are not shown" in lines
    assert "every fix in every vault for item vm-14" in lines
