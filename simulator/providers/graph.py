"""Placeholder."""

from simulator.arm.routing import Router


def register(router: Router) -> None:
    """Registers nothing yet."""
