"""What changed the world, line by line, so that a restarted simulator goes on where it stopped.

A world is a pure function of its estate, its first instant and the changes since; keeping those is enough.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Journal:
    """Appends to a file; without one it keeps nothing."""

    path: Path | None = None
    replaying: bool = False

    def write(self, entry: Json) -> None:
        """Adds one entry; it is with the operating system before the caller goes on."""
        if self.path is None or self.replaying:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def request(self, now: datetime, speed: float, request: Any) -> None:  # noqa: ANN401 the pipeline's own record
        """Adds a request that changed something."""
        self.write({"at": now.isoformat(), "speed": speed, "request": asdict(request)})

    def entries(self) -> Iterator[Json]:
        """Everything written so far; a torn last line, as a kill leaves it, is left out."""
        if self.path is None or not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return
