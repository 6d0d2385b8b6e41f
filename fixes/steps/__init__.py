"""How the calls of a plan are sent, looked for and followed, by their kind.

Steps read and judge; they never wait and keep nothing. The caller stores the receipt before it follows a call, chooses the
pace, and owns every time limit. After an unknown outcome, a :class:`domain.errors.Conflict` or a restart the caller asks
``look`` before anything is sent again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from domain.errors import GatewayUnavailable, OutcomeUnknown
from domain.fix import Call, Kind, Receipt
from domain.ports import BackupOperator
from fixes.steps.base import CLOCK_SKEW, LIST_LAG, Step
from fixes.steps.cancel import CancelStep
from fixes.steps.cross_region import CrossRegionRestoreStep
from fixes.steps.items import ItemChangeStep
from fixes.steps.jobs import JobStep
from fixes.steps.machines import ComputeStep
from fixes.steps.resources import LockStep, ResourceStep
from fixes.steps.roles import RoleAssignmentStep, RoleRemovalStep

__all__ = ["CLOCK_SKEW", "LIST_LAG", "Step", "send", "step_for"]

_STEPS: Final[Mapping[Kind, Step]] = {
    Kind.BACKUP: JobStep(),
    Kind.RESTORE: JobStep(restore=True),
    Kind.CROSS_REGION_RESTORE: CrossRegionRestoreStep(),
    Kind.CANCEL_JOB: CancelStep(),
    Kind.ROLE_ASSIGNMENT: RoleAssignmentStep(),
    Kind.ROLE_REMOVAL: RoleRemovalStep(),
    Kind.ITEM_CHANGE: ItemChangeStep(),
    Kind.COMPUTE: ComputeStep(),
    Kind.RESOURCE: ResourceStep(),
    Kind.LOCK: LockStep(),
    Kind.LOCK_REMOVAL: LockStep(),
}


def step_for(kind: Kind) -> Step:
    """How calls of ``kind`` are looked for and followed.

    Raises:
        KeyError: ``ACCESS_TOKEN``, which is only ever sent directly before another call and has no effect to look for.
    """
    return _STEPS[kind]


async def send(call: Call, operator: BackupOperator) -> Receipt:
    """Send ``call`` once, and directly before it the call that it needs, whose secret answer is kept nowhere.

    Raises:
        OutcomeUnknown: the answer to ``call`` itself was lost.
        GatewayError: nothing was changed.
    """
    if call.before is None:
        return await operator.send(call)
    try:
        answer = await operator.send(call.before)
    except OutcomeUnknown as error:
        raise GatewayUnavailable(
            f"{call.before.purpose}: no answer came, and nothing was changed. {error}",
            code=error.code,
            correlation_id=error.correlation_id,
        ) from error
    return await operator.send(_filled(call, answer))


def _filled(call: Call, answer: Receipt) -> Call:
    secret = answer.body.get("properties")
    if not isinstance(call.body, Mapping) or not isinstance(secret, Mapping) or not secret:
        raise GatewayUnavailable(f"{call.purpose}: the answer that it needs was empty; nothing was changed.")
    return replace(call, before=None, body={**call.body, call.filled: dict(secret)})
