"""The Web API methods of the simulated Slack that write, and the table of all methods."""

from collections.abc import Callable
from dataclasses import dataclass

from simulator import slack_blocks, slack_reads
from simulator.chat_wire import Json
from simulator.slack_context import Context
from simulator.slack_state import (
    APP_ID,
    BOT_ID,
    BOT_USER,
    Channel,
    OpenView,
    SlackError,
    SlackMessage,
    Workspace,
    with_ids,
)

TEXT_LIMIT = 40_000
ALL_SCOPES = frozenset(
    {
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "groups:history",
        "groups:read",
        "im:write",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)


def content(args: Json) -> Json:
    """Return text, blocks, attachments and metadata of a message as Slack would keep them, or Slack's error."""
    state: Json = {"text": str(args.get("text") or "")[:TEXT_LIMIT]}
    if args.get("blocks"):
        state["blocks"] = slack_blocks.message_blocks(args["blocks"])
    if args.get("attachments"):
        attachments = slack_blocks.parse(args["attachments"], "attachments")
        if not isinstance(attachments, list):
            raise SlackError("invalid_attachments")
        state["attachments"] = attachments
    if args.get("metadata"):
        state["metadata"] = _metadata(args["metadata"])
    if not (state["text"] or state.get("blocks") or state.get("attachments")):
        raise SlackError("no_text")
    return state


def _metadata(value: object) -> Json:
    metadata = slack_blocks.parse(value, "metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_schema")
    return metadata


def _thread(space: Workspace, channel: Channel, value: object) -> str | None:
    """Return the thread to post into: the root of the named message; else Slack's error."""
    if not value:
        return None
    ts = str(value)
    whole, dot, fraction = ts.partition(".")
    if not (whole.isdecimal() and dot and fraction.isdecimal()):
        raise SlackError("invalid_thread_ts", f"{ts} is not a valid thread_ts")
    parent = space.messages.get((channel.id, ts))
    if parent is None or parent.deleted:
        raise SlackError("thread_not_found")
    return parent.thread_ts or parent.ts


def auth_test(context: Context) -> Json:
    """auth.test: who the token belongs to."""
    return {
        "url": f"{context.origin}/",
        "team": "Contoso",
        "team_id": "T0CONTOSO",
        "user": "backup",
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "is_enterprise_install": False,
    }


def post_message(context: Context) -> Json:
    """chat.postMessage: a channel, a user (direct message) or a thread."""
    context.need("channel")
    channel = context.space.writable(context.args["channel"])
    state = content(context.args)
    thread_ts = _thread(context.space, channel, context.args.get("thread_ts"))
    message = context.space.add(channel.id, state, thread_ts=thread_ts)
    return {"channel": channel.id, "ts": message.ts, "message": message.as_json()}


def update(context: Context) -> Json:
    """chat.update: text without blocks takes the blocks away; https://docs.slack.dev/reference/methods/chat.update."""
    context.need("channel", "ts")
    message = _own_message(context)
    changes = content(context.args)
    if "metadata" in message.state and "metadata" not in changes:
        changes["metadata"] = message.state["metadata"]
    if "blocks" not in changes:
        changes["edited"] = {"user": BOT_USER, "ts": f"{context.space.now():.6f}"}
    if "blocks" in changes:
        changes["blocks"] = with_ids(changes["blocks"], context.space.numbers)
    message.replace(changes)
    body = message.as_json()
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": body}


def _own_message(context: Context) -> SlackMessage:
    # These methods take ids only: a channel's name is not looked up.
    channel = context.space.channels.get(str(context.args["channel"]))
    if channel is None:
        raise SlackError("channel_not_found")
    message = context.space.message(channel.id, context.args["ts"])
    if message.user != BOT_USER:
        raise SlackError("cant_update_message")
    if channel.archived:
        raise SlackError("is_archived")
    return message


def delete(context: Context) -> Json:
    """chat.delete: one of the bot's own messages."""
    context.need("channel", "ts")
    try:
        message = _own_message(context)
    except SlackError as error:
        error.error = error.error.replace("cant_update", "cant_delete")
        raise
    message.deleted = True
    return {"channel": message.channel, "ts": message.ts}


def post_ephemeral(context: Context) -> Json:
    """chat.postEphemeral: seen by one member of the channel, never updated nor listed."""
    context.need("channel", "user")
    channel = context.space.writable(context.args["channel"])
    user = str(context.args["user"])
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    state = content(context.args)
    thread_ts = _thread(context.space, channel, context.args.get("thread_ts"))
    message = context.space.add(channel.id, state, thread_ts=thread_ts, only_for=user)
    return {"message_ts": message.ts}


def permalink(context: Context) -> Json:
    """chat.getPermalink: the address of one message."""
    context.need("channel", "message_ts")
    channel = context.space.channel(context.args["channel"])
    message = context.space.message(channel.id, context.args["message_ts"])
    link = f"{context.origin}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def _stored_view(space: Workspace, view: Json, **known: str) -> Json:
    number = next(space.numbers)
    return {
        **view,
        "blocks": with_ids(view["blocks"], space.numbers),
        "team_id": "T0CONTOSO",
        "app_id": APP_ID,
        "bot_id": BOT_ID,
        "hash": f"{int(space.now())}.h{number}",
        "state": {"values": {}},
        "private_metadata": view.get("private_metadata", ""),
        "callback_id": view.get("callback_id", ""),
        **known,
    }


def _show(space: Workspace, shown: OpenView, view: Json) -> Json:
    shown.view = _stored_view(space, view, id=shown.id, root_view_id=shown.id)
    shown.history.append(shown.view)
    return {"view": shown.view}


def open_view(context: Context) -> Json:
    """views.open: a modal for the user of a trigger id."""
    context.need("trigger_id")
    view = context.view("modal")
    user = context.space.spend_trigger(context.args["trigger_id"])
    shown = OpenView(f"V{next(context.space.numbers)}", user, {})
    context.space.views[shown.id] = shown
    return _show(context.space, shown, view)


def update_view(context: Context) -> Json:
    """views.update: replace an open modal; `hash_conflict` when it has changed since."""
    view = context.view("modal", "home")
    wanted, external = context.args.get("view_id"), context.args.get("external_id")
    if not (wanted or external):
        raise SlackError("invalid_arguments", "missing required field: view_id")
    for shown in [*context.space.views.values(), *context.space.homes.values()]:
        if shown.open and (shown.id == wanted or (external and shown.view.get("external_id") == external)):
            _same_hash(context, shown)
            return _show(context.space, shown, view)
    raise SlackError("not_found")


def _same_hash(context: Context, shown: OpenView) -> None:
    given = context.args.get("hash")
    if given and given != shown.view["hash"]:
        raise SlackError("hash_conflict")


def publish_view(context: Context) -> Json:
    """views.publish: a user's home tab."""
    context.need("user_id")
    view = context.view("home")
    user = str(context.args["user_id"])
    if user not in context.space.people:
        raise SlackError("user_not_found")
    shown = context.space.homes.get(user)
    if shown is None:
        shown = context.space.homes[user] = OpenView(f"V{next(context.space.numbers)}", user, {})
    else:
        _same_hash(context, shown)
    return _show(context.space, shown, view)


@dataclass(frozen=True)
class Method:
    """How a method runs, how often a minute it may (its tier), and the scope it asks for."""

    run: Callable[[Context], Json]
    per_minute: int
    scope: str | None = None


# Tiers: https://docs.slack.dev/apis/web-api/rate-limits and each method's own page.
METHODS: dict[str, Method] = {
    "auth.test": Method(auth_test, 600),
    "chat.postMessage": Method(post_message, 600, "chat:write"),
    "chat.update": Method(update, 50, "chat:write"),
    "chat.delete": Method(delete, 50, "chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, 100, "chat:write"),
    "chat.getPermalink": Method(permalink, 600),
    "views.open": Method(open_view, 100),
    "views.update": Method(update_view, 100),
    "views.publish": Method(publish_view, 100),
    "users.info": Method(slack_reads.user_info, 100, "users:read"),
    "users.lookupByEmail": Method(slack_reads.user_by_email, 50, "users:read.email"),
    "usergroups.users.list": Method(slack_reads.group_members, 20, "usergroups:read"),
    "usergroups.list": Method(slack_reads.groups, 20, "usergroups:read"),
    "conversations.info": Method(slack_reads.channel_info, 50, "channels:read"),
    "conversations.open": Method(slack_reads.open_conversation, 50, "im:write"),
    "conversations.history": Method(slack_reads.history, 50, "channels:history"),
    "conversations.replies": Method(slack_reads.replies, 50, "channels:history"),
}
