"""One request to the simulated Resource Manager, one answer, and the errors in Azure's form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from simulator.world.model import Json, Principal, World


class ArmError(Exception):
    """An answer in Azure's error form: status, code, message."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def answer(self) -> "Answer":
        """The answer that carries this error."""
        return Answer(self.status, {"error": {"code": self.code, "message": self.message}}, self.headers)


@dataclass(slots=True)
class Answer:
    """What goes back: a status, a JSON body or None, and headers."""

    status: int = 200
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """A request after authentication and routing; `parts` are the path's parameters, decoded."""

    world: World
    now: datetime
    caller: Principal
    method: str
    path: str
    parts: dict[str, str]
    query: dict[str, str]
    body: Json | None
    origin: str
    page_size: int = 100
    passive: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        """The api-version that the caller asked for."""
        return self.query.get("api-version", "")

    def json(self) -> Json:
        """The request's body; raises a 400 where there is none."""
        if self.body is None:
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is needed.")
        return self.body

    def properties(self) -> Json:
        """The `properties` object of the request's body; raises a 400 where there is none."""
        found = self.json().get("properties")
        if not isinstance(found, dict):
            raise ArmError(400, "InvalidRequestContent", "The request content was invalid: 'properties' is required.")
        return found


def resource_not_found(kind: str, name: str, group: str) -> ArmError:
    """The 404 of a resource that is not there."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        {"x-ms-failure-cause": "gateway"},
    )


def refuse_unknown(body: Json, known: tuple[str, ...], where: str) -> None:
    """Raises a 400 for a field that the operation does not know."""
    for name in body:
        if name not in known:
            raise ArmError(
                400,
                "InvalidRequestContent",
                f"The request content was invalid: could not find member '{name}' on {where}.",
            )
