"""The button that asks for a fix: ``<fix> <incident or -> <item id>``."""

from domain.arm import ItemId
from domain.errors import RequestError
from handlers.fixing import ask
from handlers.requests import Answer, Press
from handlers.router import ActionSpec
from handlers.services import Services


async def request(press: Press, services: Services) -> Answer | None:
    """Ask for the fix that the button names."""
    fix_id, _, rest = press.value.partition(" ")
    incident_id, _, item = rest.partition(" ")
    try:
        item_id = ItemId.parse(item)
    except ValueError as error:
        raise RequestError("This button belongs to an older version of the bot; ask anew.") from error
    return await ask(
        services,
        fix_id=fix_id,
        item_id=item_id,
        pairs={},
        actor=press.actor,
        where=press.where,
        incident_id="" if incident_id == "-" else incident_id,
    )


ACTIONS = ActionSpec(press={"fix.request": request})
