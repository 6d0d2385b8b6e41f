"""Where the bot's token comes from and where it never goes, and how long Teams asks to wait."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from adaptive_cards.card import Card
from bot.transports.teams import build_teams
from bot.transports.teams_addresses import is_channel, is_person
from bot.transports.teams_connector import Connector, IdentityTokens, SecretTokens, tokens_for, wait_of
from bot.workflows.outbox import MessengerError
from simulator.chat_people import EXTERNAL, MAX, TEAMS_CHANNEL, TEAMS_GROUP_CHAT
from tests.transports.teams_world import COMMANDS, FORMS, Desk, MemoryReferences, World, hurry, sent, settings_for

CARD = Card("backup of vm-erp-01 failed")
LATER = Card("backup of vm-erp-01 works again")


async def test_where_a_conversation_is_reached(teams: World) -> None:
    """Its own last address, else its tenant's, else the setting; and a reference made before a move follows it."""
    addresses, records = teams.bot.messenger.addresses, teams.references.records
    assert teams.fake.service_url.rstrip("/") == await addresses.service_url(TEAMS_CHANNEL)
    records[f"tenant:{teams.fake.tenant_id}"] = {"service_url": "https://smba.trafficmanager.net/emea/"}
    assert "https://smba.trafficmanager.net/emea" == await addresses.service_url(TEAMS_CHANNEL)
    records[f"conversation:{TEAMS_CHANNEL}"] = {"service_url": "https://smba.trafficmanager.net/amer/"}
    assert "https://smba.trafficmanager.net/amer" == await addresses.service_url(f"{TEAMS_CHANNEL};messageid=1")
    addresses.service_urls.own = ""
    records.clear()
    assert "https://smba.trafficmanager.net/teams" == await addresses.service_url(TEAMS_CHANNEL)

    addresses.service_urls.own = teams.fake.service_url
    ref = await teams.bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
    hurry(teams)
    records[f"conversation:{TEAMS_CHANNEL}"] = {"service_url": teams.fake.service_url}
    stale = {**ref, "service_url": "https://smba.trafficmanager.net/old"}
    await teams.bot.messenger.update(stale, LATER, revision=2, key="k")
    assert 2 == len(sent(teams, ref).history)


async def test_the_token_goes_nowhere_else(teams: World) -> None:
    """An address that is not Microsoft's, and one that Teams' address forwards to, never see it."""
    seen: list[str] = []

    async def thief(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"id": "1"})

    async def forward(_request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{theirs}/stolen")

    app = web.Application()
    app.router.add_post("/forward/{rest:.*}", forward)
    app.router.add_post("/{rest:.*}", thief)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    theirs = f"http://127.0.0.1:{runner.addresses[0][1]}"
    connector = teams.bot.messenger.connector
    reply = {"conversation": "a:1", "kind": "personal", "user": "29:1", "service_url": theirs}
    with pytest.raises(MessengerError, match="not Microsoft's") as caught:
        await teams.bot.messenger.whisper("", CARD, reply=reply)
    assert caught.value.permanent
    with pytest.raises(MessengerError, match="not Microsoft's"):
        await connector.call("POST", theirs, ("a:1", "activities"), body={})

    connector.service_urls.own = f"{theirs}/forward"
    with pytest.raises(MessengerError, match="307") as caught:
        await connector.call("POST", f"{theirs}/forward", ("a:1", "activities"), body={})
    assert caught.value.permanent
    assert [] == seen
    await runner.cleanup()


async def test_one_token_serves_until_shortly_before_its_end(teams: World) -> None:
    """Fetched once by many, again five minutes before it ends, and at once when Teams refuses it."""
    tokens = teams.bot.tokens
    assert isinstance(tokens, SecretTokens)
    now = [0.0]
    tokens.monotonic = lambda: now[0]

    def fetched() -> int:
        return sum(call.method == "token" for call in teams.fake.calls)

    for at, count in ((0.0, 1), (3298.0, 1), (3300.0, 2)):
        now[0] = at
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
        assert count == fetched(), at
    teams.fake.fail_next("send", status=401)
    await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert 3 == fetched()
    teams.fake.fail_next("send", 2, status=401)
    with pytest.raises(MessengerError) as caught:
        await teams.bot.messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
    secrets = {value for call in teams.fake.calls if call.method == "token" for value in call.args.values()}
    assert teams.fake.app_password not in secrets


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"TEAMS_APP_PASSWORD": "wrong"}, "invalid_client AADSTS7000215"),
        ({"TEAMS_OUTBOUND_TOKEN_URL": "http://127.0.0.1:1/token"}, "ClientConnectorError"),
    ],
)
async def test_without_a_token_messages_wait(teams: World, tmp_path: Path, more: dict[str, str], words: str) -> None:
    """A renewed secret lets them go, so the failure is not final; its words hold no secret."""
    settings = settings_for(teams.fake, tmp_path, **more)
    tokens = tokens_for(settings, teams.http)
    with pytest.raises(MessengerError, match=words) as caught:
        await tokens.token()
    assert (False, timedelta(seconds=30)) == (caught.value.permanent, caught.value.retry_after)
    assert "wrong" not in str(caught.value)


