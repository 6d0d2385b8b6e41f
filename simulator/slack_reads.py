"""The Web API methods of the simulated Slack that look things up: people, groups, conversations and history."""

import math

from simulator.chat_wire import Json
from simulator.slack_context import Context
from simulator.slack_state import BOT_USER, Channel, SlackError, SlackMessage, user_json


def user_info(context: Context) -> Json:
    """users.info: the account; its e-mail only with the scope for it."""
    context.need("user")
    person = context.space.people.get(str(context.args["user"]))
    if person is None:
        raise SlackError("user_not_found")
    return {"user": user_json(person, with_email="users:read.email" in context.scopes)}


def user_by_email(context: Context) -> Json:
    """users.lookupByEmail: an active account of that address."""
    context.need("email")
    wanted = str(context.args["email"]).lower()
    for person in context.space.people.values():
        if person.email.lower() == wanted and not person.deleted and not person.is_bot:
            return {"user": user_json(person)}
    raise SlackError("users_not_found")


def group_members(context: Context) -> Json:
    """usergroups.users.list: the ids of a group's members."""
    context.need("usergroup")
    members = context.space.groups.get(str(context.args["usergroup"]))
    if members is None:
        raise SlackError("no_such_subteam")
    return {"users": list(members)}


def groups(context: Context) -> Json:
    """usergroups.list: every group with its handle."""
    return {
        "usergroups": [
            {"id": key, "handle": key.lower(), "name": key, "user_count": len(members)}
            for key, members in context.space.groups.items()
        ]
    }


def channel_json(channel: Channel) -> Json:
    """Return Slack's conversation object."""
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": not channel.im,
        "is_im": channel.im,
        "is_archived": channel.archived,
        "is_member": BOT_USER in channel.members,
        "is_ext_shared": channel.ext_shared,
        "is_shared": channel.ext_shared,
        "is_private": channel.name == "private",
    }


def channel_info(context: Context) -> Json:
    """conversations.info: one conversation by id."""
    context.need("channel")
    channel = context.space.channels.get(str(context.args["channel"]))
    if channel is None:
        raise SlackError("channel_not_found")
    return {"channel": channel_json(channel)}


def open_conversation(context: Context) -> Json:
    """conversations.open: the direct conversation with one user."""
    context.need("users")
    users = context.args["users"]
    names = users if isinstance(users, list) else str(users).split(",")
    if len(names) != 1:
        raise SlackError("method_not_supported_for_channel_type")
    if names[0] not in context.space.people:
        raise SlackError("user_not_found")
    return {"channel": {"id": context.space.direct_channel(names[0]).id}}


def _page(context: Context, messages: list[SlackMessage]) -> Json:
    limit, start = int(context.number("limit", 100)), int(context.number("cursor", 0))
    metadata = context.flag("include_all_metadata")
    chosen = messages[start : start + limit]
    more = start + limit < len(messages)
    return {
        "messages": [message.as_json(metadata=metadata) for message in chosen],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + limit) if more else ""},
    }


def _readable(context: Context) -> Channel:
    context.need("channel")
    channel = context.space.channels.get(str(context.args["channel"]))
    if channel is None:
        raise SlackError("channel_not_found")
    if BOT_USER not in channel.members:
        raise SlackError("not_in_channel")
    return channel


def history(context: Context) -> Json:
    """conversations.history: top-level messages, newest first, between `oldest` and `latest`."""
    channel = _readable(context)
    oldest = context.number("oldest", 0)
    latest = context.number("latest", math.inf)
    inclusive = context.flag("inclusive")
    found = [
        message
        for message in context.space.messages.values()
        if message.channel == channel.id
        and not message.deleted
        and message.thread_ts is None
        and (oldest < float(message.ts) < latest or (inclusive and float(message.ts) in {oldest, latest}))
    ]
    return _page(context, sorted(found, key=lambda message: float(message.ts), reverse=True))


def replies(context: Context) -> Json:
    """conversations.replies: a thread, its first message first."""
    context.need("ts")
    channel = _readable(context)
    found = context.space.replies(channel.id, str(context.args["ts"]))
    if not found:
        raise SlackError("thread_not_found")
    return _page(context, found)
