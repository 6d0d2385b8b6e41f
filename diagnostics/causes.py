"""From findings to causes: small declared rules, each with what speaks for it and what speaks against it.

How sure a cause is, from 0 to 1: what speaks for it adds up as independent chances do (two clues of 0.5 make 0.75), each
thing that speaks against it takes its share away, and a cause that merely follows from another one that is well supported
steps back behind it. A row of failures may hold several errors: the earlier ones count too, for less. Nothing here reads
anything: the same findings always give the same causes in the same order.

With nothing wrong there are no causes. With findings that could not be made, and none that explain anything, the one cause is
``no_evidence`` with confidence 0, which says what could not be read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from diagnostics.clues import LAST_BACKUP, LAST_RESTORE, Rule, View
from diagnostics.remedies import fitting
from diagnostics.rules import RULES
from domain.backup import Workload
from domain.finding import Cause, Finding, Outcome

_SPINE: Final = (LAST_BACKUP, "recovery_point_is_recent")
_WORTH_SAYING: Final = 0.1
_MOST: Final = 0.99
_YIELDING: Final = 0.7
_YIELDING_EARLIER: Final = 0.4
"""What failed earlier with another error is not explained by what explains the last failure; it steps back less."""
_EARLIER: Final = 0.8
"""What an error counts that was not the last one of its row."""
_SHOWN: Final = 8


@dataclass(frozen=True, kw_only=True)
class _Weighed:
    rule: Rule
    order: int
    now: float
    earlier: float
    shown_by: tuple[str, ...]
    reasons: tuple[str, ...]
    objections: tuple[str, ...]


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "unknown"


def rank(
    findings: Sequence[Finding], *, workload: Workload | None = None, rules: Sequence[Rule] = RULES
) -> tuple[Cause, ...]:
    """The causes that the findings support, the best supported first, each with reasons and fixes that fit ``workload``."""
    view = View(findings={finding.check: finding for finding in findings}, workload=workload)
    fitting_rules = [rule for rule in rules if workload is None or workload in rule.workloads]
    weighed = [one for order, rule in enumerate(fitting_rules) if (one := _weigh(rule, order, view)) is not None]
    strength = {one.rule.id: _together(one.now, one.earlier) for one in weighed}
    causes = [(_settled(one, strength), one) for one in weighed]
    kept = sorted(
        ((confidence, one) for confidence, one in causes if confidence >= _WORTH_SAYING),
        key=lambda pair: (-pair[0], pair[1].order),
    )
    if not kept:
        return _nothing(view)
    return tuple(_cause(confidence, one, view) for confidence, one in kept[:_SHOWN])


def _weigh(rule: Rule, order: int, view: View) -> _Weighed | None:
    doubt, doubt_earlier, of_targets = 1.0, 1.0, False
    shown_by: dict[str, None] = {}
    reasons: list[str] = []
    for clue in rule.because:
        seen = clue.holds(view)
        if seen:
            doubt *= 1.0 - clue.weight
            shown_by |= dict.fromkeys(seen)
            reasons.append(_words(clue.words, seen[0], view))
        elif clue.of:
            past = next((one for one in view.earlier(clue.of) if clue.holds(one)), None)
            if past is not None:
                seen = clue.holds(past)
                doubt_earlier *= 1.0 - clue.weight * _EARLIER
                of_targets = of_targets or clue.of == LAST_RESTORE
                shown_by |= dict.fromkeys(seen)
                reasons.append(f"of an earlier failure: {_words(clue.words, clue.of, past)}")
    if not reasons:
        return None
    kept = 1.0
    objections: list[str] = []
    for clue in rule.against:
        seen = clue.holds(view)
        if seen:
            kept *= 1.0 - clue.weight
            objections.append(_words(clue.words, seen[0], view))
    return _Weighed(
        rule=rule,
        order=order,
        now=(1.0 - doubt) * kept,
        # What checks say of a restore's target is said of the last one's; an earlier restore had a target of its own.
        earlier=(1.0 - doubt_earlier) * (1.0 if of_targets else kept),
        shown_by=tuple(shown_by),
        reasons=tuple(reasons),
        objections=tuple(objections),
    )


def _settled(one: _Weighed, strength: Mapping[str, float]) -> float:
    """The confidence after stepping back behind the best supported cause of which this is a consequence."""
    above = max((strength.get(other, 0.0) for other in one.rule.yields_to if other != one.rule.id), default=0.0)
    now = one.now * (1.0 - _YIELDING * above)
    earlier = one.earlier * (1.0 - _YIELDING_EARLIER * above)
    return round(min(_together(now, earlier), _MOST), 2)


def _together(one: float, other: float) -> float:
    return 1.0 - (1.0 - one) * (1.0 - other)


def _cause(confidence: float, one: _Weighed, view: View) -> Cause:
    rule = one.rule
    of_code = view.fact(rule.fixes_of_code, "code_fixes").split() if rule.fixes_of_code else []
    return Cause(
        id=rule.id,
        title=_words(rule.title, one.shown_by[0], view),
        confidence=confidence,
        because=one.shown_by,
        reasons=one.reasons,
        against=one.objections,
        fixes=fitting((*of_code, *rule.fixes), view.workload),
    )


def _nothing(view: View) -> tuple[Cause, ...]:
    """No cause: nothing is wrong, or nothing could be seen."""
    findings = sorted(view.findings.values(), key=lambda finding: finding.check)
    blind = [finding for finding in findings if finding.blind.could_not_look]
    failed = [finding for finding in findings if finding.outcome is Outcome.FAIL]
    if not failed and not any(finding.check in _SPINE for finding in blind):
        return ()
    return (
        Cause(
            id="no_evidence",
            title="What was read does not show a cause",
            confidence=0.0,
            because=tuple(finding.check for finding in (*failed, *blind)),
            reasons=tuple(f"{finding.check}: {finding.summary}" for finding in (*failed, *blind)),
        ),
    )


def _words(template: str, check: str, view: View) -> str:
    finding = view.findings.get(check)
    facts = _Facts(finding.facts if finding else {})
    return template.format_map(_Facts({**facts, "summary": finding.summary if finding else ""}))
