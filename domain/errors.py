"""The error tree. Every error a person may meet is one of these, and its text is written for that person.

BotError
  x GatewayError            Azure could not be read or changed; carries Azure's own code and correlation id
    + PermissionDenied      the identity lacks an action at a scope
    + ResourceNotFound      no such thing, or nothing that this identity may see
    + Throttled             too many requests; says when to try again
    + Conflict              the thing is in a state that forbids it
    + BadRequest            Azure refused the request as wrong
    + GatewayUnavailable    no answer, an answer that is no answer, or a time limit reached
    + OutcomeUnknown        a changing call was sent and its answer was lost: look before trying again
  x RequestError            the person asked for something that cannot be done
    + NotFound              no such vault, item, fix or code; carries the nearest names
    + Ambiguous             several things have that name; carries the candidates
  x ApprovalError
    + NotAllowed            this person may not decide, or nobody may
    + AlreadyDecided        somebody was first
    + PlanChanged           the world changed since the plan was shown
  x SettingsError           lists every wrong setting at once
"""

from collections.abc import Sequence
from datetime import timedelta


class BotError(Exception):
    """Base of all errors of this project."""


class GatewayError(BotError):
    """Azure could not be read or changed.

    ``code`` is Azure's own error code or "", ``correlation_id`` what Microsoft's support asks for,
    ``can_retry`` whether the same call may succeed later without anybody doing anything.
    """

    can_retry = False

    def __init__(self, message: str, *, code: str = "", correlation_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.correlation_id = correlation_id


class PermissionDenied(GatewayError):
    """The identity lacks ``action`` at ``scope`` (both "" when Azure did not name them)."""

    def __init__(
        self, message: str, *, action: str = "", scope: str = "", code: str = "", correlation_id: str = ""
    ) -> None:
        super().__init__(message, code=code, correlation_id=correlation_id)
        self.action = action
        self.scope = scope


class ResourceNotFound(GatewayError):
    """No such resource, or none that this identity may see."""


class Throttled(GatewayError):
    """Azure asks to wait ``retry_after`` before the next call."""

    can_retry = True

    def __init__(
        self, message: str, *, retry_after: timedelta | None = None, code: str = "", correlation_id: str = ""
    ) -> None:
        super().__init__(message, code=code, correlation_id=correlation_id)
        self.retry_after = retry_after


class Conflict(GatewayError):
    """The resource is in a state that forbids the call."""


class BadRequest(GatewayError):
    """Azure refused the request as wrong."""


class GatewayUnavailable(GatewayError):
    """No answer in time, a server error, or an answer that makes no sense."""

    can_retry = True


class OutcomeUnknown(GatewayError):
    """A changing call was sent, and whether it took effect is not known: look before trying again."""


class RequestError(BotError):
    """The person asked for something that cannot be done; the text is shown to them."""


class NotFound(RequestError):
    """There is no such thing; ``nearest`` are names that come close."""

    def __init__(self, message: str, *, nearest: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.nearest = tuple(nearest)


class Ambiguous(RequestError):
    """Several things answer to that name; ``candidates`` tell them apart."""

    def __init__(self, message: str, *, candidates: Sequence[str]) -> None:
        super().__init__(message)
        self.candidates = tuple(candidates)


class ApprovalError(BotError):
    """An approval cannot go on as asked."""


class NotAllowed(ApprovalError):
    """This person may not do that; the text says why and who may."""


class AlreadyDecided(ApprovalError):
    """Somebody decided first; the text says who and when."""


class PlanChanged(ApprovalError):
    """The plan made now differs from the plan that was approved; ``difference`` lists how, line by line."""

    def __init__(self, message: str, *, difference: Sequence[str]) -> None:
        super().__init__(message)
        self.difference = tuple(difference)


class SettingsError(BotError):
    """Every wrong setting at once, one line each: ``key: what is wrong and what is allowed``."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("The settings are wrong:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = tuple(faults)
