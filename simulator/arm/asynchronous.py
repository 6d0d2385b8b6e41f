"""Asynchronous operations: the 202 with its two headers, and the answers that its caller polls."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta

from simulator import timings
from simulator.arm.call import Answer, ArmError, Call
from simulator.world.model import Json, Operation, stable_uuid, zulu

RETRY_AFTER = 60
NO_END = "0001-01-01T00:00:00Z"


def start(call: Call, *, seconds: float = timings.OPERATION, base64_id: bool = False) -> Operation:
    """A new operation that stays InProgress for a while; its id is a GUID or, as some services do, base64."""
    identifier = stable_uuid("operation", call.path, call.now.isoformat(), call.world.number())
    if base64_id:
        identifier = base64.b64encode(f"2047;{identifier}".encode()).decode()
    done = call.now + timedelta(seconds=call.world.pace.seconds(seconds))
    operation = Operation(identifier, call.now, done)
    call.world.operations[identifier.casefold()] = operation
    return operation


def _signature(text: str) -> str:
    parts = []
    for name in ("t", "c", "s", "h"):
        digest = hashlib.sha512(f"{name}{text}".encode())
        value = "".join(hashlib.sha512(digest.digest() + bytes([n])).hexdigest() for n in range(2))
        parts.append(f"{name}={value}")
    return "&".join(parts)


def accepted(
    call: Call,
    operation: Operation,
    status_path: str,
    result_path: str,
    *,
    version: str = "",
    wait: int | None = None,
) -> Answer:
    """The 202 with absolute, signed URLs for the operation's status and result, and Retry-After."""
    escaped = operation.id.replace("=", "%3D")
    tail = f"?api-version={version or call.api_version}&{_signature(operation.id)}"
    seconds = (operation.done - call.now).total_seconds()
    after = wait if wait is not None else max(1, min(RETRY_AFTER, round(seconds)))
    headers = {
        "Azure-AsyncOperation": f"{call.origin}{_quoted(status_path)}/{escaped}{tail}",
        "Retry-After": str(after),
    }
    if result_path:
        headers["Location"] = f"{call.origin}{_quoted(result_path)}/{escaped}{tail}"
    return Answer(202, None, headers)


def _quoted(path: str) -> str:
    return path.replace(";", "%3B").replace(" ", "%20")


def find(call: Call, identifier: str) -> Operation:
    """The operation with an id; raises a 404."""
    found = call.world.operations.get(identifier.casefold())
    if found is None:
        raise ArmError(404, "OperationNotFound", f"The operation '{identifier}' was not found.")
    return found


def status_body(call: Call, operation: Operation) -> Json:
    """The operation as Azure Backup shows it."""
    body: Json = {
        "id": operation.id,
        "name": operation.id,
        "status": "InProgress",
        "startTime": zulu(operation.started),
        "endTime": NO_END,
    }
    if call.now < operation.done:
        return body
    body["endTime"] = zulu(operation.done)
    if operation.error is not None:
        body["status"] = "Failed"
        body["error"] = {"code": operation.error[0], "message": operation.error[1]}
        return body
    body["status"] = "Succeeded"
    if operation.job:
        body["properties"] = {"objectType": "OperationStatusJobExtendedInfo", "jobId": operation.job}
    elif operation.results is not None:
        body["properties"] = {
            "objectType": "OperationStatusValidateOperationExtendedInfo",
            "validateOperationResponse": {"validationResults": operation.results},
        }
    return body


def result(call: Call, operation: Operation) -> Answer:
    """The answer of an operation's Location URL: 202 while it runs, then its result or 204."""
    if call.now < operation.done:
        return Answer(202, None, {"Retry-After": "1"})
    if operation.body is not None:
        return Answer(200, operation.body)
    return Answer(204)


def statuses(owner: Callable[[Call], object]) -> Callable[[Call], Answer]:
    """A route that tells an operation's state as Azure Backup does; ``owner`` raises the 404 of what it belongs to."""

    def status(call: Call) -> Answer:
        owner(call)
        return Answer(200, status_body(call, find(call, call.parts["operation"])))

    return status


def results(owner: Callable[[Call], object] = lambda _: None) -> Callable[[Call], Answer]:
    """A route that tells an operation's end: 202 while it runs, then its result or 204; ``owner`` as in `statuses`."""

    def end(call: Call) -> Answer:
        owner(call)
        return result(call, find(call, call.parts["operation"]))

    return end
