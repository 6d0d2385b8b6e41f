"""Plans, findings and diagnoses as plain JSON records and back, for the store and for ``--json``."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from datetime import timedelta
from typing import Any, TypeVar

from domain.finding import Blind, Cause, Diagnosis, Finding, Outcome
from domain.fix import Call, FixPlan, Kind, Risk

T = TypeVar("T")
Record = dict[str, Any]


def _plain(value: object) -> Any:  # noqa: ANN401  (JSON)
    if isinstance(value, timedelta):
        return int(value.total_seconds())
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, Kind | Risk | Outcome | Blind) else value


def _known(kind: type[T], record: Mapping[str, Any]) -> Record:
    """Only the members that ``kind`` has, lists as tuples: a record of an older or newer version still loads."""
    known: Record = {}
    for one in fields(kind):  # type: ignore[arg-type]  # every caller passes a dataclass
        if one.name in record:
            value = record[one.name]
            known[one.name] = tuple(value) if isinstance(value, list) else value
        elif one.default is MISSING and one.default_factory is MISSING:
            raise ValueError(f"a record of {kind.__name__} lacks {one.name}")
    return known


def dump_call(call: Call) -> Record:
    """A call as a record."""
    return {str(name): _plain(value) for name, value in asdict(call).items()} | {
        "before": dump_call(call.before) if call.before is not None else None
    }


def load_call(record: Mapping[str, Any]) -> Call:
    """The call that :func:`dump_call` wrote."""
    known = _known(Call, record)
    before = record.get("before")
    known |= {"body": record.get("body"), "before": load_call(before) if before else None}
    return Call(**known | {"kind": Kind(record["kind"])})


def dump_plan(plan: FixPlan) -> Record:
    """A plan as a record."""
    return {str(name): _plain(value) for name, value in asdict(plan).items()} | {
        "calls": [dump_call(call) for call in plan.calls]
    }


def load_plan(record: Mapping[str, Any]) -> FixPlan:
    """The plan that :func:`dump_plan` wrote.

    Raises:
        ValueError: the record is no plan.
    """
    known = _known(FixPlan, record)
    return FixPlan(
        **known
        | {
            "calls": tuple(load_call(call) for call in record["calls"]),
            "risk": Risk(record["risk"]),
            "duration": timedelta(seconds=record["duration"]),
        }
    )


def plan_contract(plan: FixPlan, operator_client_id: str) -> Record:
    """A plan in the form that other programs read (``backupbot plan --json``)."""
    return {
        "fix": plan.fix,
        "fingerprint": plan.fingerprint(operator_client_id),
        "parameters": dict(plan.parameters),
        "calls": [
            {
                "method": call.method,
                "resource": call.resource,
                "api_version": call.api_version,
                "body": _plain(call.body),
                "query": dict(call.query),
                "purpose": call.purpose,
            }
            for call in plan.requests
        ],
        "risk": plan.risk.value,
        "effects": list(plan.effects),
        "undo": plan.undo,
        "permissions": [{"action": action, "scope": scope} for action, scope in plan.permissions],
        "az": list(plan.az),
        "sentence": plan.sentence,
        "worst_case": plan.worst_case,
        "proof": plan.proof,
        "precondition": dict(plan.precondition),
        "problems": list(plan.problems),
        "notes": list(plan.notes),
        "steps": list(plan.steps),
    }


def finding_contract(finding: Finding) -> Record:
    """A finding in the form that other programs read."""
    return {
        "check": finding.check,
        "outcome": finding.outcome.value,
        "summary": finding.summary,
        "evidence": _plain(finding.evidence),
        "suggests": list(finding.suggests),
        "seconds": round(finding.seconds, 3),
        "blind": finding.blind.value,
    }


def cause_contract(cause: Cause) -> Record:
    """A cause in the form that other programs read."""
    return {
        "cause": cause.id,
        "confidence": round(cause.confidence, 2),
        "because": list(cause.because),
        "fixes": list(cause.fixes),
        "title": cause.title,
        "reasons": list(cause.reasons),
        "against": list(cause.against),
    }


def diagnosis_contract(diagnosis: Diagnosis) -> Record:
    """A diagnosis in the form that other programs read (``backupbot diagnose --json``)."""
    return {
        "item": diagnosis.item_id,
        "name": diagnosis.item_name,
        "vault": diagnosis.vault_name,
        "complete": diagnosis.complete,
        "seconds": round(diagnosis.seconds, 3),
        "findings": [finding_contract(finding) for finding in diagnosis.findings],
        "causes": [cause_contract(cause) for cause in diagnosis.causes],
    }


def dump_diagnosis(diagnosis: Diagnosis) -> Record:
    """A diagnosis as a record, facts included."""
    return {
        "item_id": diagnosis.item_id,
        "item_name": diagnosis.item_name,
        "vault_name": diagnosis.vault_name,
        "complete": diagnosis.complete,
        "seconds": diagnosis.seconds,
        "findings": [{str(name): _plain(value) for name, value in asdict(one).items()} for one in diagnosis.findings],
        "causes": [{str(name): _plain(value) for name, value in asdict(one).items()} for one in diagnosis.causes],
    }


def load_diagnosis(record: Mapping[str, Any]) -> Diagnosis:
    """The diagnosis that :func:`dump_diagnosis` wrote."""
    findings = tuple(
        Finding(**_known(Finding, one) | {"outcome": Outcome(one["outcome"]), "blind": Blind(one.get("blind", ""))})
        for one in record["findings"]
    )
    return Diagnosis(
        **_known(Diagnosis, record)
        | {"findings": findings, "causes": tuple(Cause(**_known(Cause, one)) for one in record["causes"])}
    )
