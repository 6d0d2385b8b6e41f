"""The chat page's server: guards, event stream, and what each post sends to the bot."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from simulator.chat_faults import BREAKAGES
from simulator.chat_people import ANA, EVE, MAX
from simulator.control import InjectedFault

from .world import World

Json = dict[str, Any]
VAULT = "/subscriptions/s/resourceGroups/r/providers/Microsoft.RecoveryServices/vaults/v"
ITEM = f"{VAULT}/backupFabrics/Azure/protectionContainers/c/protectedItems/i"
PATHS = {
    "azure-503": VAULT,
    "lost-answer": f"{ITEM}/backup",
    "throttled-jobs": f"{VAULT}/backupJobs",
    "slow-azure": VAULT,
    "refused-grant": f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x",
}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as made:
        yield made


class Tab:
    """What a browser tab does: posts with its Origin, and reads the stream as one person."""

    def __init__(self, world: World, http: aiohttp.ClientSession) -> None:
        self.world, self.http = world, http

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Json]:
        url = self.world.page.origin + path
        known = {"Origin": self.world.page.origin, "Content-Type": "application/json", **headers}
        async with self.http.post(url, data=json.dumps(body), headers=known) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else {"text": text}

    async def seen(self, person: str = "U0MAX") -> Json:
        """Return the first event of a new stream."""
        async with self.http.get(f"{self.world.page.origin}/events?as={person}") as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    found: Json = json.loads(line[6:])
                    return found
        raise AssertionError("the stream ended")

    async def entry(self, words: str, person: str = "U0MAX") -> Json:
        """Wait until a person sees an entry that holds these words."""
        async with asyncio.timeout(5):
            while True:
                version = self.world.slack.version
                for entry in (await self.seen(person))["upsert"]:
                    if words in entry["html"]:
                        found: Json = entry
                        return found
                await self.world.slack.next_change(version, 0.05)


@pytest.fixture
def tab(world: World, http: aiohttp.ClientSession) -> Tab:
    return Tab(world, http)


async def test_the_page_is_one_file_under_a_strict_policy(world: World, http: aiohttp.ClientSession) -> None:
    """The page names no other address, and its policy allows only its own script and style by nonce."""
    async with http.get(world.page.url) as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]

    nonces = set(re.findall(r"nonce-([\w-]+)", policy)) | set(re.findall(r'nonce="([\w-]+)"', text))
    assert 1 == len(nonces)
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert not re.search(r"https?://", text)
    assert "{{" not in text
    assert "Ana Lima" in text
    async with http.get(world.page.url) as again:
        assert policy != again.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:80"])
async def test_rebound_names_are_refused(world: World, http: aiohttp.ClientSession, host: str) -> None:
    """A request under any other Host gets nothing, whether page, stream or post."""
    for path in ("/", "/events?as=U0MAX"):
        async with http.get(world.page.origin + path, headers={"Host": host}) as answer:
            assert 403 == answer.status


async def test_posts_of_other_sites_are_refused(tab: Tab) -> None:
    """A post needs the page's own Origin and JSON, and no sign of another site."""
    line = {"as": "U0MAX", "text": "/backup status"}

    assert 403 == (await tab.post("/type", line, Origin="http://evil.example"))[0]
    assert 403 == (await tab.post("/type", line, Origin="null"))[0]
    assert 403 == (await tab.post("/type", line, **{"Sec-Fetch-Site": "cross-site"}))[0]
    assert 415 == (await tab.post("/type", line, **{"Content-Type": "text/plain"}))[0]
    async with tab.http.post(f"{tab.world.page.origin}/type", json=line) as answer:
        assert 403 == answer.status
    assert [] == tab.world.bot.payloads


async def test_bad_posts(tab: Tab) -> None:
    """Unknown people, things and shapes are refused with a sentence."""
    assert 400 == (await tab.post("/type", {"as": "U9", "text": "/backup"}))[0]
    assert 400 == (await tab.post("/type", []))[0]
    assert 400 == (await tab.post("/break", {"id": "nothing"}))[0]
    assert 404 == (await tab.post("/click", {"as": "U0MAX", "key": "m:C0:1", "action": "a"}))[0]
    assert 404 == (await tab.post("/click", {"as": "U0MAX", "view": "V9", "action": "a"}))[0]
    assert 404 == (await tab.post("/submit", {"as": "U0MAX", "view": "V9"}))[0]
    assert 200 == (await tab.post("/close", {"as": "U0MAX", "view": "V9"}))[0]
    async with tab.http.get(f"{tab.world.page.origin}/events?as=U9") as answer:
        assert 400 == answer.status


