"""Every rule about causes; the order decides between causes that are equally well supported."""

from typing import Final

from diagnostics.clues import Rule
from diagnostics.rules import generic, machines, on_premises, posture, protection, restores

_SPECIFIC: Final = (
    *machines.RULES,
    *protection.RULES,
    *restores.RULES,
    *on_premises.RULES,
    *posture.RULES,
)

RULES: Final[tuple[Rule, ...]] = (*_SPECIFIC, *generic.rules(_SPECIFIC))
"""Specific rules first, then those that speak only where nothing specific explains the failure."""
