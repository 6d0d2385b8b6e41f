"""Plans: their fingerprint covers what is done and nothing else, and their difference reads well."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.fix import Call, FixPlan, Kind, Risk, assignment_name, difference
from domain.records import dump_call, dump_plan, load_call, load_plan

SCOPE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv"


def call(**more: Any) -> Call:
    return replace(
        Call(
            method="PUT",
            resource=f"{SCOPE}/providers/Microsoft.Authorization/roleAssignments/one",
            api_version="2022-04-01",
            body={"properties": {"list": ["a", {"b": 1}], "flag": True}},
            kind=Kind.ROLE_ASSIGNMENT,
            purpose="Let it read",
            action="Microsoft.Authorization/roleAssignments/write",
            scope=SCOPE,
        ),
        **more,
    )


def plan(**more: Any) -> FixPlan:
    return replace(
        FixPlan(
            fix="grant",
            version=1,
            title="Grant access",
            vault_id="/subscriptions/s/resourceGroups/rg/providers/Microsoft.RecoveryServices/vaults/v",
            item_id="/subscriptions/S/i",
            item_name="i",
            vault_name="v",
            parameters={"until": "x"},
            precondition={"right": "missing"},
            calls=(call(), call(method="POST", resource=f"{SCOPE}/Backup", kind=Kind.BACKUP, body=None)),
            sentence="Grant.",
            effects=("e",),
            worst_case="w",
            undo="u",
            proof="p",
            risk=Risk.HIGH,
            duration=timedelta(hours=2),
        ),
        **more,
    )


@pytest.mark.parametrize(
    "more",
    [
        {"title": "Other words"},
        {"sentence": "Other words."},
        {"worst_case": "Other"},
        {"az": ("az x",)},
        {"notes": ("n",)},
        {"duration": timedelta(hours=3)},
        {"calls": tuple(replace(one, purpose="Other") for one in plan().calls)},
        {"calls": tuple(replace(one, resource=one.resource.upper() + "/") for one in plan().calls)},
    ],
)
def test_words_and_spellings_are_not_covered(more: dict[str, Any]) -> None:
    """Texts, and how Azure spells an id, may change without asking anew."""
    assert plan().fingerprint("op") == plan(**more).fingerprint("op")


@pytest.mark.parametrize(
    "more",
    [
        {"fix": "other"},
        {"version": 2},
        {"parameters": {"until": "y"}},
        {"precondition": {"right": "there"}},
        {"calls": plan().calls[:1]},
        {"calls": plan().calls[::-1]},
        {"calls": (call(method="DELETE"), plan().calls[1])},
        {"calls": (call(resource=f"{SCOPE}/other"), plan().calls[1])},
        {"calls": (call(api_version="2023-01-01"), plan().calls[1])},
        {"calls": (call(query={"force": "true"}), plan().calls[1])},
        {"calls": (call(body={"properties": {"list": ["a", {"b": True}], "flag": True}}), plan().calls[1])},
        {"calls": (call(before=call()), plan().calls[1])},
    ],
)
def test_everything_that_is_sent_or_rested_on_is_covered(more: dict[str, Any]) -> None:
    """Any change of it is another plan, and the difference says so in words."""
    changed = plan(**more)
    assert plan().fingerprint("op") != changed.fingerprint("op")
    assert difference(plan(), changed, "op")


def test_the_identity_is_covered() -> None:
    """Another operator is another plan, however its id is written."""
    assert plan().fingerprint("op") != plan().fingerprint("other")
    assert plan().fingerprint("OP") == plan().fingerprint("op")


def test_a_difference_reads_well() -> None:
    """One line for each member that differs, with both values."""
    changed = plan(precondition={"right": "there", "new": "1"}, calls=(call(method="PATCH"), plan().calls[1]))
    assert (
        "precondition.right: missing → there",
        "precondition.new: nothing → 1",
        "calls[1].method: PUT → PATCH",
    ) == difference(plan(), changed, "op")


def test_a_stored_plan_differs_from_a_fresh_one_in_nothing() -> None:
    """Lists come back from the store where the fresh plan has tuples: that is no difference."""
    fresh = plan(calls=(call(body={"list": ("a", ("b", {"c": ()}))}),))
    assert () == difference(load_plan(dump_plan(fresh)), fresh, "op")


def test_locks_name_the_item_and_everything_that_is_changed() -> None:
    """In one order for everybody, each once."""
    assert plan().locks == tuple(sorted(set(plan().locks)))
    assert "/subscriptions/s/i" in plan().locks
    assert len(plan().locks) == 3


def test_an_assignments_name_follows_from_what_it_says() -> None:
    """Scope, principal and role in any spelling give one name; another of them gives another."""
    name = assignment_name(SCOPE, "P", "/x/roleDefinitions/R")
    assert name == assignment_name(SCOPE.upper() + "/", "p", "r")
    assert 4 == len(
        {name, *(assignment_name(*one) for one in ((SCOPE, "q", "r"), (SCOPE, "p", "s"), ("/t", "p", "r")))}
    )


TEXT = st.text(max_size=12)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
CALLS = st.builds(
    call,
    method=st.sampled_from(["PUT", "POST", "DELETE", "PATCH"]),
    resource=TEXT,
    body=JSON,
    query=st.dictionaries(TEXT, TEXT, max_size=2),
    kind=st.sampled_from(Kind),
    always=st.booleans(),
    settle=st.booleans(),
    revoke_on_expiry=st.booleans(),
    before=st.none() | st.builds(call, kind=st.just(Kind.ACCESS_TOKEN)),
)


@given(CALLS)
def test_a_call_survives_the_store(one: Call) -> None:
    """Written and read again it is the same call."""
    again = load_call(dump_call(one))
    assert again.hashed() == one.hashed()
    assert replace(again, body=None, before=None) == replace(one, body=None, before=None)


@given(
    st.lists(CALLS, max_size=3),
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.sampled_from(Risk),
    st.integers(0, 10**6),
    st.lists(TEXT, max_size=2).map(tuple),
)
def test_a_plan_survives_the_store(
    calls: list[Call], facts: dict[str, str], risk: Risk, seconds: int, words: tuple[str, ...]
) -> None:
    """Written and read again it has the same fingerprint, and the same words."""
    one = plan(
        calls=tuple(calls), precondition=facts, risk=risk, duration=timedelta(seconds=seconds), az=words, notes=words
    )
    again = load_plan(dump_plan(one))
    assert one.fingerprint("op") == again.fingerprint("op")
    assert replace(one, calls=()) == replace(again, calls=())
    assert () == difference(one, again, "op")


def test_a_record_that_is_no_plan_is_refused() -> None:
    """What lacks a member names it."""
    record = dump_plan(plan())
    del record["sentence"]
    with pytest.raises(ValueError, match="sentence"):
        load_plan(record)


def test_a_record_of_a_newer_version_still_loads() -> None:
    """Members that this version does not know are left out."""
    assert plan().fingerprint("op") == load_plan({**dump_plan(plan()), "of_tomorrow": 1}).fingerprint("op")