async def test_typed_command_is_a_signed_slash_command(tab: Tab) -> None:
    """A typed line goes to the bot as Slack would send it, and its answer appears in the stream."""
    await tab.post("/type", {"as": "U0ANA", "text": "/backup status vault-prod-01"})
    entry = await tab.entry("vault-prod-01")

    form = tab.world.bot.payloads[0]
    assert ("/backup", "status vault-prod-01", ANA.slack_id) == (form["command"], form["text"], form["user_id"])
    assert 0 == tab.world.bot.refused
    assert entry["bot"]
    assert "<dt>Fine</dt>" in entry["html"]


async def test_only_the_right_person_sees_private_things(tab: Tab) -> None:
    """Private notices and typed commands show up for their person alone, escaped."""
    await tab.post("/type", {"as": "U0MAX", "text": "/backup private"})

    notice = await tab.entry("Only for")
    assert (True, "Only for &lt;you&gt; &amp; nobody else") == (
        notice["private"],
        re.sub(r"</?p[^>]*>", "", notice["html"]),
    )
    await tab.entry("/backup private")
    assert [] == (await tab.seen(EVE.slack_id))["upsert"]


async def test_lines_that_do_not_reach_the_bot(tab: Tab) -> None:
    """A plain line is posted in the channel and its writer learns how to reach the bot; a mention reaches it."""
    await tab.post("/type", {"as": "U0MAX", "text": "good morning"})
    await tab.entry("Only lines that begin with")
    assert "good morning" in (await tab.entry("good morning", ANA.slack_id))["html"]
    await tab.post("/type", {"as": "U0MAX", "text": ""})
    assert [] == tab.world.bot.payloads


async def test_a_bot_that_does_not_answer(tab: Tab) -> None:
    """A command that nobody takes is marked, and a click says so."""
    message = tab.world.slack.space.add("C0BACKUP", {"text": "m"})
    await tab.world.bot.stop()

    await tab.post("/type", {"as": "U0MAX", "text": "/backup status"})
    assert "The bot did not answer." in (await tab.entry("/backup status"))["html"]
    clicked = await tab.post("/click", {"as": "U0MAX", "key": f"m:C0BACKUP:{message.ts}", "action": "a"})
    assert {"trouble": "The bot did not answer."} == clicked[1]


async def test_click_modal_submission(tab: Tab) -> None:
    """A click opens the bot's modal for its person, empty and refused fields are named, a good one is sent."""
    await tab.post("/type", {"as": "U0MAX", "text": "/backup diagnose vm-erp-01"})
    card = await tab.entry('data-action="fix"')
    await tab.post("/click", {"as": "U0MAX", "key": card["key"], "action": "fix", "value": "7"})
    await tab.world.slack.wait_for(lambda: tab.world.slack.views)
    view = (await tab.seen())["view"]

    assert ("Request this fix", "Request", "Not now") == (view["title"], view["submit"], view["close"])
    assert (await tab.seen(ANA.slack_id))["view"] is None
    submit = {"as": "U0MAX", "view": view["id"]}
    errors = (await tab.post("/submit", {**submit, "values": {"hours": ["8"]}}))[1]["errors"]
    assert [("Reason", "Please complete this required field.")] == [(e["label"], e["message"]) for e in errors]
    values = {"hours": ["8"], "text": ["no"]}
    errors = (await tab.post("/submit", {**submit, "values": values}))[1]["errors"]
    assert [("text", "Write a few words more.")] == [(e["names"][0], e["message"]) for e in errors]
    assert {} == (await tab.post("/submit", {**submit, "values": {**values, "text": ["month end"]}}))[1]
    assert (await tab.seen())["view"] is None
    sent = tab.world.bot.payloads[-1]["view"]["state"]["values"]
    assert "8" == sent["until"]["hours"]["selected_option"]["value"]
    request = await tab.entry("month end")
    assert card["key"] == request["thread"]


