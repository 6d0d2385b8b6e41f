"""What a set of permissions allows: Azure's rule of actions minus not-actions, with ``*`` as wildcard."""

import re
from collections.abc import Iterable, Mapping
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


def reaches(scope: str, target: str) -> bool:
    """Whether an assignment at ``scope`` counts at ``target``: there, or inherited from above."""
    upper, lower = scope.casefold().rstrip("/"), target.casefold().rstrip("/")
    return lower == upper or lower.startswith(f"{upper}/")


def may_deny(assignment: Mapping[str, object], principal_id: str, action: str) -> bool:
    """Whether a deny assignment (Azure's JSON) may take ``action`` from a person.

    Who is in a group cannot be seen from here, so one that names a group or everybody counts unless the person is left out
    by name. Source: https://learn.microsoft.com/azure/role-based-access-control/deny-assignments
    """
    properties = _mapping(assignment.get("properties"))
    me = principal_id.casefold()
    if any(str(one.get("id")).casefold() == me for one in _mappings(properties.get("excludePrincipals"))):
        return False
    others = [
        one
        for one in _mappings(properties.get("principals"))
        if str(one.get("type")) in {"User", "ServicePrincipal"} and str(one.get("id")).casefold() != me
    ]
    named = _mappings(properties.get("principals"))
    if named and len(others) == len(named):
        return False
    return any(
        _matches(_words(one.get("actions")), action) and not _matches(_words(one.get("notActions")), action)
        for one in _mappings(properties.get("permissions"))
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()
