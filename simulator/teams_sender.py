"""Teams' side of the inbound road: activities with tokens of any claims, as the Bot Framework channel sends them."""

import json
import time
from datetime import UTC, datetime

from simulator.chat_people import TEAMS_CHANNEL, TEAMS_GROUP_CHAT, TENANT_ID, Person
from simulator.chat_wire import Json
from simulator.slack_sender import Reply, Sender
from simulator.teams import FakeTeams
from simulator.teams_state import Conversation, TeamsMessage

BOT_NAME = "Backup"


class TeamsSender(Sender):
    """Sends to the bot's `/api/messages` what Teams would, as any person; nothing here knows the bot's code."""

    def __init__(self, teams: FakeTeams, bot_url: str, *, path: str = "/api/messages", within_s: float = 20.0) -> None:
        super().__init__(bot_url.rstrip("/") + path, within_s=within_s)
        self.teams = teams

    @property
    def bot_account(self) -> Json:
        """The bot's own account in Teams: `28:` and the application id."""
        return {"id": f"28:{self.teams.app_id}", "name": BOT_NAME}

    def token(self, **claims: object) -> str:
        """Return a valid channel token; a given claim replaces its like, None takes it away."""
        full: Json = {"aud": self.teams.app_id, "serviceurl": self.teams.service_url, **claims}
        without = tuple(name for name, value in full.items() if value is None)
        return self.teams.issuer.token(full, without=without)

    async def raw(self, body: bytes, headers: dict[str, str]) -> Reply:
        """Post any bytes with any headers, for the negative cases."""
        return await self.post(body, headers)

    async def send(self, activity: Json, token: str | None = None) -> Reply:
        """Post an activity, with a valid token unless another is given (an empty one: no header at all)."""
        bearer = self.token() if token is None else token
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return await self.raw(json.dumps(activity).encode(), headers)

    def activity(self, kind: str, person: Person, conversation: Conversation, **fields: object) -> Json:
        """Return an activity of a person in a conversation with all that Teams adds; `fields` are put on top."""
        channel_data: Json = {"tenant": {"id": person.tenant_id}}
        known: Json = {
            "id": conversation.id,
            "conversationType": conversation.kind,
            "tenantId": person.tenant_id,
            "isGroup": conversation.kind != "personal",
        }
        if conversation.kind == "channel":
            root = conversation.root or conversation.id
            channel_data |= {
                "channel": {"id": root},
                "team": {"id": TEAMS_CHANNEL},
                "teamsChannelId": root,
                "teamsTeamId": TEAMS_CHANNEL,
            }
        return {
            "type": kind,
            "id": self.teams.new_id(),
            "timestamp": datetime.fromtimestamp(time.time(), UTC).isoformat().replace("+00:00", "Z"),
            "channelId": "msteams",
            "serviceUrl": self.teams.service_url,
            "from": {"id": person.teams_id, "name": person.name, "aadObjectId": person.aad_id},
            "recipient": self.bot_account,
            "conversation": known,
            "channelData": channel_data,
            "locale": "en-GB",
            "entities": [{"type": "clientInfo", "locale": "en-GB", "platform": "Web", "timezone": person.tz}],
            **fields,
        }

    def place(self, person: Person, kind: str, thread: str | None = None) -> Conversation:
        """Return the `personal`, `group` or `channel` conversation; `thread` names the channel message above."""
        if kind == "personal":
            return self.teams.personal_chat(person)
        if kind == "group":
            return self.teams.conversations[TEAMS_GROUP_CHAT]
        return self.teams.thread(TEAMS_CHANNEL, thread or self.teams.new_id())

    def message_activity(
        self,
        person: Person,
        text: str,
        *,
        kind: str = "personal",
        mention: bool | None = None,
        targeted: bool = False,
        thread: str | None = None,
    ) -> Json:
        """Return a typed message; in groups and channels the bot is mentioned unless told otherwise."""
        activity = self.activity("message", person, self.place(person, kind, thread), textFormat="plain")
        activity["text"] = text
        mentions = kind != "personal" and not targeted if mention is None else mention
        if mentions:
            mark = f"<at>{BOT_NAME}</at>"
            activity["text"] = f"{mark} {text}"
            activity["entities"].append({"type": "mention", "mentioned": self.bot_account, "text": mark})
        if targeted:
            activity["recipient"] = {**self.bot_account, "isTargeted": True}
        return activity

    async def message(
        self,
        person: Person,
        text: str,
        *,
        kind: str = "personal",
        mention: bool | None = None,
        targeted: bool = False,
        thread: str | None = None,
    ) -> Reply:
        """Type a message to the bot in a `personal`, `group` or `channel` conversation."""
        activity = self.message_activity(person, text, kind=kind, mention=mention, targeted=targeted, thread=thread)
        return await self.send(activity)

    def _on(self, person: Person, message: TeamsMessage, kind: str, **fields: object) -> Json:
        conversation = self.teams.conversations[message.conversation]
        return self.activity(kind, person, conversation, replyToId=message.id, **fields)

    def invoke_activity(
        self, person: Person, message: TeamsMessage, verb: str, data: Json, *, automatic: bool = False
    ) -> Json:
        """Return the invoke of an Action.Execute; `automatic` is a refresh that nobody clicked."""
        value = {
            "action": {"type": "Action.Execute", "verb": verb, "data": data},
            "trigger": "automatic" if automatic else "manual",
        }
        return self._on(person, message, "invoke", name="adaptiveCard/action", value=value)

    async def execute(
        self, person: Person, message: TeamsMessage, verb: str, data: Json, *, automatic: bool = False
    ) -> Reply:
        """Press an Action.Execute button of a card; the bot's answer is the reply's body."""
        return await self.send(self.invoke_activity(person, message, verb, data, automatic=automatic))

    async def submit(self, person: Person, message: TeamsMessage, data: Json) -> Reply:
        """Press an Action.Submit button: a message activity with a value and no text."""
        return await self.send(self._on(person, message, "message", value=data))

    async def edit(self, person: Person, original: Json, text: str, *, undo: bool = False) -> Reply:
        """Edit a message that the person sent earlier (messageUpdate); `undo` restores a deleted one."""
        event = "undeleteMessage" if undo else "editMessage"
        changed = {**original, "type": "messageUpdate", "text": text}
        changed["from"] = {"id": person.teams_id, "name": person.name, "aadObjectId": person.aad_id}
        changed["channelData"] = {**original["channelData"], "eventType": event}
        return await self.send(changed)

    async def remove(self, original: Json) -> Reply:
        """Delete a message that was sent earlier (messageDelete)."""
        channel_data = {**original["channelData"], "eventType": "softDeleteMessage"}
        return await self.send({**original, "type": "messageDelete", "channelData": channel_data})

    async def members_changed(
        self, person: Person, *, kind: str = "channel", added: bool = True, bot: bool = True
    ) -> Reply:
        """Tell the bot that it, or a person, was added to or removed from a conversation."""
        who = self.bot_account if bot else {"id": person.teams_id, "aadObjectId": person.aad_id}
        field = "membersAdded" if added else "membersRemoved"
        activity = self.activity("conversationUpdate", person, self._lasting(person, kind), **{field: [who]})
        activity["channelData"]["eventType"] = "teamMemberAdded" if added else "teamMemberRemoved"
        return await self.send(activity)

    async def installed(self, person: Person, *, kind: str = "channel", added: bool = True) -> Reply:
        """Tell the bot that its app was installed in or removed from a conversation (installationUpdate)."""
        action = "add" if added else "remove"
        activity = self.activity("installationUpdate", person, self._lasting(person, kind), action=action)
        return await self.send(activity)

    def _lasting(self, person: Person, kind: str) -> Conversation:
        # Installations concern a channel itself, not one of its threads.
        return self.teams.conversations[TEAMS_CHANNEL] if kind == "channel" else self.place(person, kind)

    def foreign(self, activity: Json, tenant: str) -> Json:
        """Return a copy of an activity that claims to come from another tenant."""
        copy: Json = json.loads(json.dumps(activity).replace(TENANT_ID, tenant))
        return copy
