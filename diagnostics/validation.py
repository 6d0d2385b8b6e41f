"""Azure Backup's own opinion of a restore: asked about the disks of the newest point, and taken at its word.

It is asked where a restore is meant, needs a staging account, and covers the vault's own region only.
Source: https://learn.microsoft.com/rest/api/backup/operation/validate
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from diagnostics.history import explain, subject
from diagnostics.points import recovery_points
from diagnostics.registry import Context
from diagnostics.restores import Restore, short_name, target_group_id
from domain.arm import name_of
from domain.backup import ProtectedItem, RecoveryPoint, ValidationProblem, Vault
from domain.errors import GatewayError, GatewayUnavailable

VALIDATE: Final = "Microsoft.RecoveryServices/Vaults/backupValidateOperation/action"
READ_POINTS: Final = (
    "Microsoft.RecoveryServices/Vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints/read"
)
READ_ACCOUNTS: Final = "Microsoft.Storage/storageAccounts/read"
_LIMIT_S: Final = 10.0
"""Shorter than the limit of a check, so that what was found locally is told although the service is slow."""
_UNKNOWN: Final[Mapping[str, str | list[str]]] = {"validation": "unknown"}
_NOT_ASKED: Final = "Azure's own validation was not asked:"
_STORAGE: Final = frozenset({"UserErrorVmVaultLocationMismatch", "UserErrorBCMRestoreStorageAccountNotFound"})
_PERMISSION: Final = re.compile(r"permission|authoriz|forbidden", re.IGNORECASE)
_FACTS: Final[Mapping[str, tuple[str, str]]] = {
    "vm_size": ("size", "unavailable"),
    "quota": ("quota", "exceeded"),
    "restore_target": ("storage", "unsuitable"),
    "lock": ("lock", "reported"),
    "permission": ("permission", "reported"),
}


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What the service says: ``no`` and why, ``yes``, ``doubt`` where it objects only to what the bot chose.

    ``note`` says why it was not asked, ``error`` why it could not be, with the permission that this ``needs``; ``facts`` are
    marks for the ranking of causes.
    """

    no: str = ""
    yes: str = ""
    doubt: str = ""
    note: str = ""
    error: GatewayError | None = None
    needs: str = VALIDATE
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str | list[str]] = field(default_factory=dict)


async def newest_restorable(context: Context) -> RecoveryPoint | Opinion | None:
    """The newest point of the last thirty days that a tier holds; None without one, or that they could not be read."""
    try:
        points = await recovery_points(context)
    except GatewayError as error:
        return Opinion(error=error, needs=READ_POINTS, evidence=_UNKNOWN)
    usable = [
        point
        for point in points
        if not point.soft_deleted and (not point.tiers or "valid" in {one.casefold() for one in point.tiers.values()})
    ]
    return max(usable, key=lambda point: point.at, default=None)


def unread_accounts(error: GatewayError) -> Opinion:
    """What is left to say where the storage accounts could not be read."""
    return Opinion(error=error, needs=READ_ACCOUNTS, evidence=_UNKNOWN)


async def opinion(
    context: Context, restore: Restore, account_id: str | Opinion, point: RecoveryPoint | Opinion | None
) -> Opinion:
    """Ask the service whether the disks of ``point`` could be restored through the staging account.

    Where one of the two could not be read, that is the answer.
    """
    if isinstance(point, Opinion):
        return point
    if isinstance(account_id, Opinion):
        return account_id
    why_not = _not_asked(restore, account_id, point)
    if point is None or why_not:
        return Opinion(note=f"{_NOT_ASKED} {why_not}", evidence={"validation": "not asked"})
    item = subject(context)
    try:
        async with asyncio.timeout(_LIMIT_S):
            problems = await context.read.validate_restore(
                item.id,
                name_of(point.id),
                storage_account_id=account_id,
                region=restore.region,
                vm_id=item.source_id,
                target_group_id=target_group_id(context, restore),
                identity=_identity(context.vault) if restore.uses_identity else "",
            )
    except GatewayError as error:
        return Opinion(error=error, evidence=_UNKNOWN)
    except TimeoutError as late:
        unanswered = GatewayUnavailable(f"It did not answer within {_LIMIT_S:g} seconds.")
        unanswered.__cause__ = late
        return Opinion(error=unanswered, evidence=_UNKNOWN)
    return judge(item, restore, short_name(account_id), problems)


def judge(item: ProtectedItem, restore: Restore, account: str, problems: Sequence[ValidationProblem]) -> Opinion:
    """The service's answer in its own words; an objection to an account that the bot chose itself is only a doubt."""
    whose = "" if restore.account else " (the bot's choice, as none was named)"
    evidence: dict[str, str | list[str]] = {"validation": "passed", "validation_account": account}
    if not problems:
        words = f"Azure's own validation of a restore of the disks through {account}{whose} has no objection."
        return Opinion(yes=words, evidence=evidence)
    facts: dict[str, str] = {}
    for problem in problems:
        name, value = _fact(item, problem)
        facts[name] = value
    evidence |= {
        "validation": "refused",
        "validation_codes": [one.code for one in problems],
        "validation_messages": [one.message for one in problems],
    }
    said = " ".join(_quoted(one) for one in problems)
    if not restore.account and set(facts) == {"storage"}:
        return Opinion(doubt=f"Azure does not accept the staging account {account}{whose}: {said}", evidence=evidence)
    return Opinion(no=f"Azure's own validation refuses the restore: {said}", facts=facts, evidence=evidence)


def _fact(item: ProtectedItem, problem: ValidationProblem) -> tuple[str, str]:
    known = explain(problem.code, problem.message, item.workload)
    family = "restore_target" if problem.code in _STORAGE else (known.family if known is not None else "")
    if known is None and _PERMISSION.search(problem.code):
        family = "permission"
    return _FACTS.get(family, ("validation", "refused"))


def _quoted(problem: ValidationProblem) -> str:
    code = f" ({problem.code})" if problem.code else ""
    return " ".join((f'"{problem.message}"{code}', *problem.recommendations))


def _not_asked(restore: Restore, account_id: str, point: RecoveryPoint | None) -> str:
    if restore.crosses_regions:
        return "it covers restores in the vault's own region only."
    if point is None:
        return "it needs a recovery point of the last 30 days."
    if account_id:
        return ""
    if restore.account:
        return "the staging account is not there."
    if not restore.asked:
        return "the restore that failed names no staging account (check-restore finds one)."
    return (
        f"it needs a staging account in {restore.region}, and none that suits was found; name one (storage <account>)."
    )


def _identity(vault: Vault) -> str:
    return "system" if vault.principal_id else next(iter(vault.user_assigned_principals), "")
