"""What a diagnosis costs in calls to Azure."""

from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.support import Scene, scene

MOST_CALLS = 20
MOST_CALLS_AFTER_A_FAILED_RESTORE = 24
"""The checks of the restore join those of the backup: target, storage, locks, the paired region, the service's own word."""


async def asked(found: Scene, since: int) -> list[tuple[str, str, str]]:
    """What the cloud was asked since then, without requests for tokens."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{found.cloud.http}/_sim/requests", params={"since": str(since)}) as answer,
    ):
        return [(one["method"], one["path"].casefold(), one["query"]) for one in await answer.json()]


@pytest.mark.parametrize(
    ("vault", "item"),
    [
        ("vault-prod-01", "vm-erp-01"),
        ("vault-prod-01", "vm-app-01"),
        ("vault-prod-02", "vm-mail-01"),
        ("vault-prod-02", "vm-big-01"),
        ("vault-restore-01", "vm-ident-01"),
        ("vault-restore-01", "vm-stage-01"),
        ("vault-sql-01", "archive"),
        ("vault-files-01", "audit"),
        ("vault-branch-01", "D:\\Exports"),
    ],
)
async def test_a_diagnosis_asks_nothing_twice_and_little_in_all(vault: str, item: str, tmp_path: Path) -> None:
    """From the names to the causes: no call twice, and at most twenty; a few more when a restore failed too."""
    async with scene("contoso", tmp_path) as found:
        before = found.cloud.control.count
        diagnosis = await found.diagnose(vault, item)
        calls = await asked(found, before)
        assert diagnosis.complete
        assert [] == [call for call, times in Counter(calls).items() if times > 1]
        most = MOST_CALLS_AFTER_A_FAILED_RESTORE if vault == "vault-restore-01" else MOST_CALLS
        assert len(calls) <= most, "\n".join(" ".join(one) for one in calls)
