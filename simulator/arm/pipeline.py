"""What happens to a request between the socket and its handler: version, routing, rights, and the record for a restart."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from simulator.arm.call import Answer, ArmError, Call
from simulator.arm.routing import Route, Router
from simulator.journal import Journal
from simulator.providers import build_router
from simulator.providers.activity import note
from simulator.providers.authorization import condition_attributes
from simulator.world.access import allowed, denied
from simulator.world.engine import settle_all
from simulator.world.model import Json, Principal, World, stable_uuid

ODATA = ("$filter", "$expand", "$select", "$skiptoken", "$top", "api-version")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been authenticated: everything that a replay needs."""

    caller: str
    method: str
    path: str
    query: str
    body: str
    origin: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Pipeline:
    """Performs requests on a world."""

    world: World
    journal: Journal
    page_size: int = 100
    router: Router = field(default_factory=build_router)

    def perform(self, request: Request, now: datetime) -> tuple[Answer, str]:
        """The answer and the permission that was asked for; changes that worked go into the journal."""
        try:
            route, call = self._route(request, now)
        except ArmError as error:
            return error.answer(), ""
        try:
            self._authorize(route, call)
            if not route.reads:
                settle_all(self.world, now)
            answer = route.handler(call)
        except ArmError as error:
            return error.answer(), route.action
        if not route.reads:
            self.journal.request(now, self.world.pace.speed, request)
            correlation = stable_uuid("activity", call.path, now.isoformat(), request.method)
            note(
                self.world,
                now=now,
                oid=request.caller,
                action=route.action,
                resource=call.path,
                status=answer.status,
                correlation=request.headers.get("x-ms-correlation-request-id", correlation),
            )
        return answer, route.action

    def _route(self, request: Request, now: datetime) -> tuple[Route, Call]:
        query = {
            k if k.startswith("$") else k.casefold(): v for k, v in parse_qsl(request.query, keep_blank_values=True)
        }
        query = {k.casefold() if k.casefold() in ODATA else k: v for k, v in query.items()}
        found = self.router.find(request.method, request.path)
        if found is None:
            raise self._unknown(request)
        route, parts, path = found
        if not route.versionless and not query.get("api-version"):
            raise ArmError(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        self._known_subscription(parts, path)
        caller = self.world.principals.get(request.caller) or Principal(request.caller, request.caller, "user")
        call = Call(
            self.world,
            now,
            caller,
            request.method,
            path,
            parts,
            query,
            _json(request.body),
            request.origin,
            self.page_size,
            passive=request.path.endswith("/"),
            headers=request.headers,
        )
        return route, call

    def _known_subscription(self, parts: dict[str, str], path: str) -> None:
        segments = path.split("/")
        wanted = parts.get("subscription") or (segments[2] if path.casefold().startswith("/subscriptions/") else "")
        if wanted and wanted.casefold() not in self.world.subscriptions:
            raise ArmError(
                404,
                "SubscriptionNotFound",
                f"The subscription '{wanted}' could not be found.",
                {"x-ms-failure-cause": "gateway"},
            )

    @staticmethod
    def _unknown(request: Request) -> ArmError:
        return ArmError(
            404,
            "NotFound",
            f"No operation of this simulated Azure answers {request.method} {request.path}.",
            {"x-ms-failure-cause": "gateway"},
        )

    def _authorize(self, route: Route, call: Call) -> None:
        if not route.action:
            return
        scope = call.parts.get("scope", call.path) or "/"
        attributes = condition_attributes(call) if route.action.endswith(("/write", "/delete")) else {}
        if allowed(self.world, call.caller.oid, route.action, scope, call.now, request=attributes):
            return
        if denied(self.world, call.caller.oid, route.action, scope):
            why = " because of the deny assignment at this scope"
        else:
            why = " or the scope is invalid. If access was recently granted, please refresh your credentials"
        client = call.caller.client_id or call.caller.oid
        raise ArmError(
            403,
            "AuthorizationFailed",
            f"The client '{client}' with object id '{call.caller.oid}' does not have authorization to perform "
            f"action '{route.action}' over scope '{scope}'{why}.",
            {"x-ms-failure-cause": "gateway"},
        )


def _json(text: str) -> Json | None:
    if not text.strip():
        return None
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ArmError(
            400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
        ) from error
    if not isinstance(body, dict):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: a JSON object is needed.")
    return body
