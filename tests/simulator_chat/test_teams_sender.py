"""The Teams and Azure Monitor senders: shapes, tokens for good and bad cases, checked with PyJWT."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from simulator.chat_people import ANA, EVE, MAX, TEAMS_CHANNEL, TENANT_ID
from simulator.senders import AzureMonitorSender, TeamsSender
from simulator.teams import APP_ID, FakeTeams
from simulator.teams_sender import BOT_NAME

Json = dict[str, Any]


class Mailbox:
    """A server that keeps the last request."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: dict[str, str] = {}
        self.body: Any = None
        self.query: dict[str, str] = {}

    async def take(self, request: web.Request) -> web.Response:
        self.headers, self.query = dict(request.headers), dict(request.query)
        try:
            self.body = await request.json()
        except ValueError:
            self.body = await request.read()
        return web.json_response({"statusCode": 200}, status=200)

    @property
    def bearer(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    box = Mailbox()
    app = web.Application()
    app.router.add_post("/{rest:.*}", box.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield box
    await runner.cleanup()


@pytest.fixture
async def sender(teams: FakeTeams, mailbox: Mailbox) -> AsyncIterator[TeamsSender]:
    async with TeamsSender(teams, mailbox.url) as made:
        yield made


async def decode(teams: FakeTeams, token: str) -> Json:
    """Verify a token as a bot does: metadata, keys, PyJWT."""
    async with aiohttp.ClientSession() as http:
        async with http.get(teams.metadata_url) as answer:
            metadata = await answer.json()
        async with http.get(metadata["jwks_uri"]) as answer:
            keys = {key["kid"]: key for key in (await answer.json())["keys"]}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert ["msteams"] == key["endorsements"]
    claims: Json = jwt.decode(
        token,
        jwt.PyJWK(key, algorithm="RS256").key,
        algorithms=["RS256"],
        audience=APP_ID,
        issuer=metadata["issuer"],
        options={"require": ["exp", "iss", "aud"]},
    )
    return claims


async def test_honest_token(teams: FakeTeams, sender: TeamsSender, mailbox: Mailbox) -> None:
    """A message carries a token that PyJWT verifies against the published key, with the service URL in it."""
    await sender.message(MAX, "status")

    claims = await decode(teams, mailbox.bearer)
    assert teams.service_url == claims["serviceurl"] == mailbox.body["serviceUrl"]


BAD_TOKENS: dict[str, type[Exception]] = {
    "expired": jwt.ExpiredSignatureError,
    "audience": jwt.InvalidAudienceError,
    "no audience": jwt.MissingRequiredClaimError,
    "no expiry": jwt.MissingRequiredClaimError,
    "issuer": jwt.InvalidIssuerError,
    "not yet": jwt.ImmatureSignatureError,
    "stray key": jwt.InvalidSignatureError,
    "unsigned": jwt.InvalidAlgorithmError,
    "confused": jwt.InvalidAlgorithmError,
    "unknown key": KeyError,
    "no key id": KeyError,
}


@pytest.mark.parametrize("case", BAD_TOKENS)
async def test_bad_tokens(teams: FakeTeams, sender: TeamsSender, case: str) -> None:
    """Tokens for the negative cases fail in PyJWT for exactly the reason they were made for."""
    claims = {"aud": APP_ID, "serviceurl": teams.service_url}
    tokens = {
        "expired": lambda: sender.token(exp=1),
        "audience": lambda: sender.token(aud="other"),
        "no audience": lambda: sender.token(aud=None),
        "no expiry": lambda: sender.token(exp=None),
        "issuer": lambda: sender.token(iss="https://sts.windows.net/x/"),
        "not yet": lambda: sender.token(nbf=9_999_999_999),
        "stray key": lambda: teams.issuer.token(claims, own_key=False),
        "unsigned": lambda: teams.issuer.token(claims, algorithm="none"),
        "confused": lambda: teams.issuer.token(claims, algorithm="HS256"),
        "unknown key": lambda: teams.issuer.token(claims, key_id="other"),
        "no key id": lambda: teams.issuer.token(claims, key_id=None),
    }

    with pytest.raises(BAD_TOKENS[case]):
        await decode(teams, tokens[case]())


async def test_messages_of_each_place(sender: TeamsSender, mailbox: Mailbox) -> None:
    """Personal messages have no mention, channel messages have one and their thread, targeted ones their mark."""
    await sender.message(MAX, "status")
    assert ("status", "personal") == (mailbox.body["text"], mailbox.body["conversation"]["conversationType"])
    assert (MAX.aad_id, f"28:{APP_ID}") == (
        mailbox.body["from"]["aadObjectId"],
        mailbox.body["recipient"]["id"],
    )
    assert TENANT_ID == mailbox.body["channelData"]["tenant"]["id"]

    await sender.message(MAX, "status", kind="channel", thread="1000")
    assert f"<at>{BOT_NAME}</at> status" == mailbox.body["text"]
    assert f"{TEAMS_CHANNEL};messageid=1000" == mailbox.body["conversation"]["id"]
    assert TEAMS_CHANNEL == mailbox.body["channelData"]["channel"]["id"]
    assert ["clientInfo", "mention"] == [entity["type"] for entity in mailbox.body["entities"]]

    await sender.message(MAX, "status", kind="group", mention=False)
    assert ("status", "groupChat") == (mailbox.body["text"], mailbox.body["conversation"]["conversationType"])

    await sender.message(MAX, "status", kind="group", targeted=True)
    assert mailbox.body["recipient"]["isTargeted"]
    assert "status" == mailbox.body["text"]


async def test_clicks_and_changes(teams: FakeTeams, sender: TeamsSender, mailbox: Mailbox) -> None:
    """Clicks name the card they were made on; edits, memberships and installations have their own types."""
    thread = teams.thread(TEAMS_CHANNEL, "1000")
    message = teams._store(thread.id, {"type": "message", "text": "card"})

    reply = await sender.execute(ANA, message, "approve", {"id": 7})
    assert ("invoke", "adaptiveCard/action", message.id) == tuple(
        mailbox.body[key] for key in ("type", "name", "replyToId")
    )
    assert {"type": "Action.Execute", "verb": "approve", "data": {"id": 7}} == mailbox.body["value"]["action"]
    assert {"statusCode": 200} == reply.body
    await sender.execute(ANA, message, "refresh", {}, automatic=True)
    assert "automatic" == mailbox.body["value"]["trigger"]
    await sender.submit(ANA, message, {"id": 7})
    assert ("message", {"id": 7}) == (mailbox.body["type"], mailbox.body["value"])
    assert "text" not in mailbox.body

    original = sender.message_activity(MAX, "status", kind="group")
    await sender.send(original)
    await sender.edit(MAX, original, "status all")
    assert ("messageUpdate", original["id"], "status all") == tuple(mailbox.body[key] for key in ("type", "id", "text"))
    assert "editMessage" == mailbox.body["channelData"]["eventType"]
    await sender.edit(MAX, original, "status all", undo=True)
    assert "undeleteMessage" == mailbox.body["channelData"]["eventType"]
    await sender.remove(original)
    assert "messageDelete" == mailbox.body["type"]

    await sender.members_changed(EVE)
    assert [f"28:{APP_ID}"] == [member["id"] for member in mailbox.body["membersAdded"]]
    assert TEAMS_CHANNEL == mailbox.body["conversation"]["id"]
    await sender.members_changed(EVE, kind="group", added=False, bot=False)
    assert [EVE.teams_id] == [member["id"] for member in mailbox.body["membersRemoved"]]
    await sender.installed(EVE, kind="personal", added=False)
    assert ("installationUpdate", "remove") == (mailbox.body["type"], mailbox.body["action"])


async def test_negative_requests(sender: TeamsSender, mailbox: Mailbox) -> None:
    """A request can lack its token, come from another tenant, or be no JSON at all."""
    activity = sender.message_activity(MAX, "status")
    await sender.send(activity, token="")
    assert "Authorization" not in mailbox.headers
    await sender.send(sender.foreign(activity, "evil"))
    assert TENANT_ID not in json.dumps(mailbox.body)
    await sender.raw(b"<xml/>", {"Content-Type": "text/xml"})
    assert b"<xml/>" == mailbox.body


async def test_monitor_webhook(teams: FakeTeams, mailbox: Mailbox) -> None:
    """An alert comes with the shared token in the query or as bearer, or with Azure Monitor's Entra token."""
    alert = {"schemaId": "azureMonitorCommonAlertSchema", "data": {}}
    async with AzureMonitorSender(mailbox.url, token="a&b", issuer=teams.issuer, audience=APP_ID) as monitor:
        assert 200 == (await monitor.alert(alert)).status
        assert ({"token": "a&b"}, alert) == (mailbox.query, mailbox.body)
        await monitor.alert(alert, in_query=False)
        assert ({}, "a&b") == (mailbox.query, mailbox.bearer)
        await monitor.alert(b"{", bearer=monitor.entra_token())
        claims = await decode(teams, mailbox.bearer)
        assert "roles" not in jwt.decode(monitor.entra_token(roles=None), options={"verify_signature": False})

    assert ["ActionGroupsSecureWebhook"] == claims["roles"]
    assert "461e8683-5575-4561-ac7f-899cc907d62a" == claims["appid"]
    assert b"{" == mailbox.body


def test_monitor_without_issuer() -> None:
    """Without an issuer there is no Entra token to send."""
    with pytest.raises(LookupError):
        AzureMonitorSender("http://127.0.0.1:9").entra_token()
