"""The fake connector over plain HTTP and through botframework's own client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from botbuilder.schema import Activity, ConversationParameters
from botframework.connector.aio import ConnectorClient
from msrest.authentication import Authentication

from simulator.chat_people import ANA, CAST, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT
from simulator.teams import APP_ID, BOT_SCOPE, FakeTeams
from simulator.teams_cards import utf16_size

from .conftest import Hands

Json = dict[str, Any]
HELLO = {"type": "message", "text": "hello"}


class Bot:
    """A caller with a bearer token."""

    def __init__(self, teams: FakeTeams, http: aiohttp.ClientSession) -> None:
        self.teams, self.http, self.token = teams, http, ""

    async def fetch_token(self, **changes: str) -> tuple[int, Json]:
        form = {
            "grant_type": "client_credentials",
            "client_id": APP_ID,
            "client_secret": self.teams.app_password,
            "scope": BOT_SCOPE,
            **changes,
        }
        async with self.http.post(self.teams.token_url, data=form) as answer:
            body: Json = await answer.json()
            self.token = body.get("access_token", self.token)
            return answer.status, body

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json, dict[str, str]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.teams.service_url}v3/conversations{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            found: Json = {}
            with contextlib.suppress(ValueError, aiohttp.ContentTypeError):
                found = await answer.json()
            return answer.status, found, dict(answer.headers)

    async def code(self, method: str, path: str, body: Json | None = None) -> tuple[int, str]:
        status, found, _ = await self.call(method, path, body)
        return status, found["error"]["code"]


@pytest.fixture
async def bot(teams: FakeTeams) -> AsyncIterator[Bot]:
    async with aiohttp.ClientSession() as http:
        made = Bot(teams, http)
        await made.fetch_token()
        yield made


GROUP = f"/{TEAMS_GROUP_CHAT}/activities"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": "x"}, 400, "unauthorized_client"),
        ({"scope": "https://graph.microsoft.com/.default"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
async def test_token_endpoint_refuses(bot: Bot, changes: dict[str, str], status: int, error: str) -> None:
    """Wrong credentials, scope or grant get Entra's error for each."""
    got, body = await bot.fetch_token(**changes)

    assert (status, error) == (got, body["error"])


async def test_token_endpoint_keeps_no_secret(bot: Bot, teams: FakeTeams) -> None:
    """The record of a token request does not hold the secret."""
    assert "token" == teams.calls[0].method
    assert "client_secret" not in teams.calls[0].args


async def test_foreign_tokens_are_refused(bot: Bot, teams: FakeTeams) -> None:
    """A missing, foreign, expired or misdirected token sends nothing."""
    tokens = {
        "": (401, "Unauthorized"),
        "garbage": (401, "Unauthorized"),
        teams.issuer.token({"aud": "https://graph.microsoft.com", "appid": APP_ID}): (401, "Unauthorized"),
        teams.issuer.token({"aud": "https://api.botframework.com", "appid": "other"}): (403, "Forbidden"),
        teams.issuer.token({"aud": "https://api.botframework.com", "exp": 1}): (401, "Unauthorized"),
    }
    for token, wanted in tokens.items():
        bot.token = token
        assert wanted == await bot.code("POST", GROUP, HELLO)
    assert {} == teams.messages


async def test_send_update_delete(bot: Bot, teams: FakeTeams) -> None:
    """A message is sent, replaced and deleted, and all its states are kept."""
    status, sent, _ = await bot.call("POST", GROUP, HELLO)
    path = f"{GROUP}/{sent['id']}"
    assert (200, {"id": sent["id"]}) == (await bot.call("PUT", path, {**HELLO, "text": "then"}))[:2]
    reply = (await bot.call("POST", path, HELLO))[1]["id"]
    assert 200 == (await bot.call("DELETE", path))[0]

    message = teams.messages[TEAMS_GROUP_CHAT, sent["id"]]
    assert (201, ["hello", "then"], True) == (status, [s["text"] for s in message.history], message.deleted)
    assert sent["id"] == teams.messages[TEAMS_GROUP_CHAT, reply].reply_to
    assert (404, "ActivityNotFoundInConversation") == await bot.code("PUT", path, HELLO)
    assert (404, "ConversationNotFound") == await bot.code("POST", "/19:nowhere/activities", HELLO)
    assert (400, "BadSyntax") == await bot.code("POST", GROUP, {"type": "message"})


async def test_new_thread_in_a_channel(bot: Bot, teams: FakeTeams) -> None:
    """A new thread needs its first message, and replies go to the thread's own id."""
    parameters: Json = {"isGroup": True, "channelData": {"channel": {"id": TEAMS_CHANNEL}}, "activity": HELLO}

    _, thread, _ = await bot.call("POST", "", parameters)
    await bot.call("POST", f"/{thread['id']}/activities", {**HELLO, "text": "reply"})

    assert f"{TEAMS_CHANNEL};messageid={thread['activityId']}" == thread["id"]
    assert ["hello", "reply"] == [m.text for m in teams.messages.values() if m.conversation == thread["id"]]
    del parameters["activity"]
    assert (400, "BadSyntax") == await bot.code("POST", "", parameters)
    parameters["channelData"] = {"tenant": {"id": "other"}}
    assert (403, "BotDisabledByAdmin") == await bot.code("POST", "", parameters)
    parameters["channelData"] = {"channel": {"id": "19:nowhere"}}
    assert (404, "ConversationNotFound") == await bot.code("POST", "", parameters)


