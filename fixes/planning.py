"""What plans have in common: parameters, refusals, ``az`` commands, words.

Everything here is a pure function of facts: the same facts give the same plan, today and tomorrow.
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypedDict

from domain.backup import ProtectedItem, Vault, Workload
from domain.canonical import canonical
from domain.errors import RequestError
from domain.fix import Call, Risk
from fixes.registry import FixSpec, Parameter, PlanRequest, is_whole_vault
from fixes.steps.items import NOT_RUNNING

BACKUP_API = "2024-04-01"
AUTHORIZATION_API = "2022-04-01"

ITEM_ACTIONS = "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems"

UTC_TIME = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

RIGHTS_UNTIL = Parameter(
    name="rights_until",
    label="Take the right away again at (UTC)",
    pattern=UTC_TIME,
    help="For example 2026-11-22T18:00:00Z; empty: for good",
)


class Common(TypedDict):
    """What every plan takes over from its fix and its request."""

    fix: str
    version: int
    title: str
    vault_id: str
    item_id: str
    item_name: str
    vault_name: str
    parameters: Mapping[str, str]
    proof: str
    risk: Risk


def common(spec: FixSpec, request: PlanRequest, parameters: Mapping[str, str]) -> Common:
    """The part of a plan that follows from the fix and the request alone."""
    vault = request.vault.id.id
    return Common(
        fix=spec.id,
        version=spec.version,
        title=spec.title,
        vault_id=vault,
        item_id=vault if is_whole_vault(request.item) else request.item.id.id,
        item_name=request.item.name,
        vault_name=request.vault.id.name,
        parameters=parameters,
        proof=spec.proof,
        risk=spec.risk,
    )


def checked(spec: FixSpec, given: Mapping[str, str]) -> dict[str, str]:
    """All parameters of the fix with their values, the defaults filled in.

    Raises:
        RequestError: names every fault at once: unknown, missing, and badly formed values.
    """
    declared = {parameter.name: parameter for parameter in spec.parameters}
    faults = [
        f"{name}: {spec.id} has no such parameter" + (f" (it has {', '.join(declared)})" if declared else "")
        for name in given
        if name not in declared
    ]
    values = {}
    for name, parameter in declared.items():
        value = given.get(name, "").strip() or parameter.default
        values[name] = value
        if not value and parameter.required:
            faults.append(f"{name}: {parameter.label} is needed")
        elif value and parameter.choices and value not in parameter.choices:
            faults.append(f"{name}: choose one of {', '.join(parameter.choices)}")
        elif value and not re.fullmatch(parameter.pattern, value):
            faults.append(f"{name}: {value!r} does not fit. {parameter.help or parameter.label}")
    if faults:
        raise RequestError("; ".join(faults))
    return values


def require(spec: FixSpec, request: PlanRequest, instead: Mapping[Workload, str] | None = None) -> None:
    """Refuse a workload that the fix does not know, saying what to do instead.

    Raises:
        RequestError: the fix is not for items of this kind.
    """
    item = request.item
    if item.workload in spec.workloads:
        return
    known = ", ".join(sorted(f"{one.words}s" for one in spec.workloads))
    advice = (instead or {}).get(item.workload, "")
    text = f"{spec.id} is for {known}; {item.name} is a {item.workload.words}."
    raise RequestError(f"{text} {advice}".strip())


def refuse_unprotected(item: ProtectedItem) -> None:
    """Refuse an item that cannot be backed up in its present state.

    Raises:
        RequestError: it is deleted or its protection is stopped; names the fix that comes first.
    """
    refuse_deleted(item)
    if unprotected(item):
        raise RequestError(
            f"The protection of {item.name} is stopped ({item.protection_state}): use resume_protection."
        )


def refuse_deleted(item: ProtectedItem) -> None:
    """Refuse an item that waits to be purged.

    Raises:
        RequestError: it is deleted; names the fixes that come first.
    """
    if item.soft_deleted:
        raise RequestError(f"{item.name} is deleted and waits to be purged: use undelete_item, then resume_protection.")


def unprotected(item: ProtectedItem) -> bool:
    """Whether no backup of the item can run before somebody resumes its protection."""
    return item.protection_state.casefold() in NOT_RUNNING


def switched_on(spec: FixSpec, request: PlanRequest) -> tuple[str, ...]:
    """The problem of a fix that is off by default and has not been turned on, or nothing."""
    return () if not spec.off_by_default or spec.id in request.settings.enabled else (how_to_turn_on(spec),)


def how_to_turn_on(spec: FixSpec) -> str:
    """How a fix that is off by default is turned on, and which right that hands out."""
    return (
        f'{spec.id} is off by default: turn it on with enable = ["{spec.id}"] under [fixes] in the settings.'
        f" That hands out {spec.hands_out}"
    )


def guarded(vault: Vault, what: str) -> tuple[str, ...]:
    """The problem that keeps the bot from an operation which a Resource Guard protects, or nothing."""
    if not vault.multi_user_authorization:
        return ()
    text = (
        f"{vault.id.name} is protected by multi-user authorization: {what} needs a person with the Backup MUA Operator role"
        " on its Resource Guard, so the bot never does it. Ask for that role, and run the commands shown here yourself."
    )
    return (text,)


def utc(moment: datetime) -> str:
    """A moment as people read it, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def az(*arguments: str) -> str:
    """An ``az`` command that a shell takes as it stands; arguments that are empty are left out with their option."""
    words = ["az", *arguments]
    kept = [
        word
        for index, word in enumerate(words)
        if word and not (word.startswith("--") and words[index + 1 : index + 2] == [""])
    ]
    return shlex.join(kept)


_MANAGEMENT = {
    Workload.VM: ("AzureIaasVM", "VM"),
    Workload.SQL: ("AzureWorkload", "MSSQL"),
    Workload.HANA: ("AzureWorkload", "SAPHANA"),
    Workload.FILES: ("AzureStorage", "AzureFileShare"),
}


def az_item(item: ProtectedItem, *command: str) -> tuple[str, ...]:
    """``az backup …`` arguments that name the item and its vault."""
    management, workload = _MANAGEMENT[item.workload]
    vault = item.id.vault
    return (
        *command,
        *("--subscription", vault.subscription, "--resource-group", vault.resource_group, "--vault-name", vault.name),
        *("--container-name", item.id.container, "--item-name", item.id.name),
        *("--backup-management-type", management, "--workload-type", workload),
    )


def az_rest(call: Call) -> str:
    """The call itself, sent by ``az rest``."""
    query = "&".join(f"{name}={value}" for name, value in {"api-version": call.api_version, **call.query}.items())
    body = canonical(call.body).decode() if call.body is not None else ""
    return az("rest", "--method", call.method.lower(), "--url", f"{call.resource}?{query}", "--body", body)


def said(call: Call) -> Mapping[str, object]:
    """The ``properties`` of a call's body; empty when it has none."""
    return section(call.body, "properties")


def section(body: object, *path: str) -> Mapping[str, object]:
    """The object at ``path`` in ``body``; empty when there is none."""
    at = body
    for name in path:
        at = at.get(name) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def listed(names: Iterable[str]) -> str:
    """Names as a sentence says them: "a", "a and b", "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
