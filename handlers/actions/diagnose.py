"""*Check again* and *Done, check again*: diagnose the item that the button names."""

from domain.errors import RequestError
from fixes.registry import target
from handlers.commands.posture import of_vault
from handlers.diagnosing import answer
from handlers.requests import Answer, Press
from handlers.router import ActionSpec
from handlers.services import Services


async def item(press: Press, services: Services) -> Answer:
    """Diagnose, or look at the posture of a vault; the answer comes as a new message."""
    try:
        item_id = target(press.value)
    except ValueError as error:
        raise RequestError("This button belongs to an older version of the bot; ask anew.") from error
    if item_id.name == "-":
        read = services.read()
        return await of_vault(services, read, await read.vault(item_id.vault))
    diagnosis, found, _ = await services.incidents.diagnose(item_id)
    return await answer(services, diagnosis, found)


ACTIONS = ActionSpec(press={"diagnose.item": item})