async def test_an_answer_that_is_no_token(teams: World) -> None:
    """An array, a page of HTML: said by its status."""
    for path, words in (("keys", "HTTP 405"), ("nothing", "HTTP 404")):
        tokens_url = f"{teams.fake.origin}/{path}"
        tokens = SecretTokens(http=teams.http, url=tokens_url, app_id="a", password=SecretStr("x"))
        with pytest.raises(MessengerError, match=words):
            await tokens.token()


async def test_a_managed_identity_gets_its_token_from_the_platform(
    tmp_path: Path, teams: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity asks App Service's endpoint for the connector's resource, with the identity's client id."""
    asked: list[tuple[dict[str, str], str]] = []

    async def msi(request: web.Request) -> web.Response:
        asked.append((dict(request.query), request.headers.get("X-IDENTITY-HEADER", "")))
        if len(asked) > 1:
            return web.json_response({"message": "no such identity"}, status=400)
        until = str(int(time.time()) + 3600)
        answer = {"access_token": "msi-token", "expires_on": until, "token_type": "Bearer"}
        return web.json_response(answer | {"resource": request.query["resource"]})

    app = web.Application()
    app.router.add_get("/msi/token", msi)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "secret-of-the-host")
    more = {"TEAMS_APP_TYPE": "UserAssignedMSI", "TEAMS_OUTBOUND_TOKEN_URL": "", "TEAMS_APP_PASSWORD": ""}
    settings = settings_for(teams.fake, tmp_path, **more)

    for _ in range(2):
        tokens = tokens_for(settings, teams.http)
        assert isinstance(tokens, IdentityTokens)
        if not asked:
            assert "msi-token" == await tokens.token()
        else:
            with pytest.raises(MessengerError, match="no token for Teams"):
                await tokens.token()
        tokens.forget()
        await tokens.close()
    query, header = asked[0]
    assert ("https://api.botframework.com", teams.fake.app_id) == (query["resource"], query["client_id"])
    assert "secret-of-the-host" == header
    await runner.cleanup()


async def test_first_contact_without_any_conversation(tmp_path: Path, teams: World) -> None:
    """A bot that nobody wrote to yet posts to its route's channel through the address that was set."""
    async with aiohttp.ClientSession() as http:
        bot = build_teams(
            settings_for(teams.fake, tmp_path), http, MemoryReferences(), Desk().put, commands=COMMANDS, forms=FORMS
        )
        assert bot is not None
        ref = await bot.messenger.post(TEAMS_CHANNEL, None, CARD, key="k", reply=None)
        await bot.close()
    assert sent(teams, ref).card


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("0", 0, 0), ("7", 7, 8.75), ("1.5", 1.5, 1.875), ("999999", 3600, 4500)],
)
def test_how_long_to_wait(text: str, low: float, high: float) -> None:
    """Seconds, at most an hour, and up to a quarter more."""
    found = wait_of(text)
    assert found is not None
    assert low <= found.total_seconds() <= high


def test_odd_waits() -> None:
    """A date counts, a past one, a word and nothing do not."""
    soon = wait_of(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 50 < soon.total_seconds() < 76
    for text in ("", "soon", "-1", "nan", "inf", "Mon, 01 Jan 2024 00:00:00 GMT"):
        assert wait_of(text) is None


def test_what_an_id_names() -> None:
    """Channels, threads, chats and people are told apart by their ids."""
    assert is_channel(TEAMS_CHANNEL)
    assert is_channel("19:abc@thread.skype")
    for other in (f"{TEAMS_CHANNEL};messageid=1", TEAMS_GROUP_CHAT, "a:max", MAX.teams_id, MAX.aad_id):
        assert not is_channel(other)
    assert is_person(MAX.aad_id)
    assert is_person(EXTERNAL.teams_id)
    assert not is_person("a:max")
    assert not is_person(TEAMS_GROUP_CHAT)


async def test_the_connector_is_given_up_after_its_time(teams: World) -> None:
    """An answer that does not come is a loss, to be tried again."""
    teams.fake.fail_next("send", delay_s=5)
    messenger = teams.bot.messenger
    messenger.connector = Connector(
        http=teams.http, tokens=teams.bot.tokens, service_urls=messenger.connector.service_urls, within_s=0.1
    )
    with pytest.raises(MessengerError, match="did not answer") as caught:
        await messenger.post(TEAMS_GROUP_CHAT, None, CARD, key="k", reply=None)
    assert not caught.value.permanent
