"""Teams: activities in through the SDK's turn, stored before they are acknowledged. The only file that knows the SDK.

The Bot Framework SDK is archived upstream, so little rests on it: :class:`BotAdapter`, :class:`TurnContext` and
:class:`ActivityHandler` turn an activity into a call of a method. Around it go, because of its defects: the token check
(``teams_auth``: 500 instead of 401, tokens without expiry accepted), the answer to invokes (a dict body is serialised twice
and fails), the outbound calls (``teams_connector``: no retry, redirects followed, blocking token requests) and the parsing
of activities (``teams_payload``: ``tenantId`` and ``isTargeted`` are lost). Another SDK takes its place by dispatching
to the three methods of :class:`Turns`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from botbuilder.core import ActivityHandler, BotAdapter, InvokeResponse, TurnContext
from botbuilder.schema import Activity
from sqlalchemy.exc import SQLAlchemyError

from adaptive_cards import teams as renderer
from adaptive_cards.card import Card
from bot.settings import Settings
from bot.transports.teams_addresses import Addresses, References, ServiceUrls
from bot.transports.teams_auth import InboundAuth, IssuerUnavailable, Unauthorized, inbound_auth, teams_enabled
from bot.transports.teams_connector import Connector, Tokens, tokens_for
from bot.transports.teams_messenger import Approvers, TeamsMessenger, everybody
from bot.transports.teams_payload import (
    EXECUTE,
    REFRESH,
    NotOursError,
    conversation_of,
    dedupe_of,
    is_refresh,
    kind_of,
    pressed,
    reference_of,
    sender_of,
)
from bot.transports.teams_people import Groups, TeamsDirectory, TeamsPlatform, no_groups
from bot.transports.teams_views import shared_view, working_view
from domain.actor import Actor

Json = dict[str, Any]
Put = Callable[[str, Mapping[str, Any], str | None], Awaitable[bool]]
ViewFor = Callable[[str, Actor], Awaitable[Card | None]]
"""An approval's card as one person may see it, by its id; None when it does not exist or they may not decide it."""
CardAt = Callable[[str, str], Awaitable[Card | None]]
"""The card that a message shows now, by its conversation and id; None when it is not one of the outbox's."""
Handler = Callable[[web.Request], Awaitable[web.Response]]

BODY_MAX = 1024 * 1024
INVOKE_WITHIN_S = 1.5
"""Teams gives an invoke 10 to 15 s and then repeats it; people give it two."""
CARD_ERROR = "application/vnd.microsoft.error"
_RAW = "backupbot.raw"
_ANSWER = "backupbot.answer"


async def no_view(_approval_id: str, _actor: Actor) -> Card | None:
    """Nobody has a view of their own."""
    return None


async def no_card(_conversation: str, _message: str) -> Card | None:
    """No card is known."""
    return None


