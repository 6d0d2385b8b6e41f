"""Questions about many items at once: what status, jobs, rpo, agents and posture read and judge."""

from diagnostics.overview.status import fleet_json, fleet_status, item_json, vault_json, vault_status

__all__ = ["fleet_json", "fleet_status", "item_json", "vault_json", "vault_status"]
