"""``diagnose``: what is wrong with one item, with its evidence and the fixes to try."""

from collections.abc import AsyncIterator

from diagnostics.locate import find_item
from domain.errors import RequestError
from handlers.diagnosing import with_progress
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """``diagnose [vault] item``."""
    del command
    match words.arguments:
        case [item]:
            vault = ""
        case [vault, item]:
            pass
        case _:
            raise RequestError(
                "Name the item, and its vault where the name is not enough: /backup diagnose [vault] <item>."
            )
    read = services.read()
    in_vault, found = await find_item(read, item, vault)
    async for answer in with_progress(services, read, in_vault, found):
        yield answer


COMMAND = CommandSpec(
    name="diagnose",
    usage="diagnose [vault] <item>",
    about="What is wrong with an item: causes with their evidence, and the fixes to try.",
    example="diagnose vault-prod-01 vm-erp-01",
    run=run,
)
