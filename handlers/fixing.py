"""Asking for a fix: shared by the command and the buttons."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from adaptive_cards.cards import plan as plan_card
from domain.actor import Actor
from domain.arm import ItemId
from domain.durations import parse_duration
from domain.errors import NotFound, RequestError
from handlers.requests import Answer, Where
from handlers.services import Services

DURATION = "for"
"""``for=2h`` asks for a right that ends by itself; the absolute end becomes the plan's parameter."""


def parameters(pairs: Mapping[str, str], now: datetime) -> dict[str, str]:
    """What was typed as plan parameters; a duration becomes a moment, so that the plan is the same when made again.

    Raises:
        RequestError: the duration cannot be read or is not between 10 minutes and 30 days.
    """
    found = dict(pairs)
    wanted = found.pop(DURATION, "")
    if wanted:
        try:
            duration = parse_duration(wanted)
        except ValueError as error:
            raise RequestError(f"{DURATION}={wanted}: {error}") from error
        if not timedelta(minutes=10) <= duration <= timedelta(days=30):
            raise RequestError(f"{DURATION}={wanted}: choose between 10m and 30d.")
        found["rights_until"] = (now + duration).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return found


async def ask(
    services: Services,
    *,
    fix_id: str,
    item_id: ItemId,
    pairs: Mapping[str, str],
    actor: Actor,
    where: Where,
    incident_id: str = "",
) -> Answer | None:
    """Ask for a fix; guides and read-only installations get their steps or commands at once."""
    fix = services.fixes.get(fix_id)
    if fix is None:
        raise NotFound(f"There is no fix {fix_id}.", nearest=sorted(services.fixes))
    if fix.spec.off_by_default and fix_id not in services.fix_settings.enabled:
        raise RequestError(
            f"{fix.spec.title} is off: it {fix.spec.hands_out or 'hands out a wide right'}. Turn it on with "
            f'enable = ["{fix_id}"] under [fixes] in backupbot.toml.'
        )
    given = parameters(pairs, services.clock.now())
    if fix.spec.guide or services.read_only:
        plan = await services.approvals.plan(fix_id, item_id, given)
        card = plan_card.render(
            plan,
            operator_client_id=services.operator_client_id,
            read_only=services.read_only and not fix.spec.guide,
            simulated=services.simulated,
        )
        return Answer(card=card)
    await services.approvals.ask(
        fix_id=fix_id, item_id=item_id, parameters=given, actor=actor, where=where, incident_id=incident_id
    )
    return None
