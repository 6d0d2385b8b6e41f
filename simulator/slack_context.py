"""What every Web API method of the simulated Slack gets: the workspace, the arguments and helpers to read them."""

from dataclasses import dataclass

from simulator import slack_blocks
from simulator.chat_wire import Json
from simulator.slack_state import SlackError, Workspace


@dataclass(frozen=True)
class Context:
    """What a method works on: the workspace, the arguments, the token's scopes, the server's origin."""

    space: Workspace
    args: Json
    scopes: frozenset[str]
    origin: str

    def need(self, *names: str) -> None:
        """Refuse with `invalid_arguments` when one of the arguments is missing."""
        missing = [name for name in names if not self.args.get(name)]
        if missing:
            raise SlackError("invalid_arguments", *(f"missing required field: {name}" for name in missing))

    def number(self, name: str, default: float) -> float:
        """Return a number that may have come as text; `invalid_<name>` if it is none."""
        try:
            return float(self.args.get(name) or default)
        except (TypeError, ValueError):
            raise SlackError(f"invalid_{name}") from None

    def flag(self, name: str) -> bool:
        """Return a boolean argument that may have come as text."""
        return str(self.args.get(name, "")).lower() in {"true", "1"}

    def view(self, *kinds: str) -> Json:
        """Return the checked `view` argument."""
        self.need("view")
        return slack_blocks.view(self.args["view"], *kinds)
