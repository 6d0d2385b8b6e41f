"""The secure webhook, over HTTP, with really signed tokens of a local issuer."""

import time

import aiohttp
import pytest
from aiohttp import web

from bot.transports.teams_auth import KeyCache
from bot.transports.webhook_auth import EntraToken
from simulator.senders import AzureMonitorSender
from simulator.teams import FakeTeams

AUDIENCE = "api://backupbot-webhook"

CASES: dict[str, tuple[dict[str, object], int]] = {
    "a good token": ({}, 0),
    "the role among others": ({"roles": ["Other", "ActionGroupsSecureWebhook"]}, 0),
    "only appid, as version 1 tokens have it": ({"azp": None}, 0),
    "another application": (
        {"appid": "11111111-0000-0000-0000-000000000000", "azp": "11111111-0000-0000-0000-000000000000"},
        403,
    ),
    "no application": ({"appid": None, "azp": None}, 403),
    "without the role": ({"roles": ["Other"]}, 403),
    "roles that are no list": ({"roles": "ActionGroupsSecureWebhook"}, 403),
    "another tenant": ({"tid": "22222222-0000-0000-0000-000000000000"}, 403),
    "another audience": ({"aud": "api://somebody-else"}, 401),
    "no audience": ({"aud": None}, 401),
    "another issuer": ({"iss": "https://evil.example"}, 401),
    "expired an hour ago": ({"exp": int(time.time()) - 3600}, 401),
    "never expiring": ({"exp": None}, 401),
}


async def _served(auth: EntraToken) -> tuple[web.AppRunner, str]:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=await auth(request) or 202)

    app = web.Application()
    app.router.add_post("/webhooks/azure-monitor", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.mark.parametrize("name", CASES)
async def test_a_token_is_judged_by_its_claims(name: str) -> None:
    """Only Azure Monitor's application with its role, for our audience, from our issuer, gets in."""
    claims, wanted = CASES[name]
    async with FakeTeams() as issuer, aiohttp.ClientSession() as http:
        auth = EntraToken(
            audience=AUDIENCE,
            keys=KeyCache(metadata_url=issuer.metadata_url, http=http),
            tenant_id="c0ffee00-0000-4000-8000-00000000c0de",
        )
        runner, url = await _served(auth)
        async with AzureMonitorSender(url, issuer=issuer.issuer, audience=AUDIENCE) as sender:
            reply = await sender.alert({}, bearer=sender.entra_token(**claims))
        await runner.cleanup()

    assert (wanted or 202) == reply.status


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer garbage", "Basic YTpi", "Bearer a.b.c"])
async def test_what_is_no_token_is_401(header: str) -> None:
    """Nothing that is not a token is let in, and nothing of it breaks the server."""
    async with FakeTeams() as issuer, aiohttp.ClientSession() as http:
        runner, url = await _served(
            EntraToken(audience=AUDIENCE, keys=KeyCache(metadata_url=issuer.metadata_url, http=http))
        )
        headers = {"Authorization": header} if header else {}
        async with http.post(f"{url}/webhooks/azure-monitor", headers=headers) as response:
            status = response.status
        await runner.cleanup()

    assert 401 == status


async def test_an_issuer_that_is_down_makes_azure_monitor_try_again() -> None:
    """503 is among the statuses on which an action group repeats its call; 401 would lose the alert."""
    async with FakeTeams() as issuer, aiohttp.ClientSession() as http:
        good = AzureMonitorSender("http://127.0.0.1:1", issuer=issuer.issuer, audience=AUDIENCE).entra_token()
        runner, url = await _served(
            EntraToken(audience=AUDIENCE, keys=KeyCache(metadata_url="http://127.0.0.1:9/none", http=http))
        )
        async with http.post(f"{url}/webhooks/azure-monitor", headers={"Authorization": f"Bearer {good}"}) as response:
            status = response.status
        await runner.cleanup()

    assert 503 == status
