"""What a set of permissions allows: Azure's rule of actions minus not-actions, with ``*`` as wildcard."""

import re
from collections.abc import Iterable
from functools import lru_cache

from domain.backup import Permission


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.IGNORECASE)


def _matches(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(pattern).fullmatch(action) for pattern in patterns)


def allows(permissions: Iterable[Permission], action: str, *, data: bool = False) -> bool:
    """Whether one of ``permissions`` grants ``action``; a not-action only limits the permission that holds it.

    Source: https://learn.microsoft.com/azure/role-based-access-control/role-definitions
    """
    return any(
        _matches(one.data_actions if data else one.actions, action)
        and not _matches(one.not_data_actions if data else one.not_actions, action)
        for one in permissions
    )


def missing(permissions: Iterable[Permission], actions: Iterable[str], *, data: bool = False) -> tuple[str, ...]:
    """Those of ``actions`` that ``permissions`` do not allow, in the order given."""
    held = tuple(permissions)
    return tuple(action for action in actions if not allows(held, action, data=data))