@dataclass(kw_only=True)
class Turns:
    """What is done with an activity that may be believed, without any SDK's words."""

    put: Put
    addresses: Addresses
    directory: TeamsDirectory
    commands: frozenset[str]
    view_for: ViewFor = no_view
    card_at: CardAt = no_card
    simulated: bool = False
    within_s: float = INVOKE_WITHIN_S
    log: structlog.stdlib.BoundLogger = field(default_factory=structlog.get_logger)

    async def remember(self, activity: Json) -> None:
        """Keep where the conversation is reached now: every kind of activity renews it."""
        if record := reference_of(activity):
            await self.addresses.remember(record)

    async def store(self, activity: Json) -> None:
        """Store what is a request of this bot; anything else is dropped here."""
        kind = kind_of(activity, self.commands)
        if kind is None:
            return
        if kind == "submit":
            try:
                pressed(kind, activity)
            except NotOursError:
                return
        await self.put(f"teams.{kind}", activity, dedupe_of(kind, activity))

    async def invoke(self, activity: Json) -> tuple[int, Json]:
        """(HTTP status, body) of the answer to an invoke: a view, or a card that says the press is being worked on."""
        if activity.get("name") != EXECUTE:
            return HTTPStatus.NOT_IMPLEMENTED, {}
        try:
            action, value, fields = pressed("invoke", activity)
        except NotOursError:
            return HTTPStatus.OK, _card_error(HTTPStatus.BAD_REQUEST, "This card is not one of this bot's.")
        if is_refresh(activity):
            return HTTPStatus.OK, await self._view(activity, value)
        if kind_of(activity, self.commands) == "invoke":
            # A repeated invoke has the same id: it is not stored again, and gets the same answer.
            await self.put("teams.invoke", activity, dedupe_of("invoke", activity))
        card = None if fields else await self._card(activity)
        return HTTPStatus.OK, _card(renderer.render(working_view(card, action, value, simulated=self.simulated)))

    async def _view(self, activity: Json, approval_id: str) -> Json:
        sender = sender_of(activity)
        try:
            async with asyncio.timeout(self.within_s):
                actor = await self.directory.person(sender.id, seen_in=conversation_of(activity))
                card = await self.view_for(approval_id, actor)
        except TimeoutError:
            return _card_error(HTTPStatus.SERVICE_UNAVAILABLE, "The request could not be looked up in time.")
        if card is not None:
            refresh = renderer.Refresh(REFRESH, (sender.teams_id,), approval_id)
            return _card(renderer.render(card, refresh))
        shown = await self._card(activity)
        if shown is None:
            return _card_error(HTTPStatus.NOT_FOUND, "There is no view of your own.")
        return _card(renderer.render(shared_view(shown)))

    async def _card(self, activity: Json) -> Card | None:
        message = activity.get("replyToId")
        if not isinstance(message, str):
            return None
        try:
            async with asyncio.timeout(self.within_s):
                return await self.card_at(conversation_of(activity), message)
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            # The press is stored; only its first answer is plainer.
            self.log.warning("teams_card_unreadable", error=type(error).__name__)
            return None


def _card(message: renderer.TeamsMessage) -> Json:
    return {"statusCode": HTTPStatus.OK, "type": renderer.CONTENT_TYPE, "value": message.content}


def _card_error(status: HTTPStatus, text: str) -> Json:
    return {
        "statusCode": status,
        "type": CARD_ERROR,
        "value": {"code": status.phrase.replace(" ", ""), "message": text},
    }


class _Handler(ActivityHandler):  # type: ignore[misc]  # the SDK has no types
    """The SDK's dispatch by activity type."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    async def on_turn(self, turn_context: TurnContext) -> None:
        await self._turns.remember(turn_context.turn_state[_RAW])
        await super().on_turn(turn_context)

    async def on_message_activity(self, turn_context: TurnContext) -> None:
        await self._turns.store(turn_context.turn_state[_RAW])

    async def on_message_update_activity(self, turn_context: TurnContext) -> None:
        await self._turns.store(turn_context.turn_state[_RAW])

    async def on_invoke_activity(self, turn_context: TurnContext) -> InvokeResponse:
        status, body = await self._turns.invoke(turn_context.turn_state[_RAW])
        return InvokeResponse(status=status, body=body)


class _Adapter(BotAdapter):  # type: ignore[misc]  # the SDK has no types
    """The SDK's turn without its network: the answer to an invoke is kept, everything else goes through the outbox."""

    async def send_activities(self, context: TurnContext, activities: list[Activity]) -> list[Any]:
        for activity in activities:
            if not isinstance(activity.value, InvokeResponse):
                raise TypeError("messages are sent by the outbox, which survives a crash")
            context.turn_state[_ANSWER] = activity.value
        return []

    async def update_activity(self, context: TurnContext, activity: Activity) -> None:
        del context, activity
        raise TypeError("messages are updated by the outbox, which survives a crash")

    async def delete_activity(self, context: TurnContext, reference: object) -> None:
        del context, reference
        raise TypeError("messages are never deleted")

    async def turn(self, handler: _Handler, raw: Json) -> InvokeResponse | None:
        """Run one activity through the SDK."""
        # Only what the dispatch needs: its model refuses or loses part of what Teams sends.
        context = TurnContext(self, Activity(type=raw["type"], name=raw.get("name"), channel_id=raw.get("channelId")))
        context.turn_state[_RAW] = raw
        await self.run_pipeline(context, handler.on_turn)
        return context.turn_state.get(_ANSWER)


