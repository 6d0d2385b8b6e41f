"""Runs the checks that fit an item, side by side, and turns whatever happens into findings.

Everything that goes wrong with one check stays with that check: a read that failed is UNKNOWN with the missing
permission or the time to try again, a check that takes too long is UNKNOWN, and so is a check with a bug.
"""

import asyncio
import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from diagnostics.cache import once
from diagnostics.causes import rank
from diagnostics.history import restore_trouble
from diagnostics.instant import stopped
from diagnostics.registry import Check, Context, RestoreTarget
from diagnostics.verdicts import blind_finding
from domain.errors import GatewayError, NotFound
from domain.finding import Blind, Diagnosis, Finding, Outcome

OnFinding = Callable[[Finding], Awaitable[None]]
OnBug = Callable[[str, Exception], None]
OnStart = Callable[[str], None]

_ORDER = {Outcome.FAIL: 0, Outcome.UNKNOWN: 1, Outcome.PASS: 2, Outcome.NOT_APPLICABLE: 3}


@dataclass
class _Run:
    """A diagnosis under way."""

    context: Context
    each_s: float
    on_finding: OnFinding | None
    on_bug: OnBug | None
    on_start: OnStart | None = None
    started: dict[str, Check] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    cut_short: bool = False
    """Whether a check was given up because it took too long."""

    async def all(self, checks: Iterable[Check], late: Iterable[Check]) -> None:
        """Run ``checks``, and the ``late`` ones as soon as it is known that a restore failed."""
        async with asyncio.TaskGroup() as group:
            for check in checks:
                self._start(group, check)
            if late:
                group.create_task(self._join(group, tuple(late)))

    def _start(self, group: asyncio.TaskGroup, check: Check) -> None:
        self.started[check.id] = check
        if self.on_start is not None:
            self.on_start(check.id)
        group.create_task(self._one(check), name=check.id)

    async def _join(self, group: asyncio.TaskGroup, late: tuple[Check, ...]) -> None:
        try:
            failed = await restore_trouble(self.context)
        except GatewayError:
            return  # last_restore_succeeded makes the same read and says what is wrong with it
        if failed is not None:
            for check in late:
                self._start(group, check)

    async def _one(self, check: Check) -> None:
        began = self.context.clock.monotonic()
        finding = await self._answer(check)
        finding = replace(finding, seconds=round(self.context.clock.monotonic() - began, 3))
        self.findings[check.id] = finding
        if self.on_finding is not None:
            await self.on_finding(finding)

    async def _answer(self, check: Check) -> Finding:
        misfit = _misfit(check, self.context)
        if misfit:
            return Finding(check=check.id, outcome=Outcome.NOT_APPLICABLE, summary=misfit)
        try:
            async with asyncio.timeout(self.each_s):
                return await check.run(self.context)
        except TimeoutError:
            self.cut_short = True
            return _timed_out(check, self.each_s)
        except GatewayError as error:
            return blind_finding(check.id, error, permissions=check.permissions, now=self.context.clock.now())
        except Exception as error:  # noqa: BLE001  (a bug in one check must not hide what the others found)
            if self.on_bug is not None:
                self.on_bug(check.id, error)
            return Finding(
                check=check.id,
                outcome=Outcome.UNKNOWN,
                summary=f"This check stumbled over what it read ({type(error).__name__}) and says nothing about the item.",
                blind=Blind.SURPRISE,
            )


async def diagnose(  # noqa: PLR0913  (options, all by keyword)
    context: Context,
    checks: Mapping[str, Check],
    *,
    only: tuple[str, ...] = (),
    restore: bool | None = None,
    limit_s: float = 25.0,
    each_s: float = 20.0,
    on_finding: OnFinding | None = None,
    on_bug: OnBug | None = None,
    on_start: OnStart | None = None,
) -> Diagnosis:
    """Run the checks that fit ``context`` side by side and rank the causes of what they found.

    An item runs its own checks; the checks of a restore join in when one of its restores failed lately, when the context
    names a restore target, or always or never as ``restore`` says. A vault (no item) runs the vault's checks. ``only``
    names checks by id and runs just those. A check is given up after ``each_s`` seconds, the diagnosis after ``limit_s``:
    then it is not ``complete``, and what had not answered is UNKNOWN. ``on_finding`` is awaited with each finding as it
    comes and must not raise; ``on_bug`` gets the exception of a check that failed for a reason of its own; ``on_start``
    gets the id of each check that begins, those of a failed restore as soon as that is known.

    Raises:
        NotFound: ``only`` names a check that does not exist.
    """
    context = replace(
        context,
        read=once(context.read),
        clock=stopped(context.clock),
        restoring=context.restoring or restore is True or context.target != RestoreTarget(),
    )
    began = context.clock.monotonic()
    chosen, late = _choose(context, checks, only, restore=restore)
    run = _Run(context=context, each_s=min(each_s, limit_s), on_finding=on_finding, on_bug=on_bug, on_start=on_start)
    try:
        async with asyncio.timeout(limit_s):
            await run.all(chosen, late)
    except TimeoutError:
        run.cut_short = True
    for check in (*chosen, *run.started.values()):
        if check.id not in run.findings:
            run.findings[check.id] = _timed_out(check, limit_s)
    findings = ordered(run.findings.values())
    item = context.item
    return Diagnosis(
        item_id=item.id.id if item else context.vault.id.id,
        item_name=item.name if item else "-",
        vault_name=context.vault.id.name,
        findings=findings,
        causes=rank(findings, workload=item.workload if item else None),
        seconds=round(context.clock.monotonic() - began, 3),
        complete=not run.cut_short,
    )


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """FAIL, UNKNOWN, PASS, NOT_APPLICABLE; within each by the check's id."""
    return tuple(sorted(findings, key=lambda finding: (_ORDER[finding.outcome], finding.check)))


def _choose(
    context: Context, checks: Mapping[str, Check], only: tuple[str, ...], *, restore: bool | None
) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """The checks that run at once, and those that wait until a failed restore is known."""
    if only:
        for name in only:
            if name not in checks:
                nearest = difflib.get_close_matches(name, checks, n=3)
                raise NotFound(f"There is no check {name}.", nearest=nearest)
        return tuple(checks[name] for name in dict.fromkeys(only)), ()
    if context.item is None:
        return tuple(check for check in checks.values() if check.about == "vault"), ()
    fitting = [check for check in checks.values() if context.item.workload in check.workloads]
    own = tuple(check for check in fitting if check.about == "item")
    joining = tuple(check for check in fitting if check.about == "restore")
    if restore is None:
        restore = _restore_is_meant(context) or None
    if restore:
        return (*own, *joining), ()
    return own, joining if restore is None else ()


def _restore_is_meant(context: Context) -> bool:
    return context.restoring or (context.failed_job is not None and context.failed_job.is_restore)


def _misfit(check: Check, context: Context) -> str:
    if context.item is None:
        return "" if check.about == "vault" else "This is asked of a protected item, not of a vault."
    if context.item.workload not in check.workloads:
        return f"This is not asked of a {context.item.workload.words}."
    return ""


def _timed_out(check: Check, limit_s: float) -> Finding:
    return Finding(
        check=check.id,
        outcome=Outcome.UNKNOWN,
        summary=f"Azure did not answer within {limit_s:g} seconds; try again.",
        blind=Blind.TIMED_OUT,
    )
