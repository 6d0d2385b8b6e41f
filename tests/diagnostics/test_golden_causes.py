"""What an expert would say: findings written by hand in ``golden/*.yaml``, and the causes that must come of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from diagnostics.causes import rank
from diagnostics.error_codes import load as load_codes
from diagnostics.history import code_facts
from diagnostics.rules import RULES
from domain.backup import Workload
from domain.finding import Blind, Cause, Finding, Outcome

CASES = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
KEYS = {"first", "only", "present", "absent", "fixes", "at_least", "at_most", "against", "title"}


def load(path: Path) -> tuple[list[Finding], Workload | None, dict[str, Any]]:
    case = yaml.safe_load(path.read_text("utf-8"))
    findings = [
        Finding(
            check=one["check"],
            outcome=Outcome(one["outcome"]),
            summary=one["summary"],
            facts=one.get("facts", {}),
            blind=Blind(one.get("blind", "")),
        )
        for one in case.get("findings", [])
    ]
    for key, outcome in (("passes", Outcome.PASS), ("not_applicable", Outcome.NOT_APPLICABLE)):
        findings += [Finding(check=name, outcome=outcome, summary="fine") for name in case.get(key, [])]
    workload = Workload(case["workload"]) if "workload" in case else None
    return findings, workload, case["expect"]


def holds(causes: tuple[Cause, ...], expect: dict[str, Any]) -> None:
    by_id = {cause.id: cause for cause in causes}
    ids = [cause.id for cause in causes]
    assert expect.keys() <= KEYS, f"unknown expectation in {expect.keys()}"
    if "only" in expect:
        assert ids == expect["only"]
    first = expect.get("first", [])
    assert set(ids[: len(first)]) == set(first), ids
    for name in expect.get("present", []):
        assert name in by_id
    for name in expect.get("absent", []):
        assert name not in by_id
    for name, fixes in expect.get("fixes", {}).items():
        assert list(by_id[name].fixes) == fixes
    for name, least in expect.get("at_least", {}).items():
        assert by_id[name].confidence >= least
    for name, most in expect.get("at_most", {}).items():
        assert (by_id[name].confidence if name in by_id else 0.0) <= most
    for name, words in expect.get("against", {}).items():
        assert any(words in said for said in by_id[name].against)
    for name, words in expect.get("title", {}).items():
        assert words in by_id[name].title


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    """The causes are those of the file, in its order."""
    findings, workload, expect = load(path)
    holds(rank(findings, workload=workload), expect)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_order_of_findings_does_not_matter(path: Path) -> None:
    """The same findings in another order give the same causes, word for word."""
    findings, workload, _ = load(path)
    assert rank(findings[::-1], workload=workload) == rank(findings, workload=workload)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_causes_are_well_formed(path: Path) -> None:
    """Confidences are between 0 and 1 and fall; every cause says why, by which checks, without a hole in its words."""
    findings, workload, _ = load(path)
    causes = rank(findings, workload=workload)
    checks = {finding.check for finding in findings}
    assert [cause.confidence for cause in causes] == sorted((cause.confidence for cause in causes), reverse=True)
    for cause in causes:
        assert 0.0 <= cause.confidence < 1.0
        assert cause.reasons
        assert set(cause.because) <= checks
        assert not any("{" in text for text in (cause.title, *cause.reasons, *cause.against))


def test_there_are_enough_cases() -> None:
    """At least thirty cases, each saying what it is about, and most causes have one."""
    assert len(CASES) >= 30
    said = [yaml.safe_load(path.read_text("utf-8"))["about"] for path in CASES]
    assert len(set(said)) == len(CASES)
    text = "\n".join(path.read_text("utf-8") for path in CASES)
    named = {rule.id for rule in RULES if rule.id in text}
    assert len(named) >= 35


@pytest.mark.parametrize("operation", ["backup", "restore"])
def test_every_code_of_the_table_ends_in_a_cause(operation: str) -> None:
    """A failure whose code is known is never without a cause, whatever the workload, and only codes for it have a say."""
    silent = []
    for entry in load_codes().all():
        for workload in Workload:
            known = load_codes().lookup(entry.name, workload.value)
            if known is None or operation not in known.operations or not {workload.value, "any"} & set(known.workloads):
                continue
            facts = {"error_code": known.name, "failed_in_a_row": "1", **code_facts(known)}
            check = f"last_{operation}_succeeded"
            finding = Finding(check=check, outcome=Outcome.FAIL, summary="it failed", facts=facts)
            first = rank([finding], workload=workload)[0]
            if first.id == "no_evidence":
                silent.append((known.name, workload.value, known.family))
    assert silent == []
