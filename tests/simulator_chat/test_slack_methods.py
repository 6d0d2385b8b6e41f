"""The Web API through slack_sdk's own client: answers, error names and what is recorded."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from simulator.chat_people import ANA, BACKUP_CHANNEL, BEN, CAST, GONE, MAX
from simulator.slack import FakeSlack

from .conftest import Hands

MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Why"}, "blocks": []}
HOME = {"type": "home", "blocks": [{"type": "divider"}]}
BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "*b*"}}]


async def error_of(call: Any) -> str:
    """Return the error name with which Slack refuses a call."""
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def test_auth_test_names_the_bot(client: AsyncWebClient) -> None:
    """auth.test tells whose token it is, and the scopes travel in a header."""
    answer = await client.auth_test()

    assert ("U0BOT", "T0CONTOSO", "B0BOT") == (answer["user_id"], answer["team_id"], answer["bot_id"])
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-other", "invalid_auth"), ("", "not_authed"), ("xapp-simulated", "not_allowed_token_type")],
)
async def test_wrong_token(slack: FakeSlack, token: str, error: str) -> None:
    """A foreign, missing or app-level token is refused under Slack's names."""
    other = AsyncWebClient(token=token, base_url=slack.api_url)

    assert error == await error_of(other.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))
    assert {} == slack.messages


async def test_unknown_method(client: AsyncWebClient) -> None:
    """A method that does not exist is unknown_method."""
    assert "unknown_method" == await error_of(client.api_call("chat.postMassage"))


async def test_missing_scope(slack: FakeSlack) -> None:
    """Without its scope a method says which one it needs, and users.info leaves the e-mail out."""
    slack.scopes = frozenset({"users:read"})
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.api_url)

    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x")
    assert ("missing_scope", "chat:write") == (
        refused.value.response["error"],
        refused.value.response["needed"],
    )
    assert "email" not in (await client.users_info(user="U0ANA"))["user"]["profile"]


async def test_post_update_and_history_of_states(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A posted message is found by channel and ts, and keeps its earlier states."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="one", blocks=BLOCKS))["ts"]
    await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="two", blocks=BLOCKS)

    message = slack.messages[BACKUP_CHANNEL, ts]
    assert "two" == message.text
    assert ["one", "two"] == [state["text"] for state in message.history]
    assert ["chat.postMessage", "chat.update"] == [call.method for call in slack.calls]


async def test_update_with_text_alone_takes_the_blocks_away(slack: FakeSlack, client: AsyncWebClient) -> None:
    """chat.update with text only removes the blocks and marks the message as edited."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="one", blocks=BLOCKS))["ts"]
    await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="two")

    assert [] == slack.messages[BACKUP_CHANNEL, ts].blocks
    assert "edited" in slack.messages[BACKUP_CHANNEL, ts].state


async def test_errors_of_posting(client: AsyncWebClient) -> None:
    """Each reason why a message cannot be posted has Slack's name for it."""
    post = client.chat_postMessage

    assert "channel_not_found" == await error_of(post(channel="C0NOWHERE", text="x"))
    assert "is_archived" == await error_of(post(channel="C0ATTIC", text="x"))
    assert "not_in_channel" == await error_of(post(channel="C0PRIVATE", text="x"))
    assert "no_text" == await error_of(client.api_call("chat.postMessage", json={"channel": BACKUP_CHANNEL}))
    assert "thread_not_found" == await error_of(post(channel=BACKUP_CHANNEL, text="x", thread_ts="1.000001"))
    assert "invalid_thread_ts" == await error_of(post(channel=BACKUP_CHANNEL, text="x", thread_ts="0"))
    assert "invalid_metadata_format" == await error_of(post(channel=BACKUP_CHANNEL, text="x", metadata={"a": 1}))
    assert "invalid_arguments" == await error_of(client.api_call("chat.postMessage", json={"text": "x"}))


async def test_text_is_cut_at_forty_thousand(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Longer text is not refused but cut."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x" * 40_001))["ts"]

    assert 40_000 == len(slack.messages[BACKUP_CHANNEL, ts].text)


