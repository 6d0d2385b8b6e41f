"""Who may ask, approve and break glass: a table written by hand, and what must hold for any rule and person."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domain.actor import Actor
from domain.approval_policy import (
    Decision,
    Rule,
    Standing,
    Subject,
    find_rule,
    may_approve,
    may_break_glass,
    may_request,
)
from domain.fix import Risk


def rule_of(fields: dict[str, Any]) -> Rule:
    """A rule as the file writes it."""
    written: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    return Rule(**written)


HERE = Path(__file__).parent
WORLD: dict[str, Any] = yaml.safe_load((HERE / "world.yaml").read_text(encoding="utf-8"))
PEOPLE = {name: Actor(**fields) for name, fields in WORLD["people"].items()}
RULES = {name: [rule_of(one) for one in of] for name, of in WORLD["rules"].items()}
ROWS = [
    line.split("\t")
    for line in (HERE / "table.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith(("#", "rule\t"))
]


def standing(name: str) -> Standing:
    """What was found out about a person beforehand."""
    may_in_azure = WORLD["azure"].get(name)
    return Standing(
        groups={group: None if of is None else name in of for group, of in WORLD["groups"].items()},
        azure_rbac=may_in_azure,
        azure_reason="you may not do this in Azure" if may_in_azure is False else "",
    )


def subject(what: str) -> Subject:
    """``fix/risk@vault/item`` in words."""
    what = "rerun_backup/low@vault-prod-01/vm-erp-01" if what == "-" else what
    (fix, risk), (vault, item) = (half.split("/") for half in what.split("@"))
    return Subject(fix=fix, vault=vault, item=item, risk=Risk(risk))


def people(names: str) -> list[Actor]:
    """``a+b`` as people."""
    return [PEOPLE[name] for name in names.split("+") if name != "-"]


def decide(rule: Rule | None, do: str, who: str, asked: str, voted: str) -> Decision:
    """What the policy says."""
    if do == "request":
        return may_request(rule, PEOPLE[who], standing(who))
    if do == "glass":
        return may_break_glass(rule, PEOPLE[who], standing(who))
    return may_approve(rule, PEOPLE[who], standing(who), requesters=people(asked), already=people(voted))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row[:6]).replace("/", "."))
def test_row(row: list[str]) -> None:
    """One row of the table: allowed or not, and the reason that the person reads."""
    rule, asked, voted, do, who, what, allowed, why = row
    verdict = decide(find_rule(RULES[rule], subject(what)), do, who, asked, voted)
    assert ({"yes": True, "no": False}[allowed], True) == (verdict.allowed, why in verdict.reason), verdict


def test_the_table_is_large_and_uses_everybody() -> None:
    """At least 200 different rows; every person, rule set and kind of decision occurs."""
    assert len({tuple(row[:6]) for row in ROWS}) == len(ROWS) >= 200
    assert set(RULES) == {row[0] for row in ROWS}
    assert {"request", "approve", "glass"} == {row[3] for row in ROWS}
    assert set(PEOPLE) == {row[4] for row in ROWS}


NAMED = st.sampled_from(sorted(PEOPLE))
ENTRIES = st.sampled_from(
    [
        *(f"email:{one.email}" for one in PEOPLE.values() if one.email),
        *(f"slack:{one.id}" for one in PEOPLE.values() if one.platform == "slack"),
        *(f"teams:{one.entra_id}" for one in PEOPLE.values() if one.entra_id),
        *WORLD["groups"],
        "azure-rbac",
    ]
)
LISTS = st.lists(ENTRIES, max_size=6).map(tuple)
RULE = st.builds(
    Rule,
    requesters=LISTS,
    approvers=LISTS,
    break_glass=LISTS,
    required=st.integers(1, 3),
    self_approval=st.booleans(),
)


def is_listed(entries: tuple[str, ...], name: str) -> bool:
    """Whether one of the entries surely means this person, spelt out."""
    actor, known = PEOPLE[name], standing(name)
    for entry in entries:
        kind, _, value = entry.partition(":")
        if (
            (kind == "email" and actor.email_confirmed and actor.email.lower() == value.lower())
            or (kind == "slack" and (actor.platform, actor.id) == ("slack", value))
            or (kind == "teams" and actor.entra_id == value != "")
            or (entry in known.groups and known.groups[entry] is True)
            or (entry == "azure-rbac" and known.azure_rbac is True)
        ):
            return True
    return False


@given(rule=RULE, who=NAMED, asked=st.lists(NAMED, min_size=1, max_size=2), voted=st.lists(NAMED, max_size=2))
def test_nobody_who_is_not_listed_is_ever_allowed(rule: Rule, who: str, asked: list[str], voted: list[str]) -> None:
    """Whatever the rule and whoever asked: no listing, no right; and no right for whoever may not act."""
    for do, entries in (("request", rule.requesters), ("approve", rule.approvers), ("glass", rule.break_glass)):
        verdict = decide(rule, do, who, "+".join(asked), "+".join(voted) or "-")
        assert verdict.reason
        if verdict.allowed:
            actor = PEOPLE[who]
            assert is_listed(entries, who)
            assert not any((actor.is_bot, actor.is_guest, actor.is_foreign, actor.is_deactivated))
            assert verdict.by in entries


@given(rule=RULE, more=ENTRIES, at=st.integers(0, 6), who=NAMED, asked=NAMED)
def test_another_approver_takes_nobodys_right_away(rule: Rule, more: str, at: int, who: str, asked: str) -> None:
    """A list that grows by one entry, anywhere in it, allows everybody whom it allowed before."""
    grown = replace(rule, approvers=(*rule.approvers[:at], more, *rule.approvers[at:]))
    if decide(rule, "approve", who, asked, "-").allowed:
        assert decide(grown, "approve", who, asked, "-").allowed


SAME = [("max-slack", "max-teams"), ("ana-slack", "ana-teams"), ("ben-slack", "ben-teams"), ("joe-slack", "joe-teams")]


@given(rule=RULE, pair=st.sampled_from(SAME), turned=st.booleans(), other=NAMED)
def test_one_human_never_counts_twice(rule: Rule, pair: tuple[str, str], turned: bool, other: str) -> None:
    """Two accounts of one human: the second never adds a vote, nor approves what the first asked unless the rule says so."""
    first, second = pair[::-1] if turned else pair
    wide = replace(rule, approvers=("*",), required=2)
    assert not decide(wide, "approve", second, other, first).allowed
    verdict = decide(replace(wide, self_approval=False), "approve", second, first, "-")
    assert (False, True) == (verdict.allowed, "four eyes" in verdict.reason)


@given(
    rules=st.lists(
        st.builds(
            Rule,
            fix=st.sampled_from([("*",), ("rerun_*",), ("grant_key_vault_access",)]),
            vault=st.sampled_from([("*",), ("vault-prod-*",), ("vault-dev-01",)]),
            risk=st.sampled_from([("*",), ("low",), ("medium", "high")]),
            approvers=LISTS,
        ),
        max_size=5,
    ),
    fix=st.sampled_from(["rerun_backup", "grant_key_vault_access", "start_vm"]),
    vault=st.sampled_from(["vault-prod-01", "VAULT-PROD-02", "vault-dev-01"]),
    risk=st.sampled_from([Risk.LOW, Risk.MEDIUM, Risk.HIGH]),
)
def test_the_first_rule_that_matches_governs(rules: list[Rule], fix: str, vault: str, risk: Risk) -> None:
    """Written once more without globs: the first match, and none where none matches."""

    def fits(rule: Rule) -> bool:
        fixes = {
            "*": True,
            "rerun_*": fix.startswith("rerun_"),
            "grant_key_vault_access": fix == "grant_key_vault_access",
        }
        low = vault.lower()
        vaults = {"*": True, "vault-prod-*": low.startswith("vault-prod-"), "vault-dev-01": low == "vault-dev-01"}
        return fixes[rule.fix[0]] and vaults[rule.vault[0]] and ("*" in rule.risk or risk.value in rule.risk)

    found = find_rule(rules, Subject(fix=fix, vault=vault, item="vm-1", risk=risk))
    assert found is next((rule for rule in rules if fits(rule)), None)