def teams_route(auth: InboundAuth, turns: Turns) -> Handler:
    """The handler of ``POST /api/messages``: 413, 400, 401, 503, or stored and 202 (invokes: 200 and their card)."""
    adapter, handler = _Adapter(), _Handler(turns)

    async def messages(request: web.Request) -> web.Response:
        raw = await _activity(request)
        try:
            await auth.check(request.headers.get("Authorization"), raw)
            answer = await adapter.turn(handler, raw)
        except Unauthorized as error:
            turns.log.warning("teams_request_refused", why=str(error))
            return web.Response(status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        except (IssuerUnavailable, SQLAlchemyError, OSError) as error:
            turns.log.warning("teams_request_not_taken", why=f"{type(error).__name__}: {error}")
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "5"})
        if answer is None:
            return web.Response(status=HTTPStatus.ACCEPTED)
        return web.json_response(answer.body, status=answer.status)

    return messages


async def _activity(request: web.Request) -> Json:
    body = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > BODY_MAX:
            raise web.HTTPRequestEntityTooLarge(max_size=BODY_MAX, actual_size=len(body))
    try:
        raw = json.loads(bytes(body), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="not JSON") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise web.HTTPBadRequest(text="not an activity")
    return raw


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


@dataclass(kw_only=True)
class Teams:
    """Everything of Teams, put together; ``route`` goes to ``/api/messages``."""

    messenger: TeamsMessenger
    platform: TeamsPlatform
    directory: TeamsDirectory
    tokens: Tokens
    turns: Turns
    route: Handler

    async def close(self) -> None:
        """Close what was opened; the shared session is not its own."""
        await self.tokens.close()


def build_teams(  # noqa: PLR0913  (the composition root names everything)
    settings: Settings,
    http: aiohttp.ClientSession,
    references: References,
    put: Put,
    *,
    commands: frozenset[str],
    forms: frozenset[str],
    view_for: ViewFor = no_view,
    card_at: CardAt = no_card,
    approvers: Approvers = everybody,
    groups: Groups = no_groups,
) -> Teams | None:
    """Teams as the settings want it; None without ``TEAMS_APP_ID``, so that the route does not exist.

    ``commands`` and ``forms`` are the names of the router's commands and of its answers to forms.
    """
    if not teams_enabled(settings):
        return None
    service_urls = ServiceUrls(settings.teams_service_url)
    tokens = tokens_for(settings, http)
    connector = Connector(http=http, tokens=tokens, service_urls=service_urls)
    addresses = Addresses(references=references, service_urls=service_urls, tenant_id=settings.teams_tenant_id)
    rosters = tuple(dict.fromkeys(one.teams for one in settings.route if one.teams))
    directory = TeamsDirectory(
        connector=connector,
        addresses=addresses,
        tenant_id=settings.teams_tenant_id,
        rosters=rosters,
        groups=groups,
    )
    messenger = TeamsMessenger(
        connector=connector,
        addresses=addresses,
        directory=directory,
        app_id=settings.teams_app_id,
        tenant_id=settings.teams_tenant_id,
        approvers=approvers,
    )
    turns = Turns(
        put=put,
        addresses=addresses,
        directory=directory,
        commands=commands,
        view_for=view_for,
        card_at=card_at,
        simulated=settings.simulated,
    )
    return Teams(
        messenger=messenger,
        platform=TeamsPlatform(directory=directory, forms=forms),
        directory=directory,
        tokens=tokens,
        turns=turns,
        route=teams_route(inbound_auth(settings, http), turns),
    )
