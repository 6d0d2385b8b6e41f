"""The error codes that simulated backup and restore jobs end with.

Titles are Microsoft's documented ones. Numbers are Microsoft's where a real recording or page shows one; the rest are
made up in the range that Azure Backup uses, so programs must go by the title.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobError:
    """What a failed job says: `title` is empty for the workloads whose errors carry none."""

    title: str
    number: int
    text: str
    advice: tuple[str, ...] = ()


def _error(title: str, number: int, text: str, *advice: str) -> tuple[str, JobError]:
    return title, JobError(title, number, text, advice or (f"See https://aka.ms/AB-{title} and try again.",))


ERRORS: dict[str, JobError] = dict(
    (
        _error(
            "UserErrorKeyVaultPermissionsNotConfigured",
            400247,
            "Azure Backup Service does not have sufficient permissions to Key Vault for backup of encrypted virtual "
            "machines.",
            "Give the Backup Management Service access to the key vault, then run the backup again. "
            "See https://aka.ms/AB-UserErrorKeyVaultPermissionsNotConfigured",
        ),
        _error("UserErrorVmNotFoundV2", 400136, "Virtual machine doesn't exist."),
        _error(
            "UserErrorVmProvisioningStateFailed",
            400221,
            "The virtual machine is in failed provisioning state, so the snapshot could not be taken.",
        ),
        _error(
            "UserErrorVmNotInDesirableState",
            400110,
            "The virtual machine is not in a state that allows backups.",
        ),
        _error(
            "UserErrorGuestAgentStatusUnavailable",
            400011,
            "The guest agent could not report its status to Azure Backup.",
        ),
        _error("AzureVmOffline", 380008, "The virtual machine is not running and the backup needs it running."),
        _error(
            "ExtensionFailedVssWriterInBadState",
            400225,
            "Snapshot operation failed because VSS writers were in a bad state: there is not enough storage space on "
            "volume C: (0x80042306).",
            "Free space on the OS disk of the virtual machine, then run the backup again.",
        ),
        _error(
            "ExtensionOperationFailedForManagedDisks",
            400241,
            "The snapshot extension of the virtual machine failed, so no snapshot of its managed disks was taken.",
        ),
        _error(
            "UserErrorFsFreezeTimeout",
            400226,
            "The file systems of the virtual machine could not be frozen for the snapshot in time.",
        ),
        _error(
            "ExtensionSnapshotFailedNoNetwork",
            400003,
            "The snapshot operation failed because the virtual machine had no network connection for a moment.",
            "Nothing is left to repair when the network is back: run the backup again.",
        ),
        _error(
            "UserErrorRpCollectionLimitReached",
            400228,
            "The restore point collection has reached its limit of 18 points because old ones cannot be deleted.",
            "Remove the lock from the resource group of the restore points.",
        ),
        _error(
            "UserErrorBackupOperationInProgress",
            400115,
            "Another backup of this item is in progress. Wait for its end or cancel it.",
        ),
        _error(
            "UserErrorJobSuccessfullyCancelled",
            400108,
            "The job was cancelled.",
        ),
        _error(
            "VMNotInRunningStateUserError",
            518201,
            "The virtual machine that hosts the database is not running.",
        ),
        _error(
            "UserErrorParentFullBackupMissing",
            518219,
            "This backup needs a full backup as its parent, and none exists.",
            "Run a full backup of the database.",
        ),
        _error(
            "UserErrorSQLLSNValidationFailure",
            518222,
            "Log chain is broken: another tool took a backup of this database.",
            "Run a full backup of the database to start a new chain.",
        ),
        _error(
            "WorkloadExtensionNotReachable",
            518230,
            "The workload backup extension of the virtual machine does not answer.",
        ),
        _error(
            "UserErrorHANASystemDBNotRunning",
            520020,
            "The SYSTEMDB of the HANA system was not running when the backup began.",
        ),
        _error(
            "UserErrorBackupAFSInSoftDeleteState",
            1073872012,
            "The file share is soft deleted. Restore it in the storage account before it can be backed up.",
        ),
        _error(
            "UserErrorStorageAccountIsLocked",
            1073872018,
            "The storage account has a lock that keeps Azure Backup from managing snapshots.",
        ),
        _error(
            "UserErrorSkuNotAvailable",
            400286,
            "The size of the virtual machine is not available in the target region for this subscription.",
        ),
        _error(
            "UserErrorCoreCountSubscriptionQuotaReached",
            400281,
            "The restore needs more cores than the subscription's quota leaves in the target region.",
        ),
        _error(
            "UserErrorVmVaultLocationMismatch",
            400283,
            "The staging storage account is not in the region of the vault.",
        ),
        _error(
            "UserErrorNetworkAclSANotSupported",
            400284,
            "The staging storage account has a firewall that keeps Azure Backup out.",
        ),
        _error(
            "UserErrorResourceIsInLockedState",
            400287,
            "A lock on the target resource group keeps the restore from creating resources.",
        ),
        _error(
            "UserErrorManagedIdentityPermissionsMissing",
            400289,
            "The vault's managed identity has no permission on the staging storage account.",
        ),
        _error(
            "UserErrorCannotRestoreExistingDBWithoutForceOverwrite",
            518240,
            "A database of the name that was chosen exists on the target instance, and the restore may not overwrite it.",
        ),
        _error(
            "UserErrorTargetFileShareFull",
            1073872031,
            "The target file share became full before all files were restored.",
        ),
        (
            "mars_file_in_use",
            JobError(
                "",
                0,
                "The process cannot access the file because it is being used by another process. (0x80070020)",
                ("Find the process that holds the file, or exclude its folder from the backup.",),
            ),
        ),
        (
            "mars_version_mismatch",
            JobError(
                "",
                0,
                "The current operation failed due to an internal service error: the agent's version does not match the "
                "service's. (0x1FBD3)",
                ("Install the latest agent from https://aka.ms/azurebackup_agent",),
            ),
        ),
        (
            "mabs_recovery_point_failed",
            JobError(
                "",
                0,
                "Online recovery point creation failed because the agent on the server is too old for the service. "
                "(0x1FBD3)",
                ("Upgrade the server and its agent.",),
            ),
        ),
    )
)
