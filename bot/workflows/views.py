"""What Teams asks of a request: who sees its buttons, and how it looks to one person."""

from collections.abc import Callable
from dataclasses import dataclass

from adaptive_cards.card import Card
from bot.store import tables as t
from bot.transports.teams_views import named_people
from bot.workflows import deciding, rows, telling
from bot.workflows.services import Services
from domain.actor import Actor
from domain.approval import State


@dataclass(frozen=True, kw_only=True)
class Views:
    """The views of requests; ``join`` gives the same person with what ``[people]`` knows of them."""

    services: Services
    join: Callable[[Actor], Actor]

    async def approvers(self, card: Card) -> tuple[str, ...]:
        """The Entra ids of those who may decide, when the rule names nobody else."""
        row = await self.services.store.get(t.approvals, card.key)
        if row is None:
            return ()
        rule = rows.approval(row).rule
        return named_people(*rule.approvers, *rule.break_glass)

    async def view_for(self, approval_id: str, actor: Actor) -> Card | None:
        """The card as it stands for somebody who may decide; None for anybody else, and when there is no such request."""
        services = self.services
        row = await services.store.get(t.approvals, approval_id)
        if row is None:
            return None
        current = rows.approval(row)
        if current.state is State.REQUESTED:
            verdict = await deciding.may(services, "approve", current, self.join(actor))
            if not verdict.allowed:
                return None
        return await telling.card_of(services, services.store, current, services.clock.now())
