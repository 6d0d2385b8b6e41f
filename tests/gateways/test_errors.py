"""Every failure has one domain error, and no text holds a secret."""

import json
from datetime import timedelta

import aiohttp
import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError

from bot.gateways.azure_errors import (
    ForeignHostError,
    azure_error,
    clean,
    never_left,
    refusal,
    retry_delay,
    translate,
    translated,
)
from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)

SCOPE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a"
UNAUTHORIZED = (
    "The client 'someone@example.com' with object id '12f8ea5c' does not have authorization to perform action"
    f" 'Microsoft.Storage/storageAccounts/read' over scope '{SCOPE}' or the scope is invalid. If access was recently granted,"
    " please refresh your credentials."
)
LINKED = (
    "The client 'x' with object id 'x' has permission to perform action 'Microsoft.Compute/virtualMachines/write' on scope"
    " '/vm'; however, it does not have permission to perform action(s) 'Microsoft.Network/networkInterfaces/join/action' on"
    " the linked scope(s) '/nic' (respectively) or the linked scope(s) are invalid."
)
DENIED_BY_ASSIGNMENT = (
    "The client 'x' with object id 'x' has permission to perform action 'a/write' on scope '/s'; however, the access is"
    " denied because of the deny assignment with name 'stack' and Id 'y' at scope '/s'."
)


def body(code: str, message: str) -> str:
    """An error as ARM sends it."""
    return json.dumps({"error": {"code": code, "message": message}})


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, GatewayUnavailable),
        (400, BadRequest),
        (401, PermissionDenied),
        (403, PermissionDenied),
        (404, ResourceNotFound),
        (405, BadRequest),
        (408, GatewayUnavailable),
        (409, Conflict),
        (410, ResourceNotFound),
        (412, Conflict),
        (422, BadRequest),
        (429, Throttled),
        (500, GatewayUnavailable),
        (502, GatewayUnavailable),
        (599, GatewayUnavailable),
    ],
)
def test_statuses(status: int, error: type[GatewayError]) -> None:
    """Each status has its error, which keeps Azure's code and correlation id and says what was tried."""
    headers = {"x-ms-request-id": "request", "x-ms-correlation-request-id": "correlation"}
    found = refusal("reading the vault v1", status, headers, body("SomeCode", "some words"))

    assert type(found) is error
    assert found.code == "SomeCode"
    assert "reading the vault v1" in str(found)
    if status != 301:
        assert found.correlation_id == "correlation"


def test_a_machine_that_runs_another_script_is_busy() -> None:
    """Such a conflict passes by itself, so the caller may wait; every other one is for people."""
    said = "Run command extension execution is in progress. Please wait for completion before invoking a run command."
    found = refusal("running a script", 409, {}, body("Conflict", said))
    assert type(found) is Throttled
    assert found.retry_after is None
    assert "one at a time" in str(found)
    assert type(refusal("starting it", 409, {}, body("Conflict", "in progress"))) is Conflict


@pytest.mark.parametrize(
    ("code", "message", "action", "scope"),
    [
        ("AuthorizationFailed", UNAUTHORIZED, "Microsoft.Storage/storageAccounts/read", SCOPE),
        ("LinkedAuthorizationFailed", LINKED, "Microsoft.Network/networkInterfaces/join/action", "/nic"),
        ("DenyAssignmentAuthorizationFailed", DENIED_BY_ASSIGNMENT, "a/write", "/s"),
        ("RequestDisallowedByPolicy", "Resource 'x' was disallowed by policy.", "", ""),
    ],
)
def test_what_is_missing_is_named(code: str, message: str, action: str, scope: str) -> None:
    """A refusal names the action and where it is missing, where Azure does."""
    found = refusal("reading it", 403, {}, body(code, message))

    assert isinstance(found, PermissionDenied)
    assert (found.action, found.scope, found.code) == (action, scope, code)
    assert (action or code) in str(found)
    assert ("deny assignment" in str(found)) == (code == "DenyAssignmentAuthorizationFailed")


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"Retry-After": "17"}, "", 17.0),
        ({"Retry-After": "1.5"}, "", 1.5),
        ({"Retry-After": "-5"}, "", 0.0),
        ({"x-ms-retry-after-ms": "250"}, "", 0.25),
        ({"Retry-After": "soon"}, "Please try again after '324' seconds.", 324.0),
        ({}, "Please try again after '324' seconds.", 324.0),
        ({}, "The request is being throttled. Retry after 5 seconds.", 5.0),
        ({}, "no idea", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], text: str, seconds: float | None) -> None:
    """The header counts, then the text, and a header that says nothing readable is passed over."""
    assert retry_delay(headers, text) == seconds
    found = refusal("it", 429, headers, body("TooManyRequests", text))
    assert isinstance(found, Throttled)
    assert found.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (body("C", "m"), ("C", "m")),
        ('{"code": "C", "message": "m"}', ("C", "m")),
        ('{"error": "invalid_client", "error_description": "d"}', ("invalid_client", "d")),
        ('{"error": {"code": null, "message": null}}', ("", "")),
        ("[]", ("", "")),
        ("<html>bad gateway</html>", ("", "")),
        ("", ("", "")),
    ],
)
def test_error_bodies(text: str, expected: tuple[str, str]) -> None:
    """The envelopes of ARM, of some providers and of Entra are read, and garbage is no error of ours."""
    assert azure_error(text) == expected


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("see https://h.example/a/op?t=1&s=SIGNED&h=x now", "https://h.example/a/op now", "SIGNED"),
        ("blob https://a.blob.core.windows.net/c/b?sv=1&sig=SIGNED", "https://a.blob.core.windows.net/c/b", "SIGNED"),
        ("Bearer abcdefghijkl.mnop failed", "Bearer (token) failed", "abcdefghijkl"),
        ("token eyJhbGciOiJIUzI1.eyJzdWIi.abc_def was bad", "token (token) was bad", "eyJ"),
        ("client_secret=hunter2 rejected", "client_secret=(secret) rejected", "hunter2"),
        ("two\nlines   here", "two lines here", "\n"),
    ],
)
def test_texts_are_cleaned(text: str, kept: str, gone: str) -> None:
    """Query strings, tokens and signatures go; the rest stays, on one line."""
    assert kept in clean(text)
    assert gone not in clean(text)


