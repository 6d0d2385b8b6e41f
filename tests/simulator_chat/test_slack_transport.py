"""How the fake Slack speaks: forms and JSON, rate limits, prepared failures, response URLs, Socket Mode."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from simulator.chat_people import BACKUP_CHANNEL
from simulator.slack import FakeSlack

from .conftest import Hands

BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*b*"}}]


async def test_forms_json_get_and_post(slack: FakeSlack) -> None:
    """Arguments count the same as a form, as JSON and in the query."""
    bearer = {"Authorization": f"Bearer {slack.bot_token}"}
    args = {"channel": BACKUP_CHANNEL, "text": "x", "blocks": json.dumps(BLOCKS)}
    url = slack.api_url + "chat.postMessage"
    async with aiohttp.ClientSession() as http:
        for request in (
            http.post(url, data=args, headers=bearer),
            http.post(url, json={**args, "blocks": BLOCKS}, headers=bearer),
            http.get(url, params=args, headers=bearer),
            http.post(url, data={**args, "token": slack.bot_token}),
        ):
            async with request as answer:
                body = await answer.json()
                assert body["ok"], body
        async with http.post(url, json={**args, "token": slack.bot_token}) as answer:
            assert "not_authed" == (await answer.json())["error"]
        async with http.post(url, data=b"{", headers={"Content-Type": "application/json"}) as answer:
            assert "invalid_json" == (await answer.json())["error"]
        async with http.post(url, json=[1]) as answer:
            assert "json_not_object" == (await answer.json())["error"]

    assert 4 == len(slack.messages)
    assert all(message.blocks[0]["text"]["text"] == "*b*" for message in slack.messages.values())


async def test_throttled_call_is_repeated_by_the_sdk(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A 429 names the seconds to wait, and slack_sdk's own retry gets through after them."""
    slack.throttle["chat.postMessage"] = 1

    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x")
    assert (429, "1") == (refused.value.response.status_code, refused.value.response.headers["Retry-After"])

    slack.throttle["chat.postMessage"] = 1
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    assert (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))["ok"]
    assert 3 == len(slack.calls)


