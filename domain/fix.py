"""Fix plans: the exact calls a fix will make, shown before anybody approves and compared before anything runs."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeGuard

from domain.arm import key
from domain.canonical import Json, canonical, digest

_MACHINE_PARTS = 9
"""Parts of a machine's id between slashes, the empty one before the first slash included."""
_NAMESPACE = uuid.UUID("6f0c1f5e-0f0b-5c39-9a0e-1b7f6f3a2d11")


class Risk(StrEnum):
    """How much can go wrong."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Kind(StrEnum):
    """How a call is followed after it was sent: see ``fixes.steps``."""

    BACKUP = "backup"
    ROLE_ASSIGNMENT = "role_assignment"
    ROLE_REMOVAL = "role_removal"
    CANCEL_JOB = "cancel_job"
    RESTORE = "restore"
    ITEM_CHANGE = "item_change"
    COMPUTE = "compute"
    RESOURCE = "resource"
    """A PUT, PATCH or DELETE of a resource whose state can simply be read back."""
    LOCK_REMOVAL = "lock_removal"
    LOCK = "lock"
    CROSS_REGION_RESTORE = "cross_region_restore"
    ACCESS_TOKEN = "access_token"  # noqa: S105  (a kind of call, not a token)
    """Asks for something secret that another call carries; changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One changing ARM call, exactly as it will be sent.

    ``purpose`` says in a few words what it is for and is shown, not hashed; ``action`` is the Azure permission it needs, at
    ``scope``. ``always`` marks a compensation that runs whatever happens to the calls before it. ``settle`` is how long to
    wait after it before the next call (a new role takes minutes to reach every service).
    """

    method: str
    resource: str
    api_version: str
    body: Json = None
    query: Mapping[str, str] = field(default_factory=dict)
    kind: Kind
    purpose: str
    action: str
    scope: str
    always: bool = False
    settle: bool = False
    revoke_on_expiry: bool = False
    """Whether the right that this call grants is taken away again when the plan's ``rights_until`` passes."""
    before: "Call | None" = None
    """A call sent directly before this one, because its answer is secret and is kept nowhere: see ``fixes.steps.send``."""
    filled: str = ""
    """The member of ``body`` that the ``properties`` of the answer to ``before`` replace when this call is sent."""

    @property
    def changes(self) -> str:
        """The ARM id of what is changed: the machine and not its start, the key vault and not one of its policies."""
        match self.kind:
            case Kind.COMPUTE:
                return "/".join(self.resource.split("/")[:_MACHINE_PARTS])
            case Kind.CROSS_REGION_RESTORE if self.before is not None:
                return self.before.changes
        if "/accesspolicies/" in self.resource.casefold():
            return self.resource.rpartition("/")[0].rpartition("/")[0]
        return self.resource.rpartition("/")[0] if self.method == "POST" else self.resource

    def hashed(self) -> Json:
        """The part that the fingerprint covers."""
        mine: dict[str, Json] = {
            "method": self.method,
            "resource": key(self.resource),
            "api_version": self.api_version,
            "query": dict(self.query),
            "body": self.body,
        }
        if self.before is not None:
            mine |= {"before": self.before.hashed(), "filled": self.filled}
        return mine


@dataclass(frozen=True, kw_only=True)
class FixPlan:
    """A plan is a pure function of (fix, item, parameters, facts): making it twice gives the same fingerprint.

    ``sentence`` is the one sentence an approver reads: verb, object, scope, until when. ``precondition`` holds the facts the
    plan rests on; when one of them changes, so does the fingerprint. ``locks`` are the keys of everything it changes.
    ``problems`` are reasons why it cannot run now; a plan with problems is shown but never offered for approval.
    """

    fix: str
    version: int
    title: str
    vault_id: str
    item_id: str
    item_name: str
    vault_name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    precondition: Mapping[str, str] = field(default_factory=dict)
    calls: tuple[Call, ...]
    sentence: str
    effects: tuple[str, ...]
    worst_case: str
    undo: str
    proof: str
    risk: Risk
    duration: timedelta
    cost: str = ""
    az: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """Numbered steps for people, for the guides that have no calls."""

    @property
    def locks(self) -> tuple[str, ...]:
        """The item and every thing that is changed, as comparable keys in sorted order."""
        return tuple(sorted({key(self.item_id), *(key(call.changes) for call in self.calls)}))

    @property
    def requests(self) -> tuple[Call, ...]:
        """Every request that will be sent, in order: the calls, each after the one that it needs directly before it."""
        return tuple(one for call in self.calls for one in (call.before, call) if one is not None)

    @property
    def permissions(self) -> tuple[tuple[str, str], ...]:
        """(action, scope) for each request, without repeats."""
        return tuple(dict.fromkeys((call.action, call.scope) for call in self.requests))

    def hashed(self, operator_client_id: str) -> Json:
        """Everything the fingerprint covers, for showing a difference."""
        return {
            "fix": self.fix,
            "version": self.version,
            "operator": operator_client_id.casefold(),
            "parameters": dict(self.parameters),
            "precondition": dict(self.precondition),
            "calls": [call.hashed() for call in self.calls],
        }

    def fingerprint(self, operator_client_id: str) -> str:
        """What is approved: SHA-256 over the canonical form of :meth:`hashed`, 64 hexadecimal digits."""
        return digest(self.hashed(operator_client_id))


def difference(before: FixPlan, after: FixPlan, operator_client_id: str) -> tuple[str, ...]:
    """How two plans differ, one readable line each."""
    lines: list[str] = []
    _compare("", before.hashed(operator_client_id), after.hashed(operator_client_id), lines)
    return tuple(lines)


def _compare(path: str, old: Json, new: Json, lines: list[str]) -> None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys([*old, *new]):
            _compare(f"{path}.{name}" if path else name, old.get(name), new.get(name), lines)
    elif _is_list(old) and _is_list(new) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            _compare(f"{path}[{index + 1}]", one, other, lines)
    elif canonical(old) != canonical(new):
        lines.append(f"{path}: {_short(old)} → {_short(new)}")


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    """A stored plan holds lists where a fresh one may hold tuples."""
    return isinstance(value, list | tuple)


def _short(value: Json) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else canonical(value).decode()


def assignment_name(scope: str, principal_id: str, role_definition_id: str) -> str:
    """The role assignment's name as a pure function of what it says, so that sending it twice makes one."""
    role = role_definition_id.rstrip("/").rpartition("/")[2]
    return str(uuid.uuid5(_NAMESPACE, "|".join((key(scope), principal_id.casefold(), role.casefold()))))


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What Azure answered to a changing call.

    ``operation_id`` is the last path segment of the operation's URL, never the URL itself, which is a signed capability.
    """

    status: int
    operation_id: str = ""
    correlation_id: str = ""
    request_id: str = ""
    body: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What looking found of a call's effect: ``True`` there, ``False`` surely not, None cannot be told."""

    there: bool | None
    reference: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


class Stage(StrEnum):
    """Where a call stands after it was sent."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a call is; ``reference`` replaces what was stored about it (operation id, job id)."""

    stage: Stage
    note: str
    reference: Mapping[str, str] = field(default_factory=dict)
    percent: int | None = None
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Whether a fix did what it was for: ``True`` proved, ``False`` disproved, None not yet."""

    proved: bool | None
    summary: str
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a fix may know of its own run when it verifies."""

    started_at: datetime
    references: tuple[Mapping[str, str], ...]
    """One for each call of the plan, in order."""
