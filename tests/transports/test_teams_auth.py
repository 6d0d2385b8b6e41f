"""Who may post to the bot on Teams: every kind of token and body, with the status it must get, over real HTTP."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.settings import load
from bot.transports.teams import build_teams
from bot.transports.teams_addresses import ServiceUrls
from bot.transports.teams_auth import InboundAuth, IssuerUnavailable, KeyCache, teams_enabled
from simulator.chat_people import EXTERNAL, MAX
from simulator.teams import FakeTeams
from tests.transports.teams_world import COMMANDS, FORMS, Desk, MemoryReferences, World, world

Json = dict[str, Any]


def claims(teams: World, **changes: object) -> Json:
    """The claims of an honest token, with changes."""
    return {"aud": teams.fake.app_id, "serviceurl": teams.fake.service_url, **changes}


def forged(**how: Any) -> Callable[[World], str]:
    """An honest token's claims, signed in another way."""
    return lambda teams: "Bearer " + teams.fake.issuer.token(claims(teams), **how)


def claiming(**changes: object) -> Callable[[World], str]:
    """A well-signed token with other claims; None takes one away."""
    return lambda teams: "Bearer " + teams.sender.token(**changes)


def header(text: str) -> Callable[[World], str]:
    """This very header."""
    return lambda _teams: text


NOW = int(time.time())
TOKENS: dict[str, tuple[Callable[[World], str] | None, int]] = {
    "honest": (claiming(), 202),
    "scheme in lower case": (lambda teams: "bearer " + teams.sender.token(), 202),
    "no header": (None, 401),
    "empty header": (header(""), 401),
    "Bearer alone": (header("Bearer"), 401),
    "Bearer and a blank": (header("Bearer "), 401),
    "Basic": (header("Basic dXNlcjpwYXNz"), 401),
    "garbage": (header("Bearer garbage"), 401),
    "three garbage parts": (header("Bearer a.b.c"), 401),
    "not ASCII": (header("Bearer tökén.ä.ö"), 401),
    "endless": (header("Bearer " + "A" * 6000), 401),
    "expired an hour ago": (claiming(exp=NOW - 3600), 401),
    "expired two minutes ago, within the leeway": (
        lambda teams: (
            "Bearer " + teams.sender.token(exp=int(time.time()) - 120)
        ),  # when it is sent, not when this is read
        202,
    ),
    "expiry is a word": (claiming(exp="tomorrow"), 401),
    "not yet valid": (claiming(nbf=NOW + 3600), 401),
    "no expiry": (claiming(exp=None), 401),
    "wrong audience": (claiming(aud="somebody-else"), 401),
    "no audience": (claiming(aud=None), 401),
    "empty audience": (claiming(aud=""), 401),
    "audience in a list": (lambda teams: "Bearer " + teams.sender.token(aud=[teams.fake.app_id]), 202),
    "wrong issuer": (claiming(iss="https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/"), 401),
    "no issuer": (claiming(iss=None), 401),
    "the real issuer's name with our key": (claiming(iss="https://api.botframework.com"), 401),
    "unsigned": (forged(algorithm="none"), 401),
    "signed with the public key": (forged(algorithm="HS256"), 401),
    "signed by another key": (forged(own_key=False), 401),
    "unknown key": (forged(key_id="other"), 401),
    "no key id": (forged(key_id=None), 401),
    "another service URL": (claiming(serviceurl="https://smba.trafficmanager.net/emea/"), 401),
    "no service URL": (claiming(serviceurl=None), 401),
    "signature cut off": (lambda teams: "Bearer " + teams.sender.token().rpartition(".")[0] + ".", 401),
    "payload exchanged": (
        lambda teams: "Bearer " + ".".join([*teams.sender.token().split(".")[:1], "e30", teams.sender.token()[-342:]]),
        401,
    ),
}


@pytest.mark.parametrize("case", TOKENS)
async def test_each_token_gets_its_status(teams: World, case: str) -> None:
    """A bad token is 401 and never 500, and nothing of its request is kept."""
    make, wanted = TOKENS[case]
    headers = {"Content-Type": "application/json"}
    if make is not None:
        headers["Authorization"] = make(teams)
    body = json.dumps(teams.sender.message_activity(MAX, "status")).encode()

    reply = await teams.sender.raw(body, headers)

    assert wanted == reply.status
    assert (["teams.message"] if wanted == 202 else []) == teams.kinds
    assert bool(teams.references.records) is (wanted == 202)
    if wanted == 401:
        assert "Bearer" == reply.headers["WWW-Authenticate"]
        assert "" == reply.text


