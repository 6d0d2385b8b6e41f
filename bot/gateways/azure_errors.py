"""Every way in which a call to Azure can fail, said once in the words of :mod:`domain.errors`.

Texts are written for the person who asked. They hold no token, no signed address and no query string: operation addresses
carry signatures in their query, and Azure likes to repeat addresses in its messages.
"""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.identity import CredentialUnavailableError

from domain.errors import (
    BadRequest,
    Conflict,
    GatewayError,
    GatewayUnavailable,
    PermissionDenied,
    ResourceNotFound,
    Throttled,
)

_LONGEST = 600
_RETRY = AsyncRetryPolicy()
_QUERY = re.compile(r"(https?://[^\s'\"<>?]+)\?[^\s'\"<>]*", re.IGNORECASE)
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.?[\w-]*")
_BEARER = re.compile(r"\b(bearer)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_SIGNATURE = re.compile(r"\b(sig|signature|access_token|client_secret|client_assertion)=[^\s&'\"]+", re.IGNORECASE)
# "does not have authorization to perform action 'A' over scope 'S' or the scope is invalid": ARM's AuthorizationFailed.
_ACTION = re.compile(r"perform action(?:\(s\))? '([^']+)'")
_SCOPE = re.compile(r"(?:over|on|at) (?:the )?(?:linked )?scope(?:\(s\))? '([^']+)'")
_LINKED = re.compile(r"permission to perform action(?:\(s\))? '([^']+)' on the linked scope(?:\(s\))? '([^']+)'")
_TRY_AGAIN = re.compile(r"(?:try again|retry)(?: request)? after '?(\d+(?:\.\d+)?)'? ?seconds?", re.IGNORECASE)
# A machine runs one script at a time, and says so with a 409 that passes by itself.
_OTHER_SCRIPT = re.compile(r"run command extension execution is in progress", re.IGNORECASE)
_AADSTS = re.compile(r"(AADSTS\d+): ([^\r\n]*?)(?: Trace ID|\.\s|$)")


class ForeignHostError(AzureError):
    """Azure named an address on another host, and no token is carried there."""


def clean(text: str) -> str:
    """``text`` without query strings, tokens and signatures, on one line, at most 600 characters."""
    text = _QUERY.sub(r"\1", text)
    text = _JWT.sub("(token)", text)
    text = _BEARER.sub(r"\1 (token)", text)
    text = _SIGNATURE.sub(r"\1=(secret)", text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def retry_delay(headers: Mapping[str, str], body: str) -> float | None:
    """Seconds to wait that an answer asks for: in ``Retry-After`` or, as Recovery Services does, in its text only."""
    milliseconds = headers.get("retry-after-ms") or headers.get("x-ms-retry-after-ms")
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        if header := headers.get("Retry-After"):
            return _RETRY.parse_retry_after(header)
    said = _TRY_AGAIN.search(body)
    return float(said[1]) if said else None


def azure_error(body: str) -> tuple[str, str]:
    """Code and message of an error body: ARM's and Graph's envelope, or the bare pair some providers send."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return "", ""
    if not isinstance(parsed, dict):
        return "", ""
    inner = parsed.get("error")
    holder = inner if isinstance(inner, dict) else parsed
    message = holder.get("message") or parsed.get("error_description") or ""
    code = holder.get("code") or (inner if isinstance(inner, str) else "")
    return str(code), clean(str(message))


def refusal(what: str, status: int, headers: Mapping[str, str], body: str) -> GatewayError:
    """The domain error for an answer that is not a success.

    ``what`` completes "…: reading the vault" and is shown; ``headers`` must look names up without regard to case.
    """
    code, message = azure_error(body)
    correlation = headers.get("x-ms-correlation-request-id") or headers.get("x-ms-request-id") or ""
    said = f" Azure says: {message}" if message else ""
    named = f" ({code})" if code else ""

    match status:
        case 401:
            return PermissionDenied(
                f"Azure did not accept the bot's sign-in{named}: {what}.{said}", code=code, correlation_id=correlation
            )
        case 403:
            return _denied(what, code, message, correlation)
        case 404 | 410:
            return ResourceNotFound(f"Not found{named}: {what}.{said}", code=code, correlation_id=correlation)
        case 409 if _OTHER_SCRIPT.search(message):
            return Throttled(
                f"Another script is running in the machine, and it runs one at a time: {what}.",
                code=code,
                correlation_id=correlation,
            )
        case 409 | 412:
            return Conflict(
                f"The present state forbids it{named}: {what}.{said}", code=code, correlation_id=correlation
            )
        case 429:
            return _throttled(what, headers, body, code, correlation)
    if 300 <= status < 400:  # noqa: PLR2004  (a redirect, which is never followed: the token stays on its host)
        return GatewayUnavailable(f"Azure answered with a redirect, which is not followed: {what}.", code=code)
    if status == 408 or status >= 500:  # noqa: PLR2004  (request timeout, server errors)
        return GatewayUnavailable(
            f"Azure answered {status}{named}: {what}.{said}", code=code, correlation_id=correlation
        )
    return BadRequest(
        f"Azure refused the request with {status}{named}: {what}.{said}", code=code, correlation_id=correlation
    )


def _denied(what: str, code: str, message: str, correlation: str) -> PermissionDenied:
    linked = _LINKED.search(message)
    action = linked[1] if linked else _first(_ACTION, message)
    scope = linked[2] if linked else _first(_SCOPE, message)
    if action:
        text = f"The identity lacks {action}" + (f" at {scope}" if scope else "") + f": {what}."
    else:
        text = f"Azure denies access{f' ({code})' if code else ''}: {what}." + (
            f" Azure says: {message}" if message else ""
        )
    if "deny assignment" in message.casefold():
        text += " A deny assignment forbids it, which no role can overcome."
    return PermissionDenied(text, action=action, scope=scope, code=code, correlation_id=correlation)


def _throttled(what: str, headers: Mapping[str, str], body: str, code: str, correlation: str) -> Throttled:
    seconds = retry_delay(headers, body)
    when = "without saying until when" if seconds is None else f"for {seconds:.0f} s"
    return Throttled(
        f"Azure throttles this subscription {when}: {what}.",
        retry_after=None if seconds is None else timedelta(seconds=seconds),
        code=code,
        correlation_id=correlation,
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""


def body_of(response: object) -> str:
    """The text of an answer that was read whole, "" when there is none or it is not text."""
    text = getattr(response, "text", None)
    try:
        return str(text()) if callable(text) else ""
    except (ValueError, LookupError, AzureError):
        return ""


def translate(what: str, error: Exception) -> GatewayError:
    """The domain error for an exception of the SDK, the transport or the reading of an answer; most specific first."""
    match error:
        case GatewayError():
            return error
        case TimeoutError() | ServiceRequestTimeoutError() | ServiceResponseTimeoutError():
            return GatewayUnavailable(f"Azure did not answer in time: {what}.")
        case ForeignHostError():
            return GatewayUnavailable(f"Azure pointed to an address that is not its own, not followed: {what}.")
        case DecodeError() | DeserializationError():
            return _unreadable(what)
        case ClientAuthenticationError():
            return _not_signed_in(what, error)
        case HttpResponseError(response=response) if response is not None:
            return of_response(what, response)
        case ServiceRequestError() | ServiceResponseError():
            return GatewayUnavailable(f"The connection to Azure failed: {what}. {clean(str(error.message))}")
        case AzureError():
            return GatewayUnavailable(f"The call to Azure failed: {what}. {clean(str(error.message))}")
    return _unreadable(what)


def _not_signed_in(what: str, error: ClientAuthenticationError) -> GatewayError:
    message = str(error.message)
    if isinstance(error, CredentialUnavailableError):
        return GatewayUnavailable(f"No identity to sign in with could be reached: {what}. {clean(message)}")
    if found := _AADSTS.search(message):
        return PermissionDenied(
            f"Microsoft Entra ID refused the bot's sign-in ({found[1]}): {clean(found[2])}.", code=found[1]
        )
    if error.response is not None:
        return of_response(what, error.response)
    return PermissionDenied(f"The bot could not sign in: {what}. {clean(message)}")


def of_response(what: str, response: object) -> GatewayError:
    """The same for an answer of azure-core, legacy or new, which was read whole."""
    status, headers = getattr(response, "status_code", None), getattr(response, "headers", None)
    return refusal(what, int(status or 0), headers or {}, body_of(response))


def _unreadable(what: str) -> GatewayUnavailable:
    return GatewayUnavailable(f"Azure answered something that cannot be read: {what}.")


@contextlib.asynccontextmanager
async def translated(what: str) -> AsyncIterator[None]:
    """Raise nothing but :class:`GatewayError` from inside; ``what`` says what was tried, as in "reading the vault v1".

    The SDK indexes into answers before anybody can look at them, so a list where an object belongs ends there as a
    TypeError or AttributeError: within this border those are Azure's surprises too.
    """
    try:
        yield
    except GatewayError:
        raise
    except (AzureError, TimeoutError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise translate(what, error) from error


def never_left(error: Exception) -> bool:
    """Whether the request surely did not reach Azure: the connection itself could not be made.

    azure-core calls a connection that broke *after* sending a ServiceRequestError too, so its own word is not enough.
    """
    if isinstance(error, ServiceRequestTimeoutError | ForeignHostError):
        return True
    cause = getattr(error, "inner_exception", None) or error.__cause__
    return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ClientProxyConnectionError | aiohttp.InvalidURL)
