"""Steps: find and tame the process that holds a file which the MARS agent wants to read."""

import re
from datetime import datetime

from domain.backup import Workload
from domain.fix import FixPlan, Proof, Risk, RunFacts
from domain.ports import BackupReader
from fixes.guides import Failure, guide, last_failure, next_backup_proof
from fixes.planning import require
from fixes.registry import FixSpec, PlanRequest

# A Windows path in the agent's own message; what it names is shown to people and never put into a command.
_PATH = re.compile(r"(?:[A-Za-z]:|\\\\[\w.-]+)\\[^\"'<>|\r\n:*?]{1,200}")
_LOG = r"C:\Program Files\Microsoft Azure Recovery Services Agent\Temp\LastBackupFailedFiles*.txt"


class GuideFileInUse:
    """The steps name the file where the error does."""

    spec = FixSpec(
        id="guide_file_in_use",
        version=1,
        title="How to free a file in use",
        risk=Risk.NONE,
        workloads=frozenset({Workload.MARS}),
        permissions=(),
        docs="https://learn.microsoft.com/azure/backup/backup-azure-mars-troubleshoot",
        summary="Steps that find the process which holds a file (0x80070020), and keep it away during the backup.",
        proof="A backup of the item succeeded after the steps.",
        guide=True,
    )

    async def plan(self, request: PlanRequest, read: BackupReader) -> FixPlan:
        """The steps for this error."""
        require(self.spec, request)
        failure = await last_failure(request, read)
        server = request.item.server_name or request.item.parent_name or "the machine"
        return guide(
            self.spec,
            request,
            sentence=f"Find the process on {server} that holds the file which {request.item.name} cannot back up.",
            facts={"server": server, **failure.facts},
            steps=file_steps(server, failure),
            notes=() if failure.says("0x80070020", "used by another process") else (_OTHER_ERROR,),
        )

    async def verify(self, plan: FixPlan, facts: RunFacts, read: BackupReader, now: datetime) -> Proof:
        """The next backup succeeded."""
        return await next_backup_proof(plan, facts, read, now)


_OTHER_ERROR = "The last failed job does not speak of a file in use (0x80070020); the steps help only if a log does."


def file_steps(server: str, failure: Failure) -> tuple[str, ...]:
    """The steps, in order."""
    named = _PATH.search(failure.text)
    which = f"The error names the file: {named[0].strip()}" if named else f"See which files failed, on {server}: {_LOG}"
    return (
        which,
        (
            f"Find who holds it while it is held: Resource Monitor on {server} > CPU > Associated Handles, search"
            f" for its name;"
            " or handle.exe of Sysinternals."
        ),
        "If it is a virus scanner: exclude the file's folder, the agent's folder and cbengine.exe from its real-time scan.",
        "If it is another backup or copy program: let it run at another time than this backup's schedule.",
        (
            "If it is a database or mailbox: such a file cannot be read while it is open; back it up with a tool"
            " that knows it,"
            " and exclude it here."
        ),
        (
            "To leave the file out: Microsoft Azure Backup > Schedule Backup > Exclusion Settings. What is excluded cannot be"
            " restored."
        ),
        "Run Back Up Now, wait for its end, and press Done: the bot looks at the newest backup again.",
    )


FIX = GuideFileInUse()
