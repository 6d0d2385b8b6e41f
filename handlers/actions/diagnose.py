"""*Check again* and *Done, check again*: diagnose the item that the button names."""

from domain.arm import ItemId
from domain.errors import RequestError
from handlers.diagnosing import answer
from handlers.requests import Answer, Press
from handlers.router import ActionSpec
from handlers.services import Services


async def item(press: Press, services: Services) -> Answer:
    """Diagnose; the answer comes as a new message."""
    try:
        item_id = ItemId.parse(press.value)
    except ValueError as error:
        raise RequestError("This button belongs to an older version of the bot; ask anew.") from error
    diagnosis, found, _ = await services.incidents.diagnose(item_id)
    return await answer(services, diagnosis, found)


ACTIONS = ActionSpec(press={"diagnose.item": item})
