"""Questions about many items at once: what status, rpo, jobs, agents, posture and check-restore read and judge."""

from diagnostics.overview.agents import fleet_agents, vault_agents
from diagnostics.overview.jobs import vault_jobs
from diagnostics.overview.posture import fleet_posture, vault_posture
from diagnostics.overview.records import (
    agents_json,
    fleet_json,
    item_json,
    jobs_json,
    posture_json,
    restore_json,
    rpo_json,
    vault_json,
)
from diagnostics.overview.restore import restore_check
from diagnostics.overview.rpo import rpo_table
from diagnostics.overview.status import fleet_status, vault_status

__all__ = [
    "agents_json",
    "fleet_agents",
    "fleet_json",
    "fleet_posture",
    "fleet_status",
    "item_json",
    "jobs_json",
    "posture_json",
    "restore_check",
    "restore_json",
    "rpo_json",
    "rpo_table",
    "vault_agents",
    "vault_jobs",
    "vault_json",
    "vault_posture",
    "vault_status",
]