async def test_closing_a_modal(tab: Tab) -> None:
    """A dismissed modal is gone, and later clicks in it are refused."""
    await tab.post("/type", {"as": "U0MAX", "text": "/backup diagnose vm-erp-01"})
    card = await tab.entry('data-action="fix"')
    await tab.post("/click", {"as": "U0MAX", "key": card["key"], "action": "fix", "value": "7"})
    view = (await tab.world.slack.wait_for(lambda: tab.world.slack.views))[0]

    # Another person cannot touch it.
    assert 404 == (await tab.post("/click", {"as": "U0EVE", "view": view.id, "action": "a"}))[0]
    assert 404 == (await tab.post("/submit", {"as": "U0EVE", "view": view.id}))[0]
    await tab.post("/close", {"as": "U0MAX", "view": view.id})
    assert (await tab.seen())["view"] is None
    assert 404 == (await tab.post("/click", {"as": "U0MAX", "view": view.id, "action": "a"}))[0]


async def test_mention_and_click_in_a_modal(tab: Tab) -> None:
    """A line that begins with @backup is an app_mention; a button inside a modal is a click in that view."""
    button = {"type": "button", "action_id": "look", "value": "v", "text": {"type": "plain_text", "text": "Look"}}
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "T"},
        "blocks": [{"type": "actions", "elements": [button]}],
    }
    slack = tab.world.slack
    api = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)
    await api.views_open(trigger_id=slack.space.new_trigger("U0MAX"), view=view)
    shown = slack.views[0]

    await tab.post("/type", {"as": "U0MAX", "text": "@Backup help"})
    assert "@Backup help" in (await tab.entry("help"))["html"]
    sent = await tab.post("/click", {"as": "U0MAX", "view": shown.id, "action": "look", "value": "v"})
    assert (200, {}) == sent
    assert ("view", shown.id) == tuple(tab.world.bot.payloads[-1]["container"].values())
    assert "<button" in (await tab.seen())["view"]["html"]


async def test_direct_messages_are_marked(tab: Tab) -> None:
    """A direct message shows to its person with the place it came to."""
    channel = tab.world.slack.space.direct_channel(ANA.slack_id)
    tab.world.slack.space.add(channel.id, {"text": "please approve"})

    assert "direct message" == (await tab.entry("please approve", ANA.slack_id))["place"]
    assert [] == (await tab.seen(MAX.slack_id))["upsert"]


async def test_stream_sends_only_what_changed(tab: Tab) -> None:
    """After the first event a stream carries new and changed entries, and drops deleted ones from its order."""
    slack = tab.world.slack
    one, two = (slack.space.add("C0BACKUP", {"text": text}) for text in ("one", "two"))
    events: list[Json] = []
    async with tab.http.get(f"{tab.world.page.origin}/events?as=U0MAX") as stream:
        async for line in stream.content:
            if not line.startswith(b"data: "):
                continue
            events.append(json.loads(line[6:]))
            if len(events) == 1:
                two.replace({"text": "changed"})
                slack.changed()
            elif len(events) == 2:
                one.deleted = True
                slack.changed()
            else:
                break

    assert [2, 1, 0] == [len(event["upsert"]) for event in events]
    assert ("changed", 1) == (events[1]["upsert"][0]["summary"], events[1]["upsert"][0]["edits"])
    assert [2, 2, 1] == [len(event["order"]) for event in events]


@pytest.mark.parametrize("number", range(len(BREAKAGES)))
async def test_break_and_clear(tab: Tab, number: int) -> None:
    """Each thing to break posts its fault to the simulator and is named in the page until cleared."""
    chosen = BREAKAGES[number]

    assert 200 == (await tab.post("/break", {"id": chosen.id}))[0]
    assert [chosen.fault] == tab.world.faults
    assert {"method", "path", "count"} <= set(chosen.fault)
    assert InjectedFault.model_validate(chosen.fault).fits(chosen.fault["method"], PATHS[chosen.id])
    assert [chosen.id] == (await tab.seen())["broken"]
    await tab.post("/mend", {})
    assert (1, []) == (tab.world.cleared, (await tab.seen())["broken"])


async def test_simulator_that_refuses(tab: Tab) -> None:
    """A fault that the simulator does not take is not shown as broken."""
    tab.world.sim_status = 500

    assert 502 == (await tab.post("/break", {"id": BREAKAGES[0].id}))[0]
    assert [] == (await tab.seen())["broken"]
