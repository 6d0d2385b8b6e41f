"""What a VM says of its extensions, in as few reads as tell it."""

from collections.abc import Sequence

from diagnostics.guest import HANDLER, is_snapshot, is_workload_backup
from diagnostics.registry import Context
from domain.backup import ExtensionStatus


async def extensions_of(context: Context, vm_id: str) -> Sequence[ExtensionStatus]:
    """The VM's extensions with their messages: out of the VM's own body, where its agent has told of those of the backup.

    Of a VM whose agent is silent the instance view says nothing about them; then the list of extensions is asked, which may.

    Raises:
        ResourceNotFound: there is no such VM.
        GatewayError: it could not be read.
    """
    extensions = (await context.read.virtual_machine(vm_id)).extensions
    if all(_told(one) for one in extensions if is_snapshot(one) or is_workload_backup(one)):
        return extensions
    return await context.read.extensions(vm_id)


def _told(extension: ExtensionStatus) -> bool:
    """Whether the extension itself has a status, and not only its handler."""
    return any(not code.casefold().startswith(HANDLER) for code, _, _ in extension.statuses)
