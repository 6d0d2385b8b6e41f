"""``fix``: ask for a fix; nothing runs before somebody who may has approved it."""

from collections.abc import AsyncIterator

from diagnostics.locate import find_item, find_vault, nearest
from domain.errors import NotFound, RequestError
from fixes.registry import whole_vault
from handlers.fixing import ask
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """``fix <fix> [vault] <item> [k=v …]``."""
    plain, pairs = words.settings()
    match plain:
        case [fix_id, item]:
            vault = ""
        case [fix_id, vault, item]:
            pass
        case _:
            known = ", ".join(services.fixes)
            raise RequestError(f"Name the fix and the item: /backup fix <fix> <item> [k=v …]. Fixes: {known}.")
    fix_id = fix_id.casefold().replace("-", "_")
    if fix_id not in services.fixes:
        close = nearest(fix_id, services.fixes)
        raise NotFound(f"There is no fix {fix_id}.", nearest=close)
    read = services.read()
    if item == "-":
        if not vault:
            raise RequestError(f"- is the vault itself, so name the vault: /backup fix {fix_id} <vault> -.")
        found = whole_vault(await find_vault(read, vault))
    else:
        _, found = await find_item(read, item, vault)
    incident = await services.incidents.live_for(found.id.id)
    said = await ask(
        services,
        fix_id=fix_id,
        item_id=found.id,
        pairs=pairs,
        actor=command.actor,
        where=command.where,
        incident_id=incident.id if incident else "",
    )
    if said is not None:
        yield said


COMMAND = CommandSpec(
    name="fix",
    usage="fix <fix> [vault] <item> [k=v …]",
    about="Ask for a fix; it runs only after somebody who may has approved it.",
    example="fix rerun_backup vm-web-01",
    run=run,
)
