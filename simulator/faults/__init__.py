"""The faults that an estate can put into the world: one id each, with the cause and fixes that an expert would name.

A fault only bends the world (a key vault without the grant, a full disk, an old agent); the failed jobs and missing
points follow from the same rules by which everything else runs, and so does the recovery after the right fix.
`repair` is what people do by hand where Azure's API reaches nothing.
"""

from simulator.faults import databases, machines, onpremises, restores, states, vaults
from simulator.faults.base import Fault

FAULTS: dict[str, Fault] = {
    fault.id: fault for module in (machines, states, databases, onpremises, restores, vaults) for fault in module.FAULTS
}

__all__ = ["FAULTS", "Fault"]
