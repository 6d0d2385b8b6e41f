"""The command line tells plans the time: the first backup of an item, of which nothing tells the time, can be planned."""

from pathlib import Path

import pytest

from simulator.server import Simulator
from tests.e2e.test_command_line import ask

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("e2e-command-line")]


async def test_the_first_backup_can_be_planned(cloud: Simulator, here: Path) -> None:
    """Whether a backup is running is looked up; nothing says that it could not be told."""
    before = cloud.control.count
    ran = await ask(cloud, here, "plan", "rerun_backup", "vault-prod-02", "vm-fresh-01")
    assert ran.code == 0, ran.err
    assert "could not be told" not in ran.out
    assert any("/backupjobs" in entry["path"].casefold() for entry in cloud.control.log if entry["n"] > before)