ACTIVITIES: dict[str, tuple[Callable[[World, Json], Json], int]] = {
    "a foreign tenant": (lambda teams, activity: teams.sender.foreign(activity, EXTERNAL.tenant_id), 401),
    "no tenant": (lambda _teams, activity: {**activity, "channelData": {}, "conversation": {"id": "a:1"}}, 401),
    "another channel": (lambda _teams, activity: {**activity, "channelId": "directline"}, 401),
    "no channel": (lambda _teams, activity: {**activity, "channelId": None}, 401),
    "a service URL that only the body has": (
        lambda _teams, activity: {**activity, "serviceUrl": "https://smba.trafficmanager.net/emea/"},
        401,
    ),
    "odd shapes everywhere": (
        lambda _teams, activity: {**activity, "entities": "x", "from": 7, "conversation": [], "value": [1], "text": {}},
        202,
    ),
}


@pytest.mark.parametrize("case", ACTIVITIES)
async def test_each_activity_gets_its_status(teams: World, case: str) -> None:
    """An honest token does not cover an activity of another tenant, channel or connector."""
    change, wanted = ACTIVITIES[case]
    reply = await teams.sender.send(change(teams, teams.sender.message_activity(MAX, "status")))

    assert wanted == reply.status
    assert [] == teams.kinds


async def test_a_service_url_of_somebody_else_is_refused_even_when_the_token_names_it(teams: World) -> None:
    """The token of the bot would go there, so it must be Microsoft's or the one that was set."""
    for url, wanted in (
        ("https://evil.example/teams/", 401),
        ("https://smba.trafficmanager.net.evil.example/", 401),
        ("https://smba.trafficmanager.net/emea/", 202),
    ):
        activity = {**teams.sender.message_activity(MAX, "status"), "serviceUrl": url}
        assert wanted == (await teams.sender.send(activity, teams.sender.token(serviceurl=url))).status, url
    assert ["https://smba.trafficmanager.net/emea/"] == [payload["serviceUrl"] for _, payload in teams.desk.stored]


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "not JSON": (b"{", 400),
    "XML": (b"<activity/>", 400),
    "broken UTF-8": (b'{"type": "\xff"}', 400),
    "an array": (b"[]", 400),
    "no type": (b"{}", 400),
    "a type that is no word": (b'{"type": 7}', 400),
    "not a number": (b'{"type": "message", "value": NaN}', 400),
    "nested without end": (b"[" * 200_000, 400),
    "a number of 5,000 digits": (b'{"type": "message", "value": ' + b"9" * 5000 + b"}", 400),
    "one byte too large": (b'{"type": "' + b"x" * (1024 * 1024 - 11) + b'"}', 413),
    "as large as may be": (b'{"type": "' + b"x" * (1024 * 1024 - 12) + b'"}', 401),
}


@pytest.mark.parametrize("case", BODIES)
async def test_each_body_gets_its_status(teams: World, case: str) -> None:
    """What is no activity is 400 or 413, whatever token comes with it."""
    body, wanted = BODIES[case]
    headers = {"Authorization": f"Bearer {teams.sender.token()}", "Content-Type": "application/json; charset=klingon"}

    async with teams.http.post(f"{teams.url}/api/messages", data=io.BytesIO(body), headers=headers) as answer:
        assert wanted == answer.status


async def test_a_key_that_does_not_stand_for_teams_lets_nobody_in(teams: World) -> None:
    """The channel must be among the key's endorsements."""
    teams.fake.issuer.endorsements = ("webchat",)
    assert 401 == (await teams.sender.message(MAX, "status")).status


async def test_the_issuer_may_be_down_for_a_moment(tmp_path: Path) -> None:
    """503 while its keys are unknown, 202 as soon as it answers; keys once known outlive its failure."""
    async with world(tmp_path) as teams:
        port = teams.fake.port
        await teams.fake.stop()
        down = await teams.sender.message(MAX, "status")
        assert (503, "5") == (down.status, down.headers["Retry-After"])
        assert [] == teams.kinds

        await teams.fake.start(port)
        deadline = time.monotonic() + 10
        while (await teams.sender.message(MAX, "status")).status != 202:
            assert time.monotonic() < deadline
        await teams.fake.stop()
        assert 202 == (await teams.sender.message(MAX, "status")).status