async def test_errors_of_updating(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A message that is not there, is not the bot's or is private cannot be updated."""
    said = slack.say(MAX, "mine", BACKUP_CHANNEL)
    private = await client.chat_postEphemeral(channel=BACKUP_CHANNEL, user="U0MAX", text="psst")
    update = client.chat_update

    assert "message_not_found" == await error_of(update(channel=BACKUP_CHANNEL, ts="1.1", text="x"))
    assert "cant_update_message" == await error_of(update(channel=BACKUP_CHANNEL, ts=said.ts, text="x"))
    assert "message_not_found" == await error_of(update(channel=BACKUP_CHANNEL, ts=private["message_ts"], text="x"))
    assert "channel_not_found" == await error_of(update(channel="#backup", ts=said.ts, text="x"))
    assert "cant_delete_message" == await error_of(client.chat_delete(channel=BACKUP_CHANNEL, ts=said.ts))


async def test_deleted_messages_are_gone(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A deleted message keeps its record but can neither be updated nor replied to."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))["ts"]
    await client.chat_delete(channel=BACKUP_CHANNEL, ts=ts)

    assert slack.messages[BACKUP_CHANNEL, ts].deleted
    assert "message_not_found" == await error_of(client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y"))
    assert "thread_not_found" == await error_of(client.chat_postMessage(channel=BACKUP_CHANNEL, text="y", thread_ts=ts))


async def test_ephemerals_reach_members_only(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A private notice is recorded for its reader, and refused for somebody outside the channel."""
    await client.chat_postEphemeral(channel=BACKUP_CHANNEL, user="U0MAX", text="psst")

    assert [("U0MAX", "psst")] == [(message.only_for, message.text) for message in slack.ephemerals]
    assert {} == slack.messages
    assert "user_not_in_channel" == await error_of(
        client.chat_postEphemeral(channel=BACKUP_CHANNEL, user="U0NOBODY", text="psst")
    )


async def test_threads_and_metadata_are_read_back(hands: Hands, client: AsyncWebClient) -> None:
    """Replies come first to last, history newest first without replies, metadata only when asked for."""
    metadata = {"event_type": "incident", "event_payload": {"id": "7"}}
    root = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="root", metadata=metadata))["ts"]
    hands.advance(1)
    reply = await client.chat_postMessage(channel=BACKUP_CHANNEL, text="reply", thread_ts=root)
    # A reply to a reply lands in the same thread.
    await client.chat_postMessage(channel=BACKUP_CHANNEL, text="deep", thread_ts=reply["ts"])
    await client.chat_postMessage(channel=BACKUP_CHANNEL, text="later")

    thread = await client.conversations_replies(channel=BACKUP_CHANNEL, ts=root, include_all_metadata=True)
    history = await client.conversations_history(channel=BACKUP_CHANNEL)

    assert ["root", "reply", "deep"] == [message["text"] for message in thread["messages"]]
    assert metadata == thread["messages"][0]["metadata"]
    assert ["later", "root"] == [message["text"] for message in history["messages"]]
    assert "metadata" not in history["messages"][1]
    assert "thread_not_found" == await error_of(client.conversations_replies(channel=BACKUP_CHANNEL, ts="9.9"))


async def test_history_in_pages(client: AsyncWebClient) -> None:
    """The cursor leads from page to page until nothing is left."""
    for number in range(5):
        await client.chat_postMessage(channel=BACKUP_CHANNEL, text=str(number))

    first = await client.conversations_history(channel=BACKUP_CHANNEL, limit=3)
    cursor = first["response_metadata"]["next_cursor"]
    second = await client.conversations_history(channel=BACKUP_CHANNEL, limit=3, cursor=cursor)

    assert ["4", "3", "2", "1", "0"] == [m["text"] for page in (first, second) for m in page["messages"]]
    assert (True, False) == (first["has_more"], second["has_more"])


async def test_permalink(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A permalink names channel and message, and exists only for what exists."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))["ts"]

    link = (await client.chat_getPermalink(channel=BACKUP_CHANNEL, message_ts=ts))["permalink"]

    assert f"{slack.origin}/archives/C0BACKUP/p{ts.replace('.', '')}" == link
    assert "message_not_found" == await error_of(client.chat_getPermalink(channel=BACKUP_CHANNEL, message_ts="1.1"))


async def test_trigger_is_good_once_within_three_seconds(
    slack: FakeSlack, client: AsyncWebClient, hands: Hands
) -> None:
    """A trigger opens one view, at three seconds still and after them no more."""
    first, second, third = (slack.space.new_trigger("U0MAX") for _ in range(3))
    hands.advance(3)

    opened = await client.views_open(trigger_id=first, view=MODAL)
    assert opened["view"]["id"] == slack.views[0].id
    assert "U0MAX" == slack.views[0].user
    assert "exchanged_trigger_id" == await error_of(client.views_open(trigger_id=first, view=MODAL))
    assert "invalid_trigger_id" == await error_of(client.views_open(trigger_id="1.x", view=MODAL))
    # A view that is refused does not use its trigger up.
    broken = {**MODAL, "title": {"type": "plain_text", "text": "t" * 25}}
    assert "invalid_arguments" == await error_of(client.views_open(trigger_id=second, view=broken))
    assert (await client.views_open(trigger_id=second, view=MODAL))["ok"]
    hands.advance(0.1)
    assert "expired_trigger_id" == await error_of(client.views_open(trigger_id=third, view=MODAL))


async def test_views_are_updated_by_id_and_hash(slack: FakeSlack, client: AsyncWebClient) -> None:
    """views.update replaces an open modal; a hash of an earlier state is a conflict."""
    opened = (await client.views_open(trigger_id=slack.space.new_trigger("U0MAX"), view=MODAL))["view"]
    later = {**MODAL, "title": {"type": "plain_text", "text": "Then"}}

    await client.views_update(view_id=opened["id"], hash=opened["hash"], view=later)

    assert ["Why", "Then"] == [view["title"]["text"] for view in slack.views[0].history]
    assert "hash_conflict" == await error_of(client.views_update(view_id=opened["id"], hash=opened["hash"], view=later))
    assert "not_found" == await error_of(client.views_update(view_id="V999", view=later))


async def test_home_tab(slack: FakeSlack, client: AsyncWebClient) -> None:
    """views.publish keeps one home tab for each user."""
    await client.views_publish(user_id="U0ANA", view=HOME)
    await client.views_publish(user_id="U0ANA", view=HOME)

    assert ["U0ANA"] == list(slack.homes)
    assert 2 == len(slack.homes["U0ANA"].history)
    assert "user_not_found" == await error_of(client.views_publish(user_id="U9", view=HOME))
    assert "invalid_arguments" == await error_of(client.views_publish(user_id="U0ANA", view=MODAL))


async def test_directory(client: AsyncWebClient) -> None:
    """Each account carries the marks that an approval has to look at."""
    found = {person.slack_id: (await client.users_info(user=person.slack_id))["user"] for person in CAST}

    def marked(flag: str) -> list[str]:
        return [key for key, user in found.items() if user[flag]]

    assert ["U0GUEST", "U0SINGLE"] == marked("is_restricted")
    assert ["U0SINGLE"] == marked("is_ultra_restricted")
    assert ["U0EXTERN"] == marked("is_stranger")
    assert ["U0GONE"] == marked("deleted")
    assert ["U0ROBOT"] == marked("is_bot")
    assert ["U0UNSURE"] == [key for key, user in found.items() if not user["is_email_confirmed"]]
    assert "T0FABRIKAM" == found["U0EXTERN"]["team_id"]
    assert ("ana@contoso.com", "Europe/Berlin") == (
        found["U0ANA"]["profile"]["email"],
        found["U0ANA"]["tz"],
    )


async def test_lookups(client: AsyncWebClient) -> None:
    """People are found by address unless deactivated; groups list their members."""
    by_email = await client.users_lookupByEmail(email="ANA@contoso.com")
    group = await client.usergroups_users_list(usergroup="S0BACKUP")

    assert ANA.slack_id == by_email["user"]["id"]
    assert [ANA.slack_id, BEN.slack_id] == group["users"]
    assert "users_not_found" == await error_of(client.users_lookupByEmail(email=GONE.email))
    assert "user_not_found" == await error_of(client.users_info(user="U9"))
    assert "no_such_subteam" == await error_of(client.usergroups_users_list(usergroup="S9"))
    groups = (await client.usergroups_list())["usergroups"]
    assert {"S0ONCALL", "S0BACKUP"} == {group["id"] for group in groups}


async def test_conversations(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A channel tells whether it is archived or shared; a direct conversation opens once."""
    slack.space.channels["C0OPS"].ext_shared = True
    direct = (await client.conversations_open(users=["U0ANA"]))["channel"]["id"]
    posted = await client.chat_postMessage(channel="U0ANA", text="psst")

    assert (await client.conversations_info(channel="C0ATTIC"))["channel"]["is_archived"]
    assert (await client.conversations_info(channel="C0OPS"))["channel"]["is_ext_shared"]
    assert direct == posted["channel"] == (await client.conversations_open(users="U0ANA"))["channel"]["id"]
    assert (await client.conversations_info(channel=direct))["channel"]["is_im"]
    assert "channel_not_found" == await error_of(client.conversations_info(channel="C9"))
    assert "user_not_found" == await error_of(client.conversations_open(users="U9"))
    assert "not_in_channel" == await error_of(client.conversations_history(channel="C0PRIVATE"))


async def test_metadata_and_attachments(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Metadata survives an update that brings none; attachments and metadata of a wrong shape are refused."""
    metadata = {"event_type": "incident", "event_payload": {"id": "7"}}
    attached = [{"fallback": "a", "text": "a"}]
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x", metadata=metadata, attachments=attached))[
        "ts"
    ]
    await client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y")

    message = slack.messages[BACKUP_CHANNEL, ts]
    assert attached == message.history[0]["attachments"]
    assert metadata == message.state["metadata"]
    broken = {"channel": BACKUP_CHANNEL, "text": "x", "metadata": {"event_type": "a", "event_payload": 1}}
    assert "invalid_metadata_schema" == await error_of(client.api_call("chat.postMessage", json=broken))
    wrong = {"channel": BACKUP_CHANNEL, "text": "x", "attachments": {}, "blocks": "["}
    assert "invalid_blocks_format" == await error_of(client.api_call("chat.postMessage", json=wrong))
    wrong = {"channel": BACKUP_CHANNEL, "text": "x", "attachments": {"a": 1}}
    assert "invalid_attachments" == await error_of(client.api_call("chat.postMessage", json=wrong))


async def test_channel_names_and_thread_links(client: AsyncWebClient) -> None:
    """A channel may be posted to by name, and the permalink of a reply names its thread."""
    root = (await client.chat_postMessage(channel="#backup", text="root"))["ts"]
    reply = (await client.chat_postMessage(channel="backup", text="reply", thread_ts=root))["ts"]

    link = (await client.chat_getPermalink(channel=BACKUP_CHANNEL, message_ts=reply))["permalink"]

    assert link.endswith(f"?thread_ts={root}&cid={BACKUP_CHANNEL}")


async def test_archived_messages_stay_as_they_are(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A message in a channel that was archived since cannot be updated."""
    ts = (await client.chat_postMessage(channel=BACKUP_CHANNEL, text="x"))["ts"]
    slack.space.channels[BACKUP_CHANNEL].archived = True

    assert "is_archived" == await error_of(client.chat_update(channel=BACKUP_CHANNEL, ts=ts, text="y"))


@pytest.mark.parametrize("name", ["limit", "cursor", "oldest", "latest"])
async def test_numbers_that_are_none(client: AsyncWebClient, name: str) -> None:
    """A limit, cursor or time that is no number is refused by its name."""
    args = {"channel": BACKUP_CHANNEL, name: "x"}

    assert f"invalid_{name}" == await error_of(client.api_call("conversations.history", params=args))


async def test_views_by_external_id(slack: FakeSlack, client: AsyncWebClient) -> None:
    """A view may be updated by the bot's own id for it, and by some id it must be."""
    view = {**MODAL, "external_id": "mine"}
    await client.views_open(trigger_id=slack.space.new_trigger("U0MAX"), view=view)

    assert (await client.views_update(external_id="mine", view=view))["ok"]
    assert "invalid_arguments" == await error_of(client.api_call("views.update", json={"view": view}))
    assert "invalid_arguments" == await error_of(client.api_call("views.open", json={"trigger_id": "1.x"}))
    several = {"users": ["U0MAX", "U0ANA"]}
    assert "method_not_supported_for_channel_type" == await error_of(
        client.api_call("conversations.open", json=several)
    )
