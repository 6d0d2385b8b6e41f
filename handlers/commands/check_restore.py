"""``check-restore``: what would block a restore, asked before anybody needs it."""

from collections.abc import AsyncIterator

from adaptive_cards.cards import fleet as fleet_card
from adaptive_cards.cards import restore as restore_card
from diagnostics.locate import find_item
from diagnostics.overview import restore_check
from diagnostics.registry import Context, RestoreTarget
from domain.errors import RequestError
from domain.overview import RestoreView
from handlers.grammar import Words
from handlers.requests import Answer, Command
from handlers.router import CommandSpec
from handlers.services import Services

USAGE = "check-restore [vault] <item> [to <region>] [size <vm size>] [storage <account>]"
_WORDS = {"to": "region", "size": "vm_size", "storage": "storage_account"}


def split(arguments: tuple[str, ...]) -> tuple[str, str, RestoreTarget]:
    """The item, its vault ("" where none is named) and the target.

    Raises:
        RequestError: no item is named, or a word has no value.
    """
    first = next((n for n, word in enumerate(arguments) if n > 0 and word.casefold() in _WORDS), len(arguments))
    names, rest = arguments[:first], arguments[first:]
    if not 1 <= len(names) <= 2:  # noqa: PLR2004  (an item, or a vault and an item)
        raise RequestError(f"Name the item: /backup {USAGE}.")
    target: dict[str, str] = {}
    while rest:
        word, *values = rest
        field = _WORDS.get(word.casefold())
        if field is None:
            raise RequestError(f"{word} is not understood: /backup {USAGE}.")
        if not values:
            raise RequestError(f"Say what follows {word}: /backup {USAGE}.")
        target[field] = values[0].replace(" ", "").casefold() if field == "region" else values[0]
        rest = tuple(values[1:])
    vault = names[0] if len(names) > 1 else ""
    return names[-1], vault, RestoreTarget(**target)


def offers(services: Services, view: RestoreView) -> tuple[tuple[str, str], ...]:
    """The fixes that the causes name; the way to the other region is not offered where that way itself is closed."""
    closed = any(one.check == "cross_region_restore_is_possible" for one in view.blockers)
    return tuple(
        (fix_id, title)
        for fix_id, title in services.incidents.offers(view.diagnosis)
        if not (closed and fix_id == "restore_to_other_region")
    )


async def run(command: Command, words: Words, services: Services) -> AsyncIterator[Answer]:
    """Run the checks of a restore."""
    del command
    name, in_vault, target = split(words.arguments)
    read, simulated = services.read(), services.simulated
    vault, item = await find_item(read, name, in_vault)
    yield Answer(card=fleet_card.working(f"Checking what a restore of {item.name} needs", simulated=simulated))
    context = Context(
        vault=vault,
        item=item,
        read=read,
        clock=services.clock,
        rpo=services.rpo,
        limits=services.limits,
        ledger=services.ledger,
        target=target,
    )
    view = await restore_check(context, services.checks, limit_s=services.limit_s, on_bug=services.on_bug)
    fixes = offers(services, view)
    yield Answer(card=restore_card.render(view, fixes=fixes, now=services.clock.now(), simulated=simulated))


COMMAND = CommandSpec(
    name="check-restore",
    usage=USAGE,
    about="What would block a restore of an item, here or elsewhere, and what nobody can know beforehand.",
    example="check-restore vm-erp-01 to northeurope size Standard_D4s_v5",
    run=run,
)