async def test_the_store_may_be_down(teams: World) -> None:
    """503 and never 500, so that the sender comes again."""
    teams.desk.is_down = True
    reply = await teams.sender.message(MAX, "status")
    assert (503, "5") == (reply.status, reply.headers["Retry-After"])


class Ticks:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


async def test_unknown_keys_ask_the_issuer_once_a_minute(teams: World) -> None:
    """A storm of made-up key ids does not become a storm at the issuer; a new key is found after the minute."""
    ticks = Ticks()
    keys = KeyCache(metadata_url=teams.fake.metadata_url, http=teams.http, monotonic=ticks)
    assert await keys.get("sim-1") is not None
    await teams.fake.stop()  # from here on every question would fail

    for number in range(50):
        assert await keys.get(f"made-up-{number}") is None
    ticks.at = 61
    with pytest.raises(IssuerUnavailable):
        await keys.get("made-up")
    ticks.at = 86_401
    assert await keys.get("sim-1") is not None
    ticks.at = 2 * 86_400
    with pytest.raises(IssuerUnavailable):
        await keys.get("sim-1")


async def test_metadata_is_not_followed_elsewhere(teams: World) -> None:
    """Something that is no metadata is an unavailable issuer."""
    for url in (f"{teams.fake.origin}/keys", f"{teams.fake.origin}/nothing", "http://127.0.0.1:1/"):
        with pytest.raises(IssuerUnavailable):
            await KeyCache(metadata_url=url, http=teams.http).get("sim-1")


async def test_without_an_explicit_issuer_the_metadata_names_it(tmp_path: Path) -> None:
    """Own metadata bring their own issuer; another one is still refused."""
    async with world(tmp_path, TEAMS_TOKEN_ISSUER="") as teams:
        assert 202 == (await teams.sender.message(MAX, "status")).status
        activity = teams.sender.message_activity(MAX, "status")
        assert 401 == (await teams.sender.send(activity, teams.sender.token(iss="https://evil.example"))).status


async def test_without_an_app_id_there_is_no_route(tmp_path: Path) -> None:
    """Nothing could be checked, so nothing is open; an empty id or tenant list cannot slip in either."""
    settings = load({}, directory=tmp_path)
    async with aiohttp.ClientSession() as http:
        assert not teams_enabled(settings)
        assert build_teams(settings, http, MemoryReferences(), Desk().put, commands=COMMANDS, forms=FORMS) is None
        keys, urls = KeyCache(metadata_url="", http=http), ServiceUrls()
        with pytest.raises(ValueError, match="switch authentication off"):
            InboundAuth(app_id=" ", keys=keys, service_urls=urls, tenants=frozenset({"t"}))
        with pytest.raises(ValueError, match="everybody"):
            InboundAuth(app_id="a", keys=keys, service_urls=urls, tenants=frozenset())


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://smba.trafficmanager.net/teams/", True),
        ("https://smba.trafficmanager.net:443/amer/", True),
        ("https://smba.infra.gov.teams.microsoft.us/teams", True),
        ("http://127.0.0.1:9000/teams/", True),
        ("http://127.0.0.1:9001/teams/", False),
        ("https://127.0.0.1:9000/teams/", False),
        ("http://smba.trafficmanager.net/teams/", False),
        ("https://smba.trafficmanager.net:8443/", False),
        ("https://evil.trafficmanager.net/", False),
        ("https://evilteams.microsoft.com/", False),
        ("https://smba.trafficmanager.net@evil.example/", False),
        ("https://user@smba.trafficmanager.net/", False),
        ("https://smba.trafficmanager.net/?x=", False),
        ("https://smba.trafficmanager.net/#x", False),
        ("https://smba.trafficmanager.net:port/", False),
        ("https://[::1/", False),
        ("", False),
    ],
)
def test_where_the_token_may_go(url: str, wanted: bool) -> None:
    """Microsoft's connectors by their exact names, and the one origin that was set."""
    assert wanted is ServiceUrls("http://127.0.0.1:9000/teams").allowed(url)


def test_nothing_set_means_microsofts_alone() -> None:
    """Without the setting no address of this machine is good."""
    assert not ServiceUrls().allowed(FakeTeams().service_url)
