"""From what people type to what Azure calls it: vaults and items by name, ``rg/name``, ``subscription/rg/name`` or ARM id.

Names are not unique in Azure: an ambiguous one raises with the candidates, an unknown one with the nearest names.
"""

import asyncio
import difflib
from collections.abc import Iterable, Sequence

from domain.arm import ItemId, VaultId
from domain.backup import ProtectedItem, Vault
from domain.errors import Ambiguous, GatewayError, NotFound
from domain.ports import BackupReader

SHOWN = 8


def nearest(name: str, names: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The names that come closest."""
    folded = {one.casefold(): one for one in names}
    return tuple(folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=count, cutoff=0.5))


def _vault_matches(vault: VaultId, parts: Sequence[str]) -> bool:
    mine = (vault.subscription, vault.resource_group, vault.name)
    return all(one.casefold() == other.casefold() for one, other in zip(reversed(mine), reversed(parts), strict=False))


async def find_vault(read: BackupReader, text: str) -> Vault:
    """The vault that ``text`` names.

    Raises:
        NotFound: there is none.
        Ambiguous: there are several.
        GatewayError: the vaults could not be read.
    """
    wanted = text.strip()
    if wanted.startswith("/"):
        try:
            return await read.vault(VaultId.parse(wanted))
        except ValueError as error:
            raise NotFound(f"{wanted} is not the id of a Recovery Services vault.") from error
    vaults = await read.vaults()
    parts = [part for part in wanted.split("/") if part]
    found = [vault for vault in vaults if 0 < len(parts) <= 3 and _vault_matches(vault.id, parts)]  # noqa: PLR2004  (sub/rg/name)
    if len(found) == 1:
        return found[0]
    if found:
        candidates = [f"{one.id.subscription}/{one.id.resource_group}/{one.id.name}" for one in found]
        raise Ambiguous(f"There are {len(found)} vaults named {wanted}; say which one.", candidates=candidates)
    close = nearest(parts[-1] if parts else "", {vault.id.name for vault in vaults})
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    if not vaults:
        hint = " The bot sees no vault at all: check which subscriptions its identity may read (backupbot doctor)."
    raise NotFound(f"There is no vault {wanted}.{hint}", nearest=close)


def _item_matches(item: ProtectedItem, wanted: str) -> bool:
    folded = wanted.casefold()
    names = {item.name.casefold(), item.id.name.casefold()}
    for parent in (item.id.container, item.parent_name, item.server_name):
        names |= {f"{parent}/{item.name}".casefold(), f"{parent}/{item.id.name}".casefold()}
    return folded in names


async def find_item(read: BackupReader, item: str, vault: str = "") -> tuple[Vault, ProtectedItem]:
    """The protected item that ``item`` names, in ``vault`` or, without one, in any vault.

    Raises:
        NotFound: there is none; the closest names are said.
        Ambiguous: there are several, with ``vault/container/name`` for each.
        GatewayError: vaults or items could not be read.
    """
    wanted = item.strip()
    if wanted.startswith("/"):
        try:
            item_id = ItemId.parse(wanted)
        except ValueError as error:
            raise NotFound(f"{wanted} is not the id of a protected item.") from error
        found_vault, found_item = await asyncio.gather(read.vault(item_id.vault), read.item(item_id))
        return found_vault, found_item
    vaults = [await find_vault(read, vault)] if vault else list(await read.vaults())
    listed, unread = await _all_items(read, vaults)
    found = [(of, one) for of, one in listed if _item_matches(one, wanted)]
    live = [pair for pair in found if not pair[1].soft_deleted]
    chosen = live if len(live) == 1 else found
    if len(chosen) == 1:
        return chosen[0]
    place = f" in {vault}" if vault else ""
    if chosen:
        called = _called([of for of, _ in chosen])
        candidates = [
            f"{name} {one.id.container}/{one.name} ({one.workload.words})"
            for name, (_, one) in zip(called[:SHOWN], chosen, strict=False)
        ]
        raise Ambiguous(f"There are {len(chosen)} items named {wanted}{place}; say which one.", candidates=candidates)
    if unread:
        raise unread[0]  # the item may be in the vault that could not be read
    close = nearest(wanted, {one.name for _, one in listed})
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise NotFound(f"There is no protected item {wanted}{place}.{hint}", nearest=close)


def _called(vaults: Sequence[Vault]) -> list[str]:
    """What to type for each vault: its name, or its whole path where another one of them has that name."""
    ids = {of.id.id.casefold(): of.id for of in vaults}.values()
    names = [one.name.casefold() for one in ids]
    return [
        of.id.name
        if names.count(of.id.name.casefold()) == 1
        else f"{of.id.subscription}/{of.id.resource_group}/{of.id.name}"
        for of in vaults
    ]


async def _all_items(
    read: BackupReader, vaults: Sequence[Vault]
) -> tuple[list[tuple[Vault, ProtectedItem]], list[GatewayError]]:
    """The items of all vaults, and why some vaults could not be read."""
    answers = await asyncio.gather(*(read.items(vault.id) for vault in vaults), return_exceptions=True)
    listed: list[tuple[Vault, ProtectedItem]] = []
    failures: list[GatewayError] = []
    for vault, answer in zip(vaults, answers, strict=True):
        if isinstance(answer, BaseException):
            if not isinstance(answer, GatewayError):
                raise answer
            failures.append(answer)
        else:
            listed += [(vault, item) for item in answer]
    return listed, failures
