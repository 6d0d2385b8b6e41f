"""What a diagnosis costs in calls to Azure."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from diagnostics import registry
from diagnostics.locate import find_item
from diagnostics.overview import restore_check
from tests.acceptance.support import Scene, scene

MOST_CALLS = 20

Ask = Callable[[Scene, str, str], Awaitable[bool]]


async def asked(found: Scene, since: int) -> list[tuple[str, str, str]]:
    """What the cloud was asked since then, without requests for tokens."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{found.cloud.http}/_sim/requests", params={"since": str(since)}) as answer,
    ):
        return [(one["method"], one["path"].casefold(), one["query"]) for one in await answer.json()]


async def costs(found: Scene, ask: Ask) -> tuple[int, str]:
    """Ask about each item of the estate once; how many that were, and which of them asked twice or too much."""
    pairs = {(one["vault"], one["item"]) for kind in ("faults", "healthy") for one in found.estate[kind]}
    items = sorted(pair for pair in pairs if pair[1] != "-")
    wrong = []
    for vault, item in items:
        before = found.cloud.control.count
        if not await ask(found, vault, item):
            wrong.append(f"{vault} {item} was not answered")
        calls = await asked(found, before)
        twice = [call for call, times in Counter(calls).items() if times > 1]
        if twice or len(calls) > MOST_CALLS:
            listed = "\n  ".join(" ".join(one) for one in calls)
            wrong.append(f"{vault} {item}: {len(calls)} calls, {len(twice)} of them twice\n  {listed}")
    return len(items), "\n".join(wrong)


async def diagnosed(found: Scene, vault: str, item: str) -> bool:
    """A diagnosis from the names to the causes."""
    return (await found.diagnose(vault, item)).complete


async def checked(found: Scene, vault: str, item: str) -> bool:
    """``check-restore`` from the names on, without a target."""
    read = found.azure.read()
    in_vault, protected = await find_item(read, item, vault)
    context = found.context(read, in_vault, protected)
    return (await restore_check(context, registry.discover())).diagnosis.complete


async def test_a_diagnosis_asks_nothing_twice_and_little_in_all(tmp_path: Path) -> None:
    """From the names to the causes, whatever is wrong with an item: no call twice, and at most twenty."""
    async with scene("contoso", tmp_path) as found:
        count, wrong = await costs(found, diagnosed)
        assert "" == wrong
        assert count >= 40  # the estate is as large as it says


async def test_a_restore_is_checked_with_as_little(tmp_path: Path) -> None:
    """So it is where somebody only asks what a restore would need."""
    async with scene("contoso", tmp_path) as found:
        count, wrong = await costs(found, checked)
        assert "" == wrong
        assert count >= 40
