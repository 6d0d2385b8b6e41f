"""Finds the handler of a request by method and path.

A pattern is an ARM path with `{parameters}`; it may begin with `{scope}`, which takes any number of segments. Segments
are compared without regard to letter case, as ARM does, on the decoded path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from simulator.arm.call import Answer, Call

Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A registered operation: `action` is the permission that it needs, "" for none."""

    method: str
    pattern: str
    action: str
    handler: Handler
    segments: tuple[str, ...]
    scoped: bool
    versionless: bool
    reads: bool

    def parts(self, path: list[str]) -> dict[str, str] | None:
        """The parameters of a path that fits, else None."""
        found: dict[str, str] = {}
        tail = path
        if self.scoped:
            cut = len(path) - len(self.segments)
            if cut < 0:
                return None
            found["scope"] = "/" + "/".join(path[:cut]) if cut else ""
            tail = path[cut:]
        for wanted, given in zip(self.segments, tail, strict=True):
            if wanted.startswith("{"):
                found[wanted[1:-1]] = given
            elif wanted.casefold() != given.casefold():
                return None
        return found


class Router:
    """All operations that the simulator answers."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, int], list[Route]] = {}
        self._scoped: dict[str, list[Route]] = {}

    def add(
        self,
        method: str,
        pattern: str,
        handler: Handler,
        *,
        action: str = "",
        versionless: bool = False,
        reads: bool = False,
    ) -> None:
        """Registers an operation; `reads` says of a POST that it changes nothing."""
        segments = tuple(pattern.strip("/").split("/"))
        scoped = segments[0] == "{scope}"
        if scoped:
            segments = segments[1:]
        route = Route(method, pattern, action, handler, segments, scoped, versionless, reads or method == "GET")
        if scoped:
            self._scoped.setdefault(method, []).append(route)
        else:
            self._exact.setdefault((method, len(segments)), []).append(route)

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str], str] | None:
        """The operation of a request with its parameters and decoded path; None where nothing fits."""
        path = [segment for segment in unquote(raw_path).split("/") if segment]
        decoded = "/" + "/".join(path)
        for route in self._exact.get((method, len(path)), ()):
            parts = route.parts(path)
            if parts is not None:
                return route, parts, decoded
        for route in self._scoped.get(method, ()):
            if len(path) >= len(route.segments):
                parts = route.parts(path)
                if parts is not None:
                    return route, parts, decoded
        return None
