"""Starts the contoso estate and runs the recipe against it: `python -m tests.az [PATH-OF-AZ]`.

Without a path `az` is taken from PATH. It is no part of the test suite, because the Azure CLI is a 700 MB installation.
"""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from simulator.server import Simulator

SPEED = 60


async def main() -> int:
    """The recipe's exit status; 2 where there is no Azure CLI."""
    az = sys.argv[1] if len(sys.argv) > 1 else shutil.which("az")
    if az is None:
        sys.stderr.write("no Azure CLI: install azure-cli into an environment of its own and pass the path of az\n")
        return 2
    async with Simulator("contoso", speed=SPEED) as sim:
        environment = {
            **os.environ,
            "SIM_ARM": sim.arm,
            "SIM_CA": sim.ca_file,
            "SIM_TENANT": sim.tenant_id,
            "SIM_SUB": sim.subscription_id,
            "SIM_CLIENT_ID": sim.env["AZURE_OPERATOR_CLIENT_ID"],
            "SIM_CLIENT_SECRET": sim.env["AZURE_OPERATOR_CLIENT_SECRET"],
            "SIM_SERVICE": sim.world.backup_service().oid,
        }
        recipe = Path(__file__).with_name("recipe.sh")
        process = await asyncio.create_subprocess_exec("bash", str(recipe), az, env=environment)
        return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