async def test_real_rate_limits(slack: FakeSlack, client: AsyncWebClient, hands: Hands) -> None:
    """With its rate limits on, a channel takes one message a second and a tier its calls a minute."""
    slack.rate_limits = True
    post = client.chat_postMessage

    assert (await post(channel=BACKUP_CHANNEL, text="x"))["ok"]
    assert (await post(channel="C0OPS", text="x"))["ok"]
    with pytest.raises(SlackApiError, match="ratelimited"):
        await post(channel=BACKUP_CHANNEL, text="x")
    hands.advance(1)
    ts = (await post(channel=BACKUP_CHANNEL, text="x"))["ts"]
    for _ in range(50):
        await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y")
    hands.advance(20)
    with pytest.raises(SlackApiError) as refused:
        await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y")
    assert "40" == refused.value.response.headers["Retry-After"]
    hands.advance(40)
    assert (await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y"))["ok"]


async def test_prepared_failures(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A call can be told to answer an error or a 500, each as often as asked and then no more."""
    slack.fail_next("chat.postMessage", 2, error="internal_error")
    slack.fail_next("chat.postMessage", status=500)

    for _ in range(2):
        with pytest.raises(SlackApiError, match="internal_error"):
            await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x")
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x")
    assert 500 == refused.value.response.status_code
    assert {} == slack.messages
    assert (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))["ok"]


async def test_answer_lost_after_the_effect(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A connection can be cut after the message was posted: the caller sees an error, the channel a message."""
    client.retry_handlers.clear()
    slack.fail_next("chat.postMessage", cut=True, after_effect=True)

    with pytest.raises(aiohttp.ClientError):
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x")

    assert ["x"] == [message.text for message in slack.messages.values()]


async def test_delayed_answer(slack: FakeSlack) -> None:
    """A delayed answer arrives after its time, or not within the caller's patience."""
    impatient = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url, timeout=1)
    slack.fail_next("auth.test", delay_s=0.05)
    assert (await impatient.auth_test())["ok"]
    slack.fail_next("auth.test", delay_s=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await impatient.auth_test()


async def test_response_url_five_times(slack: FakeSlack) -> None:
    """A response URL takes five answers, the sixth is refused as used."""
    url = slack.response_url(slack.space.new_response_url("U0MAX", BACKUP_CHANNEL))
    hook = AsyncWebhookClient(url)

    answers = [await hook.send(text=str(number)) for number in range(6)]

    assert [200] * 5 + [404] == [answer.status_code for answer in answers]
    assert "used_url" in answers[5].body
    assert [None] * 5 + ["used_url"] == [response.error for response in slack.responses]
    assert [str(number) for number in range(5)] == [message.text for message in slack.ephemerals]


async def test_response_url_thirty_minutes(slack: FakeSlack, hands: Hands) -> None:
    """A response URL still works at thirty minutes and not a moment later."""
    hook = AsyncWebhookClient(slack.response_url(slack.space.new_response_url("U0MAX", BACKUP_CHANNEL)))

    hands.advance(30 * 60)
    assert 200 == (await hook.send(text="x")).status_code
    hands.advance(1)
    late = await hook.send(text="x")
    assert (404, True) == (late.status_code, "expired_url" in late.body)


async def test_response_url_replaces_and_deletes(slack: FakeSlack, client: AsyncWebClient) -> None:
    """An interaction's response URL replaces its message, answers in the channel, and deletes the message."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="one"))["ts"]
    made = slack.space.new_response_url("U0MAX", BACKUP_CHANNEL, ts)
    hook = AsyncWebhookClient(slack.response_url(made))

    await hook.send(text="two", replace_original=True)
    await hook.send(text="loud", response_type="in_channel")
    await hook.send_dict({"delete_original": True})
    broken = await hook.send(blocks=[{"type": "nonsense"}])

    message = slack.messages[BACKUP_CHANNEL, ts]
    assert (["one", "two"], True) == ([state["text"] for state in message.history], message.deleted)
    assert "loud" in [message.text for message in slack.messages.values()]
    assert (400, True) == (broken.status_code, "invalid_blocks" in broken.body)


async def test_response_url_throttled(slack: FakeSlack) -> None:
    """A response URL can be told to answer 429, which counts no use."""
    made = slack.space.new_response_url("U0MAX", BACKUP_CHANNEL)
    slack.throttle["response_url"] = 1

    assert 429 == (await AsyncWebhookClient(slack.response_url(made)).send(text="x")).status_code
    assert 0 == made.uses


async def test_response_url_takes_objects_only(slack: FakeSlack) -> None:
    """Broken JSON and a list are refused and count no use."""
    made = slack.space.new_response_url("U0MAX", BACKUP_CHANNEL)
    async with aiohttp.ClientSession() as http:
        for body in (b"{", b"[]"):
            async with http.post(slack.response_url(made), data=body) as answer:
                assert 400 == answer.status

    assert 0 == made.uses


async def test_socket_mode_with_the_sdk(slack: FakeSlack) -> None:
    """slack_sdk's Socket Mode client connects, receives an envelope and acknowledges it."""
    web = AsyncWebClient(token=slack.app_token, base_url=slack.api_url)
    client = SocketModeClient(app_token=slack.app_token, web_client=web)
    got: list[dict[str, Any]] = []

    async def listen(socket: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        got.append(request.payload)
        await socket.send_socket_mode_response(SocketModeResponse(request.envelope_id, {"text": "ack"}))

    client.socket_mode_request_listeners.append(listen)
    await client.connect()  # type: ignore[no-untyped-call]
    await slack.wait_for(lambda: slack.sockets)
    try:
        ack = await slack.send_envelope("slash_commands", {"command": "/backup", "text": "help"})
        assert [{"command": "/backup", "text": "help"}] == got
        assert {"text": "ack"} == ack
        await slack.disconnect()
        await slack.wait_for(lambda: [call.method for call in slack.calls].count("apps.connections.open") == 2)
    finally:
        await client.close()  # type: ignore[no-untyped-call]


async def test_socket_mode_needs_the_app_token(slack: FakeSlack, client: AsyncWebClient) -> None:
    """The bot's token opens no socket, and nothing can be delivered without one."""
    with pytest.raises(SlackApiError, match="not_allowed_token_type"):
        await client.apps_connections_open(app_token=slack.bot_token)
    with pytest.raises(LookupError):
        await slack.send_envelope("events_api", {})


async def test_at_most_ten_sockets(slack: FakeSlack) -> None:
    """The eleventh connection is told that there are too many."""
    async with aiohttp.ClientSession() as http:
        url = f"ws://127.0.0.1:{slack.port}/link"
        open_ones = [await http.ws_connect(url) for _ in range(10)]
        await slack.wait_for(lambda: len(slack.sockets) == 10)
        eleventh = await http.ws_connect(url)
        assert "too_many_websockets" == (await eleventh.receive_json())["reason"]
        for socket in [*open_ones, eleventh]:
            await socket.close()


async def test_waiting_says_what_came_instead(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Waiting in vain names the calls that did arrive."""
    await client.auth_test()
    with pytest.raises(TimeoutError, match=r"auth\.test"):
        await slack.wait_for(lambda: slack.messages, timeout=0.05)