def test_long_texts_are_cut() -> None:
    """No text is longer than 600 characters."""
    assert len(clean("x" * 5000)) == 600


class Response:
    """As much of an answer as the translation looks at."""

    def __init__(self, status: int, text: str) -> None:
        self.status_code = status
        self.reason = "r"
        self.headers: dict[str, str] = {}
        self._text = text

    def text(self) -> str:
        return self._text


def with_response(status: int, text: str) -> HttpResponseError:
    """An exception as the generated clients raise it."""
    error = HttpResponseError("m")
    error.response = Response(status, text)  # type: ignore[assignment]
    return error


SIGNED = "Cannot connect to https://h/x?sig=SIGNED"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError(), GatewayUnavailable, "in time"),
        (ServiceRequestTimeoutError("x"), GatewayUnavailable, "in time"),
        (ServiceResponseTimeoutError("x"), GatewayUnavailable, "in time"),
        (ServiceRequestError(SIGNED), GatewayUnavailable, "connection"),
        (ServiceResponseError(SIGNED), GatewayUnavailable, "connection"),
        (ForeignHostError("x"), GatewayUnavailable, "not its own"),
        (DecodeError("x"), GatewayUnavailable, "cannot be read"),
        (CredentialUnavailableError("no IMDS"), GatewayUnavailable, "no IMDS"),
        (
            ClientAuthenticationError("AADSTS700016: Application not found. Trace ID: 1"),
            PermissionDenied,
            "AADSTS700016",
        ),
        (ClientAuthenticationError("Failed to invoke the Azure CLI"), PermissionDenied, "Azure CLI"),
        (with_response(404, body("ResourceNotFound", "gone")), ResourceNotFound, "ResourceNotFound"),
        (with_response(500, "<html>"), GatewayUnavailable, "500"),
        (AzureError(SIGNED), GatewayUnavailable, "failed"),
        (json.JSONDecodeError("x", "", 0), GatewayUnavailable, "cannot be read"),
        (AttributeError("x"), GatewayUnavailable, "cannot be read"),
        (Conflict("kept"), Conflict, "kept"),
    ],
)
def test_exceptions(error: Exception, kind: type[GatewayError], words: str) -> None:
    """Each exception of the SDK has its error, and none shows a query string."""
    found = translate("reading it", error)

    assert type(found) is kind
    assert words in str(found)
    assert "SIGNED" not in str(found)


async def test_the_border() -> None:
    """Inside the border nothing but domain errors comes out, chained to what happened; programming errors elsewhere pass."""
    with pytest.raises(GatewayUnavailable) as caught:
        async with translated("reading it"):
            raise KeyError("value")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(Conflict):
        async with translated("reading it"):
            raise Conflict("as it was")
    with pytest.raises(AssertionError):
        async with translated("reading it"):
            raise AssertionError


def test_answers_that_cannot_be_read() -> None:
    """An answer whose body is no text still has its error."""

    class Garbled(Response):
        def text(self) -> str:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid")

    error = with_response(500, "")
    error.response = Garbled(500, "")  # type: ignore[assignment]
    assert "500" in str(translate("reading it", error))


def test_what_never_left() -> None:
    """Only a connection that was never made is sure; one that broke is not, although azure-core gives both one name."""
    key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    refused = aiohttp.ClientConnectorError(key, OSError(111, "refused"))

    assert never_left(ServiceRequestError("x", error=refused))
    assert never_left(ServiceRequestTimeoutError("x"))
    assert never_left(ForeignHostError("x"))
    assert not never_left(ServiceRequestError("x", error=aiohttp.ServerDisconnectedError()))
    assert not never_left(ServiceResponseTimeoutError("x"))
    assert not never_left(ValueError("x"))