async def test_personal_chat(bot: Bot, teams: FakeTeams) -> None:
    """The chat with one person is made once; somebody who blocked the bot cannot be written to."""
    first = (await bot.call("POST", "", {"members": [{"id": ANA.teams_id}]}))[1]["id"]
    second = (await bot.call("POST", "", {"members": [{"id": ANA.aad_id}], "activity": HELLO}))[1]

    assert first == second["id"]
    assert "hello" == teams.messages[first, second["activityId"]].text
    assert (400, "BadArgument") == await bot.code("POST", "", {"members": []})
    assert (404, "MemberNotFoundInConversation") == await bot.code("POST", "", {"members": [{"id": "x"}]})
    teams.conversations[first].blocked = True
    assert (403, "MessageWritesBlocked") == await bot.code("POST", f"/{first}/activities", HELLO)
    assert (403, "MessageWritesBlocked") == await bot.code("POST", "", {"members": [{"id": ANA.teams_id}]})


async def test_members(bot: Bot) -> None:
    """The roster comes whole or in pages, and one member by Teams or Entra id with address and tenant."""
    roster = f"/{TEAMS_GROUP_CHAT}"
    _, first, _ = await bot.call("GET", f"{roster}/pagedmembers?pageSize=6")
    rest = f"{roster}/pagedmembers?pageSize=6&continuationToken={first['continuationToken']}"
    _, second, _ = await bot.call("GET", rest)
    one = (await bot.call("GET", f"{roster}/members/{MAX.teams_id}"))[1]

    assert [p.teams_id for p in CAST] == [m["id"] for page in (first, second) for m in page["members"]]
    assert "continuationToken" not in second
    assert one == (await bot.call("GET", f"{roster}/members/{MAX.aad_id}"))[1]
    assert (MAX.aad_id, MAX.email, MAX.email, MAX.tenant_id) == tuple(
        one[key] for key in ("aadObjectId", "email", "userPrincipalName", "tenantId")
    )
    assert len(CAST) == len((await bot.call("GET", f"{roster}/members"))[1])
    assert (404, "MemberNotFoundInConversation") == await bot.code("GET", f"{roster}/members/29:x")


async def test_wrong_requests(bot: Bot) -> None:
    """A body that is no object, a page size that is no number and a foreign tenant are refused."""
    headers = {"Authorization": f"Bearer {bot.token}"}
    url = f"{bot.teams.service_url}v3/conversations{GROUP}"
    for body in (b"{", b"[]"):
        async with bot.http.post(url, data=body, headers=headers) as answer:
            assert 400 == answer.status
    assert (400, "BadArgument") == await bot.code("GET", f"/{TEAMS_GROUP_CHAT}/pagedmembers?pageSize=x")
    form = {"grant_type": "client_credentials", "client_id": APP_ID, "scope": BOT_SCOPE}
    async with bot.http.post(bot.teams.token_url.replace("c0ffee00", "decaf000"), data=form) as answer:
        assert "AADSTS90002" in (await answer.json())["error_description"]
    # A thread that this run has not seen, but whose channel exists, takes replies.
    assert 201 == (await bot.call("POST", f"/{TEAMS_CHANNEL};messageid=77/activities", HELLO))[0]


async def test_targeted_messages(bot: Bot, teams: FakeTeams, hands: Hands) -> None:
    """A private message needs a recipient of the roster when sent, none when changed, and lives a day."""
    private = {**HELLO, "recipient": {"id": ANA.teams_id}}
    flag = "?isTargetedActivity=true"

    _, sent, _ = await bot.call("POST", GROUP + flag, private)
    path = f"{GROUP}/{sent['id']}"

    assert ANA.teams_id == teams.messages[TEAMS_GROUP_CHAT, sent["id"]].targeted_to
    assert (400, "BadArgument") == await bot.code("POST", GROUP + flag, HELLO)
    assert (403, "BotNotInConversationRoster") == await bot.code(
        "POST", GROUP + flag, {**HELLO, "recipient": {"id": "29:x"}}
    )
    assert (400, "BadArgument") == await bot.code("PUT", path + flag, private)
    assert 200 == (await bot.call("PUT", path + flag, HELLO))[0]
    # Without the mark it is not found: a private message is not one of the conversation's own.
    assert (404, "ActivityNotFoundInConversation") == await bot.code("PUT", path, HELLO)
    hands.advance(24 * 3600 + 1)
    assert (404, "ActivityNotFoundInConversation") == await bot.code("PUT", path + flag, HELLO)
    chat = teams.personal_chat(ANA).id
    assert (400, "BadArgument") == await bot.code("POST", f"/{chat}/activities{flag}", private)


