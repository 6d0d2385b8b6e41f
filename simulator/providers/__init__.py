"""What the simulated Resource Manager serves, one module per area; `router` registers them all."""

from simulator.arm.routing import Router
from simulator.providers import (
    activity,
    alerts,
    authorization,
    compute,
    containers,
    crossregion,
    directory,
    graph,
    items,
    jobs,
    keyvault,
    locks,
    points,
    policies,
    resources,
    restores,
    settings,
    storage,
    vaults,
)


def build_router() -> Router:
    """A router with every operation."""
    router = Router()
    for module in (
        activity,
        resources,
        vaults,
        settings,
        jobs,
        items,
        points,
        restores,
        crossregion,
        policies,
        containers,
        compute,
        keyvault,
        storage,
        alerts,
        graph,
        directory,
        locks,
        authorization,
    ):
        module.register(router)
    return router
