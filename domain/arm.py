"""ARM ids: parsing, comparing, naming.

Azure spells the same id in several ways (``/Subscriptions/``, ``resourcegroups``, ``iaasvmcontainer``), so ids are
compared through :func:`key` and shown as Azure gave them.
"""

from dataclasses import dataclass
from typing import Self

VAULT_PROVIDER = "Microsoft.RecoveryServices"


def key(arm_id: str) -> str:
    """The form in which two spellings of one id are equal."""
    return arm_id.strip().rstrip("/").casefold()


def segments(arm_id: str) -> dict[str, str]:
    """The id as pairs of type and name, types in lower case: ``{"subscriptions": "…", "vaults": "…"}``."""
    parts = [part for part in arm_id.split("/") if part]
    pairs: dict[str, str] = {}
    index = 0
    while index < len(parts) - 1:
        pairs[parts[index].casefold()] = parts[index + 1]
        index += 2
    return pairs


def name_of(arm_id: str) -> str:
    """The last segment: the resource's own name."""
    return arm_id.rstrip("/").rpartition("/")[2]


def subscription_of(arm_id: str) -> str:
    """The subscription id, or ""."""
    return segments(arm_id).get("subscriptions", "")


def resource_group_of(arm_id: str) -> str:
    """The resource group's name, or ""."""
    return segments(arm_id).get("resourcegroups", "")


def resource_group_id(arm_id: str) -> str:
    """The id of the resource group that holds ``arm_id``."""
    return f"/subscriptions/{subscription_of(arm_id)}/resourceGroups/{resource_group_of(arm_id)}"


@dataclass(frozen=True, order=True)
class VaultId:
    """A Recovery Services vault."""

    subscription: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, arm_id: str) -> Self:
        """The vault that ``arm_id`` is, or lies in. Raises ValueError when there is none."""
        pairs = segments(arm_id)
        try:
            return cls(pairs["subscriptions"], pairs["resourcegroups"], pairs["vaults"])
        except KeyError as error:
            raise ValueError(f"not the id of a Recovery Services vault: {arm_id}") from error

    @property
    def id(self) -> str:
        """The ARM id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/{VAULT_PROVIDER}/vaults/{self.name}"
        )

    @property
    def key(self) -> str:
        """The id in the form that compares."""
        return key(self.id)


@dataclass(frozen=True, order=True)
class ItemId:
    """A protected item: a VM, a database, a share, a server's files."""

    vault: VaultId
    fabric: str
    container: str
    name: str

    @classmethod
    def parse(cls, arm_id: str) -> Self:
        """The item with that id. Raises ValueError when it is not an item's id."""
        pairs = segments(arm_id)
        try:
            return cls(
                VaultId.parse(arm_id),
                pairs["backupfabrics"],
                pairs["protectioncontainers"],
                pairs["protecteditems"],
            )
        except KeyError as error:
            raise ValueError(f"not the id of a protected item: {arm_id}") from error

    @property
    def id(self) -> str:
        """The ARM id."""
        return (
            f"{self.vault.id}/backupFabrics/{self.fabric}"
            f"/protectionContainers/{self.container}/protectedItems/{self.name}"
        )

    @property
    def key(self) -> str:
        """The id in the form that compares."""
        return key(self.id)
