"""``help``: what can be asked."""

from collections.abc import AsyncIterator

from adaptive_cards.card import Card, Code, Table, Text, spans
from handlers import router
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.services import Services


def card(commands: tuple[router.CommandSpec, ...], *, simulated: bool) -> Card:
    """One line a command, generated from the commands themselves."""
    rows = tuple((spans(Code(f"/backup {one.usage}")), one.about) for one in commands)
    return Card(
        summary="What you can ask: /backup …",
        elements=(
            Table(("Command", "What it says"), rows, "Commands"),
            Text(
                spans("Try ", Code(f"/backup {_example(commands)}"), "."),
                subtle=True,
            ),
        ),
        severity="info",
        simulated=simulated,
    )


def _example(commands: tuple[router.CommandSpec, ...]) -> str:
    """Of one command its own; of all the one that needs nothing to be known."""
    return commands[0].example if len(commands) == 1 else "status"


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """List every command, or explain one."""
    del command
    commands = router.build().commands
    wanted = [commands[name] for name in words.arguments if name in commands]
    shown = tuple(wanted or commands.values())
    yield Answer(card=card(shown, simulated=services.simulated), private=True)


COMMAND = router.CommandSpec(
    name="help",
    usage="help [command]",
    about="What can be asked, and how.",
    example="help status",
    run=run,
)
