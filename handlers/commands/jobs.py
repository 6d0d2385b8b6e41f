"""``jobs``: what runs in a vault and in which phase, and what failed."""

from collections.abc import AsyncIterator
from datetime import timedelta

from adaptive_cards.cards import jobs as jobs_card
from diagnostics.locate import find_vault
from diagnostics.overview import vault_jobs
from diagnostics.overview.jobs import Only
from domain.durations import DurationError, parse_duration
from domain.errors import RequestError
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

USAGE = "jobs <vault> [failed|running] [24h]"
DAY = timedelta(hours=24)


def split(arguments: tuple[str, ...]) -> tuple[str, Only, timedelta]:
    """The vault, which jobs, and how far back; the last two in any order.

    Raises:
        RequestError: no vault is named, or a word is none of these.
    """
    if not arguments:
        raise RequestError(f"Name the vault: /backup {USAGE}.")
    only: Only = ""
    back = DAY
    for word in arguments[1:]:
        match word.casefold():
            case "failed":
                only = "failed"
            case "running":
                only = "running"
            case other:
                try:
                    back = parse_duration(other)
                except DurationError as error:
                    raise RequestError(f"{word} is neither failed nor running nor a time: /backup {USAGE}.") from error
    return arguments[0], only, back


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """The vault's jobs."""
    del command
    name, only, back = split(words.arguments)
    read, now = services.read(), services.clock.now()
    vault = await find_vault(read, name)
    view = await vault_jobs(read, vault, now, only=only, back=back)
    yield Answer(card=jobs_card.render(view, now, simulated=services.simulated))


COMMAND = CommandSpec(
    name="jobs",
    usage=USAGE,
    about="Which jobs of a vault run, with phase and progress, and which failed, with their error codes.",
    example="jobs vault-prod-01 failed 24h",
    run=run,
)
