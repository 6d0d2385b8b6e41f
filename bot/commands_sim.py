"""``backupbot simulate`` and ``backupbot demo``: with the demo, all of the bot that knows the simulator."""

from typing import Annotated

import typer

from domain.errors import SettingsError


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(simulate)
    app.command()(demo)


def simulate(
    *,
    port: Annotated[int, typer.Option(help="The TLS port; 0 picks one.")] = 0,
    http_port: Annotated[int, typer.Option(help="The plain-http control port; 0 picks one.")] = 0,
    estate: Annotated[str, typer.Option(help="contoso, quiet, empty, fleet:VAULTS:ITEMS or a YAML file.")] = "contoso",
    latency_ms: Annotated[int, typer.Option(help="How long every answer takes.")] = 0,
    speed: Annotated[float, typer.Option(help="Divides the length of Azure's own processes.")] = 1.0,
    state_dir: Annotated[str, typer.Option(help="Keep the state here across restarts.")] = "",
) -> None:
    """A simulated Azure on this machine; the first line on stdout is JSON with its addresses and environment."""
    from simulator.estate import EstateError
    from simulator.server import run_simulator

    try:
        run_simulator(
            estate, port=port, http_port=http_port, latency_ms=latency_ms, speed=speed, state_dir=state_dir or None
        )
    except EstateError as error:
        raise SettingsError([f"--estate: {error}"]) from error


def demo(
    *,
    serve: Annotated[bool, typer.Option("--serve", help="Leave it running and print one address to open.")] = False,
    estate: Annotated[str, typer.Option(help="The estate to play in.")] = "contoso",
) -> None:
    """Simulated cloud, chat and bot: plays alert, diagnosis, approval, fix and proof, and prints the story."""
    from bot.demo import run

    raise typer.Exit(run(estate=estate, stay=serve))
