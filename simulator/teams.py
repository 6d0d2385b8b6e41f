"""A simulated Bot Framework connector for Teams on 127.0.0.1: issuer, token endpoint, conversations."""

import itertools
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterable

import jwt
from aiohttp import web

from simulator.chat_people import CAST, TEAMS_CHANNEL, TEAMS_GROUP_CHAT, TENANT_ID, Person
from simulator.chat_wire import Call, Json, LocalServer, Windows, retry_after_header
from simulator.teams_cards import activity_problems, advice, utf16_size
from simulator.teams_issuer import TOKEN_LIFE_S, Issuer
from simulator.teams_state import ConnectorError, Conversation, TeamsMessage, member_json

BOT_SCOPE = "https://api.botframework.com/.default"
BOT_AUDIENCE = "https://api.botframework.com"
APP_ID = "b07b07b0-0000-4000-8000-00000000b070"
MESSAGE_BYTES = 100 * 1024
TARGETED_LIFE_S = 24 * 3600
# Per bot and thread; learn.microsoft.com, "Optimize your bot with rate limiting in Teams".
SEND_RULES = ((7, 1.0), (8, 2.0), (60, 30.0), (1800, 3600.0))
MEMBER_RULES = ((14, 1.0), (16, 2.0), (120, 30.0), (3600, 3600.0))


