"""What the simulated Teams holds: conversations, the bot's messages, roster entries and refusals."""

from dataclasses import dataclass, field

from aiohttp import web

from simulator.chat_people import Person
from simulator.chat_wire import Json


class ConnectorError(Exception):
    """A refusal of the connector: HTTP status, error code and sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def response(self) -> web.Response:
        """Return the answer in the connector's shape."""
        return web.json_response({"error": {"code": self.code, "message": str(self)}}, status=self.status)


@dataclass
class Conversation:
    """A personal chat, group chat, channel or one of its threads (`root`: the channel's id)."""

    id: str
    kind: str
    members: list[Person]
    root: str | None = None
    blocked: bool = False


@dataclass
class TeamsMessage:
    """An activity that the bot sent, with all its states; `targeted_to` is set for a private one in a group."""

    conversation: str
    id: str
    activity: Json
    at: float
    reply_to: str | None = None
    targeted_to: str | None = None
    history: list[Json] = field(default_factory=list)
    deleted: bool = False

    @property
    def text(self) -> str:
        """The latest text."""
        return str(self.activity.get("text") or "")

    @property
    def card(self) -> Json:
        """The content of the first attachment, empty when there is none."""
        attachments = self.activity.get("attachments") or [{}]
        content: Json = attachments[0].get("content") or {}
        return content


def member_json(person: Person) -> Json:
    """Return a roster entry as the connector gives it."""
    given, _, surname = person.name.partition(" ")
    return {
        "id": person.teams_id,
        "name": person.name,
        "givenName": given,
        "surname": surname,
        "objectId": person.aad_id,
        "aadObjectId": person.aad_id,
        "email": person.email,
        "userPrincipalName": person.email,
        "tenantId": person.tenant_id,
        "userRole": "guest" if person.restricted else "user",
    }
