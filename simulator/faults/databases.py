"""Faults of databases and file shares."""

from datetime import datetime, timedelta

from simulator.faults.base import DATABASES, SCHEDULE_ENDED, Fault, failing, lock, machine, passed, replay, retry
from simulator.world.machines import WORKLOAD_PUBLISHER
from simulator.world.model import Extension, Item, Workload, World

SQL = frozenset({Workload.SQL})
HANA = frozenset({Workload.HANA})
FILES = frozenset({Workload.FILES})


def _chain(code: str, world: World, item: Item, now: datetime) -> None:
    item.more["chain"], item.more["log_until"] = code, now - timedelta(hours=31)
    item.more["scheduled_kind"] = "Log"
    replay(world, item, now)
    for hours in (6, 4, 2):
        retry(item, item.more.get(SCHEDULE_ENDED, now) - timedelta(hours=hours))


def _no_full(world: World, item: Item, now: datetime) -> None:
    _chain("UserErrorParentFullBackupMissing", world, item, now)


def _broken_chain(world: World, item: Item, now: datetime) -> None:
    _chain("UserErrorSQLLSNValidationFailure", world, item, now)


def _host_off(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    target.power, target.agent = "deallocated", "Absent"
    item.more["log_until"] = now - timedelta(hours=30)
    failing(world, item, now)


def _extension(world: World, item: Item, now: datetime) -> None:
    target = machine(world, item)
    kind = "AzureBackupLinuxWorkload" if target.os == "Linux" else "AzureBackupWindowsWorkload"
    target.extensions[kind.casefold()] = Extension(
        kind,
        WORKLOAD_PUBLISHER,
        kind,
        state="Failed",
        message="The workload backup plug-in service does not answer",
    )
    item.more["log_until"] = now - timedelta(hours=28)
    failing(world, item, now)


def _repair_extension(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    for extension in machine(world, item).extensions.values():
        if extension.publisher == WORKLOAD_PUBLISHER:
            extension.state, extension.message = "Succeeded", "Plugin enabled"
    item.more["log_until"] = None


def _hana_hiccup(world: World, item: Item, now: datetime) -> None:
    item.more["log_until"] = now - timedelta(hours=26)
    passed(world, item, now, "UserErrorHANASystemDBNotRunning")


def _share_deleted(world: World, item: Item, now: datetime) -> None:
    world.accounts[item.source_id.casefold()].shares[item.name] = True
    failing(world, item, now)


def _share_back(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    world.accounts[item.source_id.casefold()].shares[item.name] = False


def _account_lock(world: World, item: Item, now: datetime) -> None:
    account = world.accounts[item.source_id.casefold()]
    lock(world, account.id, "freeze", "ReadOnly", "Frozen for an audit")
    failing(world, item, now)


def _unlock_account(world: World, item: Item, now: datetime) -> None:  # noqa: ARG001 one shape of repair
    scope = item.source_id.casefold()
    world.locks = [lock for lock in world.locks if lock.scope.casefold() != scope]


FAULTS = (
    Fault(
        "sql_full_missing",
        "sql_full_backup_missing",
        ("rerun_backup",),
        "Log backups fail because no full backup exists as their parent.",
        SQL,
        _no_full,
    ),
    Fault(
        "sql_log_chain_broken",
        "sql_log_chain_broken",
        ("rerun_backup",),
        "Another tool took a backup: the log chain is broken until the next full one.",
        SQL,
        _broken_chain,
    ),
    Fault(
        "database_host_deallocated",
        "vm_deallocated",
        ("start_vm",),
        "The VM that hosts the database is deallocated.",
        DATABASES,
        _host_off,
        spreads=True,
    ),
    Fault(
        "workload_extension_failed",
        "workload_extension_failed",
        ("guide_repair_vm_agent",),
        "The workload backup extension on the database's VM has failed.",
        DATABASES,
        _extension,
        _repair_extension,
        spreads=True,
    ),
    Fault(
        "hana_system_db_down",
        "transient_failure",
        ("rerun_backup",),
        "SYSTEMDB was down during the last full backup; it runs again.",
        HANA,
        _hana_hiccup,
    ),
    Fault(
        "share_soft_deleted",
        "storage_account_soft_deleted_share",
        (),
        "The file share was deleted in the storage account and waits there in soft-delete state.",
        FILES,
        _share_deleted,
        _share_back,
    ),
    Fault(
        "share_account_locked",
        "lock_blocks_file_share_backup",
        (),
        "A ReadOnly lock on the storage account keeps snapshots from being made.",
        FILES,
        _account_lock,
        _unlock_account,
        spreads=True,
    ),
)
