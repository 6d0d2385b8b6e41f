"""*Take the right away now*: ends a temporary right before its time."""

from adaptive_cards.cards import message
from domain.errors import RequestError
from handlers.requests import Answer, Press
from handlers.router import ActionSpec
from handlers.services import Services


async def revoke(press: Press, services: Services) -> Answer:
    """Take away what the request handed out."""
    if services.grants is None:
        raise RequestError("This installation hands out no rights.")
    count = await services.grants.end_early(press.value, press.actor)
    noun = "right is" if count == 1 else "rights are"
    return Answer(card=message.done(f"{count} {noun} being taken away", simulated=services.simulated), private=True)


ACTIONS = ActionSpec(press={"grant.revoke": revoke})
