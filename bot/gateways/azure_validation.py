"""Azure Backup's own validation of a restore: the question in the SDK's models, the answer in our words.

The synchronous form takes restores of virtual machines; the specification's own examples of it are such restores.
Source: https://learn.microsoft.com/rest/api/backup/operation/validate
"""

from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup.models import (
    IaasVMRestoreRequest,
    IdentityInfo,
    ValidateIaasVMRestoreOperationRequest,
    ValidateOperationRequestResource,
)

from bot.gateways.azure_errors import azure_error, body_of
from bot.gateways.azure_wire import Wire, inner, rows, text, texts
from domain.arm import ItemId
from domain.backup import ValidationProblem
from domain.errors import GatewayUnavailable

SYSTEM_IDENTITY = "system"
_BAD_REQUEST = 400
_SERVICES_OWN = ("usererror", "bmsusererror", "cloudusererror")


def restore_of_disks(
    item: ItemId,
    recovery_point: str,
    *,
    storage_account_id: str,
    region: str,
    vm_id: str,
    target_group_id: str,
    identity: str,
) -> ValidateOperationRequestResource:
    """The question whether the disks of a recovery point could be restored; ``identity`` is as in the port."""
    found = None
    if identity == SYSTEM_IDENTITY:
        found = IdentityInfo(is_system_assigned_identity=True)
    elif identity:
        found = IdentityInfo(is_system_assigned_identity=False, managed_identity_resource_id=identity)
    request = IaasVMRestoreRequest(
        recovery_point_id=recovery_point,
        recovery_type="RestoreDisks",
        source_resource_id=vm_id,
        target_resource_group_id=target_group_id,
        storage_account_id=storage_account_id,
        region=region,
        create_new_cloud_service=False,
        original_storage_account_option=False,
        identity_info=found,
    )
    return ValidateOperationRequestResource(
        id=f"{item.id}/recoveryPoints/{recovery_point}",
        properties=ValidateIaasVMRestoreOperationRequest(restore_request=request),
    )


def to_problems(body: Wire) -> list[ValidationProblem]:
    """The objections in an answer.

    Raises:
        GatewayUnavailable: the answer holds no verdict, which must not look like "no objection".
    """
    if not inner(body, "validateOperationResponse"):
        raise GatewayUnavailable("Azure answered the validation of a restore without a verdict.")
    return [
        ValidationProblem(
            code=text(one, "code"), message=text(one, "message"), recommendations=texts(one, "recommendations")
        )
        for one in rows(inner(body, "validateOperationResponse"), "validationResults")
    ]


def refusal_as_answer(error: HttpResponseError) -> list[ValidationProblem]:
    """What Azure Backup says by refusing the question with an error code of its own is its answer.

    Raises:
        HttpResponseError: ``error`` itself, when it is anything else.
    """
    if error.response is not None and error.status_code == _BAD_REQUEST:
        code, message = azure_error(body_of(error.response))
        if code.casefold().startswith(_SERVICES_OWN):
            return [ValidationProblem(code=code, message=message)]
    raise error
