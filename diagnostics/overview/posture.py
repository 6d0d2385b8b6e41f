"""The prevention checks of vaults: soft delete, alerts that reach somebody, restores that were tested."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from diagnostics.overview.side_by_side import LIMIT_S, READ_VAULTS, of_each_vault
from diagnostics.registry import Check, Context
from diagnostics.runner import OnBug, diagnose
from domain.backup import Vault
from domain.finding import Blind, Diagnosis, Finding, Outcome
from domain.overview import PostureView
from domain.ports import BackupReader

AT_ONCE: Final = 8
_MARGIN_S: Final = 1.0


async def vault_posture(
    context: Context, checks: Mapping[str, Check], *, limit_s: float = LIMIT_S, on_bug: OnBug | None = None
) -> PostureView:
    """The vault checks of the context's vault."""
    return PostureView(vaults=(await diagnose(context, checks, limit_s=limit_s, on_bug=on_bug),))


async def fleet_posture(
    read: BackupReader,
    context_of: Callable[[Vault], Context],
    checks: Mapping[str, Check],
    now: datetime,
    *,
    limit_s: float = LIMIT_S,
    on_bug: OnBug | None = None,
) -> PostureView:
    """The vault checks of every vault; ``context_of`` makes the context, whose reader should share equal reads.

    Raises:
        GatewayError: not even the vaults could be listed.
    """
    ends = asyncio.get_running_loop().time() + limit_s

    async def look(vault: Vault) -> Diagnosis:
        left = max(ends - asyncio.get_running_loop().time() - _MARGIN_S, 0.1)
        return await diagnose(context_of(vault), checks, limit_s=left, on_bug=on_bug)

    def unread(vault: Vault, why: str) -> Diagnosis:
        names = [check.id for check in checks.values() if check.about == "vault"]
        blind = [Finding(check=name, outcome=Outcome.UNKNOWN, summary=why, blind=Blind.TIMED_OUT) for name in names]
        return Diagnosis(
            item_id=vault.id.id,
            item_name="-",
            vault_name=vault.id.name,
            findings=tuple(blind),
            causes=(),
            complete=False,
        )

    vaults, missing = await of_each_vault(
        read, look, unread, now, permissions=(READ_VAULTS,), limit_s=limit_s, at_once=AT_ONCE
    )
    return PostureView(vaults=vaults, unread_subscriptions=missing)
