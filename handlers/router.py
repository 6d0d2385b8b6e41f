"""Finds the handler of a request. Commands, buttons and forms are one file each, with no list to edit."""

import difflib
import importlib
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from adaptive_cards.cards import message
from domain.errors import ApprovalError, GatewayError, NotFound, RequestError
from handlers import grammar
from handlers.requests import Answer, Command, Press, Request, Submission
from handlers.services import Services

Run = Callable[[Command, grammar.Words, Services], AsyncIterator[Answer]]
Act = Callable[[Press, Services], Awaitable[Answer | None]]
Take = Callable[[Submission, Services], Awaitable[Answer | None]]


@dataclass(frozen=True, kw_only=True)
class CommandSpec:
    """A command: its grammar as shown in ``help``, one sentence, and an example that parses."""

    name: str
    usage: str
    about: str
    example: str
    run: Run


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """The buttons (``press``) and forms (``submit``) that one file answers, by action name."""

    press: Mapping[str, Act] = field(default_factory=dict)
    submit: Mapping[str, Take] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Router:
    """Every handler by the name it answers to."""

    commands: Mapping[str, CommandSpec]
    press: Mapping[str, Act]
    submit: Mapping[str, Take]

    async def answers(self, request: Request, services: Services) -> AsyncIterator[Answer]:
        """What is said to a request; errors that people can act on become cards."""
        try:
            async for answer in self._handle(request, services):
                yield answer
        except (RequestError, ApprovalError) as error:
            yield Answer(card=message.refused(error, simulated=services.simulated), private=True)
        except GatewayError as error:
            yield Answer(card=message.could_not_look(error, simulated=services.simulated), private=True)

    async def _handle(self, request: Request, services: Services) -> AsyncIterator[Answer]:
        match request:
            case Command():
                words = grammar.parse(request.text)
                async for answer in self._command(words.command).run(request, words, services):
                    yield answer
            case Press():
                act = self.press.get(request.action)
                if act is None:
                    raise RequestError("This button belongs to an older version of the bot; ask anew.")
                if (said := await act(request, services)) is not None:
                    yield said
            case Submission():
                take = self.submit.get(request.action)
                if take is None:
                    raise RequestError("This form belongs to an older version of the bot; ask anew.")
                if (said := await take(request, services)) is not None:
                    yield said

    def _command(self, name: str) -> CommandSpec:
        spec = self.commands.get(name)
        if spec is None:
            close = difflib.get_close_matches(name, self.commands, n=2, cutoff=0.5)
            raise NotFound(f"There is no command {name[:40]!r}.", nearest=close)
        return spec


def build() -> Router:
    """Collect every handler of ``handlers.commands`` and ``handlers.actions``."""
    commands: dict[str, CommandSpec] = {}
    for name in _modules("handlers.commands"):
        spec: CommandSpec = importlib.import_module(name).COMMAND
        commands[spec.name] = spec
    press: dict[str, Act] = {}
    submit: dict[str, Take] = {}
    for name in _modules("handlers.actions"):
        actions: ActionSpec = importlib.import_module(name).ACTIONS
        press |= actions.press
        submit |= actions.submit
    return Router(commands=dict(sorted(commands.items())), press=press, submit=submit)


def _modules(package: str) -> list[str]:
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return [f"{package}.{module.name}" for module in found]