async def test_size_limit(bot: Bot) -> None:
    """A message of exactly 100 KB in UTF-16 is taken, one letter more is 413."""
    room = (100 * 1024 - utf16_size({**HELLO, "text": ""})) // 2

    assert 201 == (await bot.call("POST", GROUP, {**HELLO, "text": "x" * room}))[0]
    assert (413, "MessageSizeTooBig") == await bot.code("POST", GROUP, {**HELLO, "text": "x" * (room + 1)})


async def test_throttling_and_failures(bot: Bot, teams: FakeTeams) -> None:
    """429, 412, 5xx and cut connections come as told, with Retry-After, also after the effect."""
    teams.throttle["send"] = 1
    status, _, headers = await bot.call("POST", GROUP, HELLO)
    assert (429, "1") == (status, headers["Retry-After"])

    teams.fail_next("send", status=412)
    assert 412 == (await bot.call("POST", GROUP, HELLO))[0]
    teams.fail_next("send", status=503, retry_after=7)
    assert "7" == (await bot.call("POST", GROUP, HELLO))[2]["Retry-After"]
    teams.fail_next("send", error="ServiceError", status=502)
    assert (502, "ServiceError") == await bot.code("POST", GROUP, HELLO)
    assert {} == teams.messages

    teams.fail_next("send", cut=True, after_effect=True)
    with pytest.raises(aiohttp.ClientError):
        await bot.call("POST", GROUP, HELLO)
    assert 1 == len(teams.messages)

    teams.throttle["token"] = 1
    async with bot.http.post(teams.token_url, data={}) as answer:
        assert 429 == answer.status


async def test_rate_limit_of_a_thread(bot: Bot, teams: FakeTeams, hands: Hands) -> None:
    """With its rate limits on, a thread takes seven sends or updates in a second and eight in two."""
    teams.rate_limits = True
    hands.advance(10)
    first = (await bot.call("POST", GROUP, HELLO))[1]["id"]
    for _ in range(6):
        assert 200 == (await bot.call("PUT", f"{GROUP}/{first}", HELLO))[0]

    assert 429 == (await bot.call("POST", GROUP, HELLO))[0]
    assert 201 == (await bot.call("POST", f"/{TEAMS_CHANNEL}/activities", HELLO))[0]
    hands.advance(1)
    assert 201 == (await bot.call("POST", GROUP, HELLO))[0]
    assert 429 == (await bot.call("POST", GROUP, HELLO))[0]
    assert 200 == (await bot.call("GET", f"/{TEAMS_GROUP_CHAT}/members"))[0]


async def test_advice_is_kept(bot: Bot, teams: FakeTeams) -> None:
    """What Teams accepts but shows badly is listed for the test that wants to know."""
    card = {"contentType": "application/vnd.microsoft.card.adaptive"}
    await bot.call("POST", GROUP, {**HELLO, "attachments": [{**card, "content": {"type": "AdaptiveCard"}}]})
    assert [] == teams.warnings
    content = {"type": "AdaptiveCard", "version": "1.5", "body": []}
    await bot.call("POST", GROUP, {**HELLO, "attachments": [{**card, "content": content}]})

    assert 2 == len(teams.warnings)
    assert content == next(iter(teams.messages.values())).card


class StaticToken(Authentication):
    """Credentials for botframework's client."""

    def __init__(self, token: str) -> None:
        self._token = token

    def signed_session(self, session: Any = None) -> Any:
        made = super().signed_session(session)
        made.headers["Authorization"] = f"Bearer {self._token}"
        return made


async def test_botframeworks_own_client(bot: Bot, teams: FakeTeams) -> None:
    """botframework-connector creates a thread, replies, updates, and reads a member."""
    client = ConnectorClient(StaticToken(bot.token), base_url=teams.service_url)
    activity = Activity(type="message", text="hello")
    parameters = ConversationParameters(
        is_group=True, channel_data={"channel": {"id": TEAMS_CHANNEL}}, activity=activity
    )

    thread = await client.conversations.create_conversation(parameters)
    reply = await client.conversations.send_to_conversation(thread.id, Activity(type="message", text="reply"))
    await client.conversations.update_activity(thread.id, reply.id, Activity(type="message", text="then"))
    member = await client.conversations.get_conversation_member(thread.id, MAX.teams_id)

    assert ["reply", "then"] == [state["text"] for state in teams.messages[thread.id, reply.id].history]
    assert MAX.aad_id == member.aad_object_id


async def test_waiting_for_a_message(bot: Bot, teams: FakeTeams) -> None:
    """A test can wait until something was sent."""
    sending = asyncio.create_task(bot.call("POST", GROUP, HELLO))

    assert await teams.wait_for(lambda: teams.messages)
    await sending
