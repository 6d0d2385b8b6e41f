"""Overviews as plain JSON: moments as ISO 8601, durations in whole seconds, what is not known as null."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.backup import Server
from domain.finding import Finding
from domain.overview import (
    AgentsView,
    FleetStatus,
    ItemStatus,
    JobsView,
    PostureView,
    RestoreView,
    RpoTable,
    UnreadSubscription,
    VaultStatus,
)
from domain.records import diagnosis_contract, finding_contract

Record = dict[str, Any]


def item_json(item: ItemStatus) -> Record:
    """An item."""
    rpo = item.rpo
    return {
        "item": item.item_id,
        "name": item.name,
        "vault": item.vault_name,
        "place": item.place or None,
        "workload": item.workload.value,
        "state": item.state.value,
        "why": item.why,
        "source": item.source_id or None,
        "policy": item.policy_name or None,
        "last_backup": {"status": item.last_backup_status or None, "at": _iso(item.last_backup_at)},
        "newest_point": _iso(item.newest_point_at),
        "newest_point_inferred": item.point_inferred,
        "error_code": item.error_code or None,
        "failures": item.failures,
        "running_for_s": _seconds(item.running_for),
        "rpo": {
            "state": rpo.state.value,
            "reason": rpo.reason,
            "configured_s": _seconds(rpo.sla_rpo),
            "by_policy_s": _seconds(rpo.policy_rpo),
            "actual_s": _seconds(rpo.age),
            "breached_by_s": _seconds(rpo.breached_by),
            "safe_until": _iso(rpo.safe_until),
            "next_expected": _iso(rpo.next_expected_at),
            "policy_can_meet": rpo.policy_can_meet,
        },
    }


def vault_json(status: VaultStatus) -> Record:
    """A vault; ``unread`` is null when its items were read."""
    return {
        "vault": status.vault_id,
        "name": status.vault_name,
        "unread": status.unread or None,
        "counts": {state.value: count for state, count in status.counts.items()},
        "jobs": {"running": status.jobs_running, "failed_24h": status.jobs_failed},
        "notes": list(status.notes),
        "items": [item_json(item) for item in status.items],
    }


def fleet_json(status: FleetStatus) -> Record:
    """The fleet."""
    return {
        "counts": {state.value: count for state, count in status.counts.items()},
        "unread_vaults": _vaults(status.unread_vaults),
        "unread_subscriptions": _subscriptions(status.unread_subscriptions),
        "vaults": [vault_json(vault) for vault in status.vaults],
    }


def rpo_json(table: RpoTable) -> Record:
    """The RPO table, the worst first."""
    return {
        "vault": table.vault_id or None,
        "counts": {state.value: count for state, count in table.counts.items()} | {"stopped": table.stopped},
        "page": table.page,
        "pages": table.pages,
        "total": table.total,
        "unread_vaults": _vaults(table.unread_vaults),
        "unread_subscriptions": _subscriptions(table.unread_subscriptions),
        "notes": list(table.notes),
        "items": [item_json(item) for item in table.rows],
    }


def jobs_json(view: JobsView) -> Record:
    """The jobs of a vault."""
    return {
        "vault": view.vault_id,
        "name": view.vault_name,
        "only": view.only or None,
        "back_s": _seconds(view.back),
        "az": view.az,
        "notes": list(view.notes),
        "jobs": [
            {
                "job": job.id,
                "id": job.arm_id,
                "operation": job.operation,
                "status": job.status,
                "item": job.item_name,
                "server": job.server or None,
                "started": _iso(job.started_at),
                "ended": _iso(job.ended_at),
                "took_s": _seconds(job.took),
                "phase": job.phase or None,
                "progress_percent": job.progress_percent,
                "error_code": job.error_code or None,
                "error_text": job.error_text or None,
            }
            for job in view.jobs
        ],
    }


def agents_json(view: AgentsView) -> Record:
    """The agents of vaults."""
    return {
        "unread_subscriptions": _subscriptions(view.unread_subscriptions),
        "vaults": [
            {
                "vault": vault.vault_id,
                "name": vault.vault_name,
                "unread": vault.unread or None,
                "servers": [_server(server, finding) for server, finding in vault.servers],
            }
            for vault in view.vaults
        ],
    }


def _server(server: Server, finding: Finding) -> Record:
    return {
        "name": server.name,
        "id": server.id,
        "kind": server.kind,
        "agent_version": server.agent_version or None,
        "server_version": server.server_version or None,
        "last_seen": _iso(server.last_seen_at),
        "items": server.item_count,
        "outcome": finding.outcome.value,
        "summary": finding.summary,
        "suggests": list(finding.suggests),
    }


def posture_json(view: PostureView) -> Record:
    """The checks of vaults, each as ``diagnose`` gives them."""
    return {
        "unread_subscriptions": _subscriptions(view.unread_subscriptions),
        "vaults": [diagnosis_contract(vault) for vault in view.vaults],
    }


def restore_json(view: RestoreView) -> Record:
    """What stands in the way of a restore."""
    return {
        "item": view.item_id,
        "name": view.diagnosis.item_name,
        "vault": view.diagnosis.vault_name,
        "target": {
            "region": view.region or None,
            "vm_size": view.vm_size or None,
            "storage_account": view.storage_account or None,
            "as_failed_restore": view.as_failed,
        },
        "blocked": view.blocked,
        "blockers": [one.check for one in view.blockers],
        "points": {
            "count_30_days": view.points,
            "newest": _iso(view.newest_point_at),
            "unread": view.points_unread or None,
        },
        "complete": view.diagnosis.complete,
        "findings": [finding_contract(finding) for finding in view.diagnosis.findings],
        "cannot_know": list(view.cannot_know),
    }


def _vaults(unread: Sequence[VaultStatus]) -> list[Record]:
    return [{"vault": one.vault_id, "why": one.unread} for one in unread]


def _subscriptions(unread: Sequence[UnreadSubscription]) -> list[Record]:
    return [{"subscription": one.subscription, "why": one.why} for one in unread]


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _seconds(value: timedelta | None) -> int | None:
    return int(value.total_seconds()) if value is not None else None
