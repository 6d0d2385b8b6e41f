"""One read a question: within one diagnosis, each (method, arguments) is asked of Azure at most once.

Checks that run side by side share a read that is still under way, and its error too: a denied read is denied for
all of them, without asking again.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, cast

from domain.ports import BackupReader


class _Shared:
    """One read and those who wait for it; it is given up when the last of them leaves."""

    def __init__(self, task: "asyncio.Future[object]") -> None:
        self.task = task
        self.waiting = 0
        self.given_up = False

    async def result(self) -> object:
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if self.waiting == 0 and not self.task.done():
                self.given_up = True
                self.task.cancel()


class _Once:
    """A stand-in for a reader whose methods remember what they were asked."""

    def __init__(self, reader: BackupReader) -> None:
        self._reader = reader
        self._reads: dict[Hashable, _Shared] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        found = self._method(name)
        self.__dict__[name] = found  # a signature takes longer to make out than most answers to parse
        return found

    def _method(self, name: str) -> Callable[..., Awaitable[object]]:
        method = cast(Callable[..., Awaitable[object]], getattr(self._reader, name))
        signature = inspect.signature(method)

        async def read(*args: object, **kwargs: object) -> object:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            asked = (name, *(_comparable(value) for value in bound.arguments.values()))
            shared = self._reads.get(asked)
            if shared is None or shared.given_up:
                shared = self._reads[asked] = _Shared(asyncio.ensure_future(method(*args, **kwargs)))
            return await shared.result()

        return read


def _comparable(value: Any) -> Hashable:  # noqa: ANN401  (whatever a reader's method takes)
    """An argument so that two spellings of one ARM id are equal: Azure's ids do not distinguish letter case."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), str(one)) for name, one in value.items()))
    hashable: Hashable = value
    return hashable


def once(reader: BackupReader) -> BackupReader:
    """A reader for one diagnosis that asks ``reader`` each question at most once; errors are shared like answers.

    A reader that does so already is given back: its questions are comparable only once.
    """
    return reader if isinstance(reader, _Once) else cast(BackupReader, _Once(reader))