class FakeTeams(LocalServer):
    """Point the bot's `TEAMS_*` addresses here; `messages` is keyed by (conversation id, activity id).

    `throttle` takes the names `create`, `send`, `update`, `delete`, `members` and `token`; so does `fail_next`,
    whose `error` is a connector error code. `warnings` lists what Teams would accept but people would not like.
    """

    def __init__(
        self,
        *,
        app_id: str = APP_ID,
        app_password: str = "simulated-password",  # noqa: S107 - a secret of the simulation, good for nothing else
        tenant_id: str = TENANT_ID,
        people: Iterable[Person] = CAST,
        now: Callable[[], float] = time.time,
        rate_limits: bool = False,
        issuer: Issuer | None = None,
    ) -> None:
        super().__init__()
        self.app_id = app_id
        self.app_password = app_password
        self.tenant_id = tenant_id
        self.people = list(people)
        self.now = now
        self.rate_limits = rate_limits
        self.issuer = issuer or Issuer()
        self.messages: dict[tuple[str, str], TeamsMessage] = {}
        self.warnings: list[str] = []
        self.conversations: dict[str, Conversation] = {
            TEAMS_CHANNEL: Conversation(TEAMS_CHANNEL, "channel", self.people),
            TEAMS_GROUP_CHAT: Conversation(TEAMS_GROUP_CHAT, "groupChat", self.people),
        }
        self._numbers = itertools.count(1)
        self._windows = Windows()

    @property
    def service_url(self) -> str:
        """The `serviceUrl` of every inbound activity."""
        return f"{self.origin}/teams/"

    @property
    def metadata_url(self) -> str:
        """The issuer's OpenID metadata, for `TEAMS_OPENID_METADATA_URL`."""
        return f"{self.origin}/.well-known/openidconfiguration"

    @property
    def token_url(self) -> str:
        """The token endpoint, for `TEAMS_OUTBOUND_TOKEN_URL`."""
        return f"{self.origin}/{self.tenant_id}/oauth2/v2.0/token"

    async def start(self, port: int = 0) -> None:
        """Listen, and take the address as the issuer's name unless one was set before."""
        await super().start(port)
        self.issuer.issuer = self.issuer.issuer or self.origin

    def new_id(self) -> str:
        """Return an activity id as Teams makes them: milliseconds, unique here."""
        return str(int(self.now() * 1000) * 1000 + next(self._numbers))

    def personal_chat(self, person: Person) -> Conversation:
        """Return the one-to-one chat of a person with the bot, made if need be."""
        key = f"a:{person.handle}"
        return self.conversations.setdefault(key, Conversation(key, "personal", [person]))

    def thread(self, channel: str, root_message: str) -> Conversation:
        """Return the thread under a channel message, made if need be."""
        key = f"{channel};messageid={root_message}"
        members = self.conversations[channel].members
        return self.conversations.setdefault(key, Conversation(key, "channel", members, channel))

    def make_app(self) -> web.Application:
        """Return the application: metadata, keys, token endpoint and the connector's routes."""
        app = web.Application(client_max_size=4 * 1024 * 1024)
        router = app.router
        router.add_get("/.well-known/openidconfiguration", self._metadata)
        router.add_get("/keys", self._keys)
        router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        base = "/teams/v3/conversations"
        router.add_post(base, self._route("create", self._create))
        router.add_post(f"{base}/{{conversation}}/activities", self._route("send", self._send))
        router.add_post(f"{base}/{{conversation}}/activities/{{activity}}", self._route("send", self._send))
        router.add_put(f"{base}/{{conversation}}/activities/{{activity}}", self._route("update", self._update))
        router.add_delete(f"{base}/{{conversation}}/activities/{{activity}}", self._route("delete", self._delete))
        router.add_get(f"{base}/{{conversation}}/members", self._route("members", self._members))
        router.add_get(f"{base}/{{conversation}}/pagedmembers", self._route("members", self._paged_members))
        router.add_get(f"{base}/{{conversation}}/members/{{member}}", self._route("members", self._member))
        return app

    async def _metadata(self, _request: web.Request) -> web.Response:
        return web.json_response(self.issuer.metadata(self.origin))

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self.issuer.jwks())

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        public = {key: value for key, value in form.items() if key != "client_secret"}
        self.calls.append(Call("token", public, self.now()))
        self.changed()
        if self._take_throttle("token"):
            return web.json_response({"error": "throttled"}, status=429, headers=retry_after_header(1))
        tenant = request.match_info["tenant"]

        async def effect() -> web.Response:
            return self._grant(tenant, form)

        return await self.answer(request, "token", effect, lambda code: _entra_error(400, code, "told to fail"))

    def _grant(self, tenant: str, form: dict[str, str]) -> web.Response:
        if form.get("grant_type") != "client_credentials":
            return _entra_error(400, "unsupported_grant_type", "AADSTS70003: unsupported grant type")
        if tenant != self.tenant_id:
            return _entra_error(400, "invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.")
        if form.get("client_id") != self.app_id:
            return _entra_error(400, "unauthorized_client", "AADSTS700016: application not found")
        if form.get("client_secret") != self.app_password:
            return _entra_error(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
        if form.get("scope") != BOT_SCOPE:
            return _entra_error(400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid.")
        claims = {"aud": BOT_AUDIENCE, "appid": self.app_id, "tid": self.tenant_id}
        body = {"token_type": "Bearer", "expires_in": TOKEN_LIFE_S - 1, "ext_expires_in": TOKEN_LIFE_S - 1}
        return web.json_response({**body, "access_token": self.issuer.token(claims)})

    def _route(
        self, name: str, run: Callable[[web.Request, Json], web.Response]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                body = await request.json() if request.can_read_body else {}
            except ValueError:
                body = None
            if not isinstance(body, dict):
                return ConnectorError(400, "BadSyntax", "The body is not a JSON object.").response()
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            args = {**request.match_info, **request.query, "body": body}
            self.calls.append(Call(name, args, self.now(), token, dict(request.headers)))
            self.changed()

            async def effect() -> web.Response:
                return self._checked(name, run, request, body, token)

            if self._take_throttle(name):
                return _too_many(1)
            return await self.answer(request, name, effect, _told_to_fail)

        return handle

    def _checked(
        self,
        name: str,
        run: Callable[[web.Request, Json], web.Response],
        request: web.Request,
        body: Json,
        token: str,
    ) -> web.Response:
        try:
            self._authorize(token)
            if self.rate_limits and (wait := self._wait(name, request)) is not None:
                return _too_many(wait)
            response = run(request, body)
        except ConnectorError as error:
            return error.response()
        self.changed()
        return response

    def _authorize(self, token: str) -> None:
        try:
            claims = self.issuer.claims(token, BOT_AUDIENCE)
        except jwt.PyJWTError as error:
            raise ConnectorError(401, "Unauthorized", f"Authorization has been denied: {error}") from None
        if claims.get("appid") != self.app_id:
            raise ConnectorError(403, "Forbidden", "The token belongs to another application.")

    def _wait(self, name: str, request: web.Request) -> float | None:
        thread = request.match_info.get("conversation", "")
        kind, rules = {
            "members": ("members", MEMBER_RULES),
            "create": ("create", SEND_RULES),
        }.get(name, ("send", SEND_RULES))
        return self._windows.hit(f"{kind} {thread}", rules, self.now())

    def _conversation(self, request: web.Request) -> Conversation:
        key = urllib.parse.unquote(request.match_info["conversation"])
        found = self.conversations.get(key)
        channel, mark, root = key.partition(";messageid=")
        if found is None and mark and channel in self.conversations:
            found = self.thread(channel, root)
        if found is None:
            raise ConnectorError(404, "ConversationNotFound", "Conversation not found.")
        if found.blocked:
            raise ConnectorError(403, "MessageWritesBlocked", "The user has blocked the bot or removed it.")
        return found

    def _accept(self, activity: object) -> Json:
        problems = activity_problems(activity)
        if problems or not isinstance(activity, dict):
            raise ConnectorError(400, "BadSyntax", "; ".join(problems))
        if utf16_size(activity) > MESSAGE_BYTES:
            raise ConnectorError(413, "MessageSizeTooBig", "Message size too large.")
        self.warnings += advice(activity)
        return activity

    def _store(self, conversation: str, activity: Json, **known: str | None) -> TeamsMessage:
        message = TeamsMessage(conversation, self.new_id(), activity, self.now(), history=[activity])
        message.reply_to, message.targeted_to = known.get("reply_to"), known.get("targeted_to")
        self.messages[conversation, message.id] = message
        return message

    def _create(self, _request: web.Request, body: Json) -> web.Response:
        channel_data = body.get("channelData") or {}
        tenant = (channel_data.get("tenant") or {}).get("id") or body.get("tenantId")
        if tenant not in {None, self.tenant_id}:
            raise ConnectorError(403, "BotDisabledByAdmin", "The bot is not installed in that tenant.")
        channel = (channel_data.get("channel") or {}).get("id")
        if channel is not None:
            return self._create_thread(str(channel), body)
        members = body.get("members") or []
        if len(members) != 1:
            raise ConnectorError(400, "BadArgument", "A personal chat has exactly one member.")
        person = self._person(self.people, str(members[0].get("id", "")))
        chat = self.personal_chat(person)
        if chat.blocked:
            raise ConnectorError(403, "MessageWritesBlocked", "The user has blocked the bot or removed it.")
        answer: Json = {"id": chat.id, "serviceUrl": self.service_url}
        if body.get("activity"):
            answer["activityId"] = self._store(chat.id, self._accept(body["activity"])).id
        return web.json_response(answer, status=201)

    def _create_thread(self, channel: str, body: Json) -> web.Response:
        if channel not in self.conversations:
            raise ConnectorError(404, "ConversationNotFound", "Channel not found.")
        if not body.get("activity"):
            # https://github.com/MicrosoftDocs/msteams-docs/issues/612
            raise ConnectorError(400, "BadSyntax", "A new thread needs its first message.")
        activity = self._accept(body["activity"])
        number = self.new_id()
        thread = self.thread(channel, number)
        message = TeamsMessage(thread.id, number, activity, self.now(), history=[activity])
        self.messages[thread.id, number] = message
        answer = {"id": thread.id, "activityId": number, "serviceUrl": self.service_url}
        return web.json_response(answer, status=201)

    def _targeted(self, request: web.Request) -> bool:
        return request.query.get("isTargetedActivity", "").lower() == "true"

    def _send(self, request: web.Request, body: Json) -> web.Response:
        conversation = self._conversation(request)
        activity = self._accept(body)
        target: str | None = None
        if self._targeted(request):
            if conversation.kind == "personal":
                raise ConnectorError(400, "BadArgument", "Targeted messages exist in groups and channels only.")
            target = str((activity.get("recipient") or {}).get("id") or "")
            if not target:
                raise ConnectorError(400, "BadArgument", "A targeted message needs a recipient.")
            if target not in {person.teams_id for person in conversation.members}:
                raise ConnectorError(403, "BotNotInConversationRoster", "The recipient is not in the roster.")
        reply_to = request.match_info.get("activity")
        message = self._store(conversation.id, activity, reply_to=reply_to, targeted_to=target)
        return web.json_response({"id": message.id}, status=201)

    def _existing(self, request: web.Request) -> TeamsMessage:
        conversation = self._conversation(request)
        message = self.messages.get((conversation.id, request.match_info["activity"]))
        targeted = self._targeted(request)
        gone = message is None or message.deleted
        if not gone and targeted and message is not None:
            gone = self.now() - message.at > TARGETED_LIFE_S
        if message is None or gone or targeted != (message.targeted_to is not None):
            raise ConnectorError(404, "ActivityNotFoundInConversation", "Activity not found.")
        return message

    def _update(self, request: web.Request, body: Json) -> web.Response:
        if self._targeted(request) and body.get("recipient"):
            raise ConnectorError(400, "BadArgument", "An update of a targeted message has no recipient.")
        message = self._existing(request)
        message.activity = self._accept(body)
        message.history.append(message.activity)
        return web.json_response({"id": message.id})

    def _delete(self, request: web.Request, _body: Json) -> web.Response:
        self._existing(request).deleted = True
        return web.Response(status=200)

    def _person(self, people: Iterable[Person], wanted: str) -> Person:
        for person in people:
            if wanted in {person.teams_id, person.aad_id, f"8:orgid:{person.aad_id}"}:
                return person
        raise ConnectorError(404, "MemberNotFoundInConversation", "The member was not found.")

    def _member(self, request: web.Request, _body: Json) -> web.Response:
        wanted = urllib.parse.unquote(request.match_info["member"])
        return web.json_response(member_json(self._person(self._conversation(request).members, wanted)))

    def _members(self, request: web.Request, _body: Json) -> web.Response:
        return web.json_response([member_json(person) for person in self._conversation(request).members])

    def _paged_members(self, request: web.Request, _body: Json) -> web.Response:
        everybody = self._conversation(request).members
        try:
            size = min(500, max(1, int(request.query.get("pageSize") or 200)))
            start = int(request.query.get("continuationToken") or 0)
        except ValueError:
            raise ConnectorError(400, "BadArgument", "pageSize or continuationToken is no number.") from None
        page: Json = {"members": [member_json(person) for person in everybody[start : start + size]]}
        if start + size < len(everybody):
            page["continuationToken"] = str(start + size)
        return web.json_response(page)


def _entra_error(status: int, error: str, text: str) -> web.Response:
    return web.json_response({"error": error, "error_description": text}, status=status)


def _too_many(seconds: float) -> web.Response:
    body = {"error": {"code": "ThrottledRequest", "message": "Too many requests."}}
    return web.json_response(body, status=429, headers=retry_after_header(seconds))


def _told_to_fail(code: str) -> web.Response:
    return ConnectorError(400, code, "The simulator was told to fail.").response()
