"""What Azure Backup's jobs mean: three shapes of errors, two ways to say who they are about."""

import re
from collections.abc import Iterator

from bot.gateways.azure_wire import Wire, inner, moment, rows, span, surprise, text, texts, whole
from diagnostics.error_codes import extract_code
from domain.arm import VaultId, name_of
from domain.backup import Job, JobError, JobTask

# Database jobs name their item "msdb [server]", with the server's own, possibly shortened, name.
_WITH_SERVER = re.compile(r"(?P<name>.+?) \[(?P<server>[^\[\]]+)\]")
_CANCELLABLE = frozenset({"Cancellable", "1"})  # older answers send the enumeration's number
_SAID = ("mabServerName", "mabServerType", "dpmServerName", "workloadType", "storageAccountName", "isUserTriggered")


def to_job(body: Wire, vault: VaultId, *, detailed: bool) -> Job:
    """A job of any workload, of a list (``detailed=False``) or by itself.

    ``container_name`` is the container where Azure names it, else the server or storage account, which is part of the
    container's name. ``details`` holds Azure's property bags as text.
    """
    properties = inner(body, "properties")
    extended = inner(properties, "extendedInfo")
    name, server = text(properties, "entityFriendlyName"), ""
    if text(properties, "jobType") == "AzureWorkloadJob" and (parts := _WITH_SERVER.fullmatch(name)):
        name, server = parts["name"], parts["server"]
    job_id, status = text(body, "name") or name_of(text(body, "id")), text(properties, "status")
    if not job_id or not status:
        surprise("status" if job_id else "name", None)
    return Job(
        id=job_id,
        vault=vault,
        operation=text(properties, "operation"),
        status=status,
        item_name=name,
        container_name=text(properties, "containerName", "storageAccountName", "mabServerName", "dpmServerName")
        or server,
        backup_management_type=text(properties, "backupManagementType"),
        started_at=moment(properties, "startTime"),
        ended_at=moment(properties, "endTime"),
        duration=span(properties, "duration"),
        cancellable=status == "InProgress" and not _CANCELLABLE.isdisjoint(texts(properties, "actionsInfo")),
        errors=tuple(_error(one) for one in rows(properties, "errorDetails")),
        tasks=tuple(_task(one) for one in rows(extended, "tasksList")),
        progress_percent=whole(extended, "progressPercentage"),
        details=dict(_details(properties, extended)),
        detailed=detailed,
    )


def _error(body: Wire) -> JobError:
    number = whole(body, "errorCode")
    title, said, advice = text(body, "errorTitle"), text(body, "errorString"), texts(body, "recommendations")
    return JobError(
        code=extract_code(title, number, said, advice) or "",
        number=number,
        title=title,
        text=said,
        recommendations=advice,
    )


def _task(body: Wire) -> JobTask:
    length = span(body, "duration")
    start, end = moment(body, "startTime"), moment(body, "endTime")
    if length is None and start and end:
        length = end - start
    return JobTask(name=text(body, "taskId"), status=text(body, "status"), duration=length)


def _details(properties: Wire, extended: Wire) -> Iterator[tuple[str, str]]:
    for name in _SAID:
        if said := text(properties, name):
            yield name, said
    for name in ("dynamicErrorMessage", "estimatedRemainingDuration"):
        if said := text(extended, name):
            yield name, said
    for bag in (inner(extended, "internalPropertyBag"), inner(extended, "propertyBag")):
        for name in bag:
            yield name.strip(), text(bag, name)
