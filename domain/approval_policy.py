"""Who may ask for and decide a fix: pure decisions that return their reason.

The caller resolves group memberships and Azure rights beforehand (see :class:`Standing`); what could not be resolved counts
as no. Default deny: no rule that matches means nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from domain.actor import Actor
from domain.fix import Risk


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One ``[[approvals.rule]]``; the patterns are globs, any one of which may match."""

    fix: tuple[str, ...] = ("*",)
    vault: tuple[str, ...] = ("*",)
    item: tuple[str, ...] = ("*",)
    risk: tuple[str, ...] = ("*",)
    requesters: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    required: int = 1
    self_approval: bool = False
    break_glass: tuple[str, ...] = ()
    name: str = ""

    @property
    def told(self) -> tuple[str, ...]:
        """Who is told of a request: ``notify``, or the approvers."""
        return self.notify or self.approvers


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be decided."""

    fix: str
    vault: str
    item: str
    risk: Risk


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What could be found out about one person beforehand.

    ``groups`` maps a group entry (``slack-group:S…``, ``entra-group:…``) to whether the person is a member, None when the
    group could not be read. ``azure_rbac`` is whether the person could do every call of the plan in Azure themselves, None
    when that could not be read; ``azure_reason`` says why not.
    """

    groups: Mapping[str, bool | None] = field(default_factory=dict)
    azure_rbac: bool | None = None
    azure_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Yes or no, the reason as a sentence, and the entry that gave the right ("" when none did)."""

    allowed: bool
    reason: str
    by: str = ""
    self_approval: bool = False


def _hits(patterns: Sequence[str], value: str) -> bool:
    folded = value.casefold()
    return any(fnmatchcase(folded, pattern.casefold()) for pattern in patterns)


def find_rule(rules: Sequence[Rule], subject: Subject) -> Rule | None:
    """The first rule whose four patterns all match, or None."""
    for rule in rules:
        if (
            _hits(rule.fix, subject.fix)
            and _hits(rule.vault, subject.vault)
            and _hits(rule.item, subject.item)
            and _hits(rule.risk, subject.risk.value)
        ):
            return rule
    return None


def _entry_matches(entry: str, actor: Actor, standing: Standing) -> bool | None:
    """Whether ``entry`` names ``actor``: None when that could not be found out."""
    if entry == "*":
        return True
    if entry == "azure-rbac":
        return standing.azure_rbac
    kind, _, value = entry.partition(":")
    match kind:
        case "email":
            return bool(actor.email_confirmed and actor.email.casefold() == value.casefold())
        case "slack":
            return actor.platform == "slack" and actor.id == value
        case "teams":
            return bool(actor.entra_id) and actor.entra_id.casefold() == value.casefold()
        case "slack-group" | "entra-group":
            return standing.groups.get(entry, None)
        case _:
            return False


def named_by(entries: Sequence[str], actor: Actor, standing: Standing) -> tuple[str, tuple[str, ...]]:
    """(the first entry that names the person or "", the entries that could not be checked)."""
    unreadable: list[str] = []
    for entry in entries:
        match _entry_matches(entry, actor, standing):
            case True:
                return entry, ()
            case None:
                unreadable.append(entry)
    return "", tuple(unreadable)


_ONE_PERSON = frozenset({"email", "slack", "teams"})


def _by_account(entries: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry for entry in entries if entry.partition(":")[0] in {"slack", "teams"})


def _no(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)


def _unknown(entries: Sequence[str]) -> str:
    return f" ({', '.join(entries)} could not be read just now)" if entries else ""


def may_request(rule: Rule | None, actor: Actor, standing: Standing) -> Decision:
    """Whether ``actor`` may ask for the fix."""
    if not actor.may_act and (actor.known or actor.is_foreign):
        return _no(actor.why_not)
    if rule is None:
        return _no("no approval rule covers this fix here, so nobody may ask for it")
    entry, unreadable = named_by(rule.requesters, actor, standing)
    if not entry:
        return _no(f"the rule does not name you among those who may ask{_unknown(unreadable)}")
    return Decision(allowed=True, reason=f"you may ask: the rule names {entry}", by=entry)


def may_approve(
    rule: Rule | None,
    actor: Actor,
    standing: Standing,
    *,
    requesters: Sequence[Actor],
    already: Sequence[Actor] = (),
) -> Decision:
    """Whether ``actor`` may approve what ``requesters`` (who asked, who edited) want.

    ``already`` are those who approved before, when two people are needed.
    """
    if not actor.may_act and (actor.known or actor.is_foreign):
        return _no(actor.why_not)
    if rule is None:
        return _no("no approval rule covers this fix here, so nobody may approve it")
    # Whoever could not be looked up counts only as the account that the platform itself vouches for.
    entries = rule.approvers if actor.known else _by_account(rule.approvers)
    entry, unreadable = named_by(entries, actor, standing)
    if not entry and not actor.known:
        return _no(f"{actor.why_not}; only an approver named by account id may decide without that")
    if not entry:
        why = f"you are not among the approvers{_unknown(unreadable)}"
        if "azure-rbac" in rule.approvers and standing.azure_reason:
            why += f"; in Azure: {standing.azure_reason}"
        return _no(why)
    if any(actor.is_same_human(other) for other in already):
        return _no("you have approved already; another person is needed")
    own = any(actor.is_same_human(other) for other in requesters)
    if own and not rule.self_approval:
        return _no("you asked for it yourself; somebody else must approve (four eyes)")
    others = already if rule.self_approval else (*requesters, *already)
    if not all(actor.is_comparable(other) for other in others):
        return _no(
            "whether you are one of those who asked or approved before cannot be told across Slack and Teams: decide where "
            "it was asked, or let [people] in backupbot.toml name your accounts"
        )
    reason = f"you may approve: the rule names {entry}"
    return Decision(
        allowed=True,
        reason=reason + (", and allows self-approval" if own else ""),
        by=entry,
        self_approval=own,
    )


def may_break_glass(rule: Rule | None, actor: Actor, standing: Standing) -> Decision:
    """Whether ``actor`` may approve alone in an emergency."""
    if not actor.may_act:
        return _no(actor.why_not)
    if rule is None or not rule.break_glass:
        return _no("no rule lets anybody break glass here")
    entry, unreadable = named_by(rule.break_glass, actor, standing)
    if not entry:
        return _no(f"the rule does not name you for emergencies{_unknown(unreadable)}")
    return Decision(allowed=True, reason=f"emergency approval: the rule names {entry}", by=entry)


def satisfiable(rule: Rule | None, requesters: Sequence[Actor] = ()) -> Decision:
    """Whether enough people could approve what ``requesters`` ask; a request that nobody can approve is refused at once.

    Groups, ``azure-rbac`` and ``*`` may always hold somebody else; entries that name one person count as one person.
    """
    if rule is None:
        return _no("no approval rule covers this fix here: add one under [[approvals.rule]] in backupbot.toml")
    if not rule.approvers:
        return _no(f"the rule that covers this fix{f' ({rule.name})' if rule.name else ''} names no approvers")
    if any(entry.partition(":")[0] not in _ONE_PERSON for entry in rule.approvers):
        return Decision(allowed=True, reason="")
    others = [
        entry
        for entry in dict.fromkeys(one.casefold() for one in rule.approvers)
        if rule.self_approval or not any(_names(entry, one) for one in requesters)
    ]
    if len(others) < rule.required:
        return _no(
            f"the rule{f' ({rule.name})' if rule.name else ''} needs {rule.required} of its approvers besides who asks, and "
            f"names {len(others)}"
        )
    return Decision(allowed=True, reason="")


def _names(folded: str, actor: Actor) -> bool:
    """Whether an entry in lower case names this very person."""
    return folded in {
        f"{actor.platform}:{actor.id}".casefold(),
        f"teams:{actor.entra_id}".casefold(),
        f"email:{actor.email}".casefold() if actor.email_confirmed else "",
    }
