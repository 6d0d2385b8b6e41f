"""How long Azure's own processes take at speed 1, all in seconds; `--speed X` divides every one of them."""

from dataclasses import dataclass

VM_SNAPSHOT = 600.0
VM_TRANSFER = 1200.0
SQL_BACKUP = 300.0
FILES_BACKUP = 60.0
MARS_BACKUP = 900.0
RESTORE = 1200.0
CROSS_REGION_RESTORE = 1800.0
UNDELETE = 60.0
CANCEL = 120.0
GRANT_EFFECT = 120.0
"""A role assignment or access policy counts only this long after it was written."""
OPERATION = 10.0
"""How long an asynchronous operation of Azure Backup answers InProgress."""
VM_START = 120.0
VM_REAPPLY = 90.0
EXTENSION_DELETE = 60.0
RUN_COMMAND = 20.0
MARS_INSTALL = 240.0
"""How long a script runs that installs the MARS agent."""
MARS_CONTACT = 1800.0
"""How long after an update a MARS agent is in touch with its vault, which shows the new version only then."""
REPLICATION = 6 * 3600.0
"""Lag of the secondary region; never scaled, because it is an age and not a process."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Turns a base length into the length at the simulator's speed."""

    speed: float = 1.0

    def seconds(self, base: float) -> float:
        """The length of a process that takes `base` seconds at speed 1."""
        return base / self.speed
