"""``backupbot simulate`` and ``backupbot demo``: with the demo, all of the bot that knows the simulator."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from domain.errors import BotError, SettingsError

if TYPE_CHECKING:
    from bot.app import App
    from bot.demo import Stage
    from simulator.server import Simulator
    from simulator.slack import FakeSlack


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
    import asyncio

    raise typer.Exit(asyncio.run(_demo(estate, stay=serve)))


async def _demo(estate: str, *, stay: bool) -> int:
    import tempfile
    from pathlib import Path

    from bot import demo as story
    from bot import logs
    from simulator.estate import EstateError
    from simulator.server import Simulator
    from simulator.slack import FakeSlack

    logs.set_up(quiet=True)
    say(
        "backupbot demo: a simulated Azure and Slack on this machine, the real bot between them. Nothing leaves 127.0.0.1."
    )
    with tempfile.TemporaryDirectory(prefix="backupbot-demo-") as directory:
        try:
            async with Simulator(estate, speed=SPEED) as cloud, FakeSlack() as chat:
                stage = _stage(cloud, chat)
                drawn: dict[str, str] = {}
                async with story.bot_on(stage, Path(directory), drawn) as (app, url):
                    say(f"   simulated Azure {cloud.arm}, Slack {chat.origin}, bot {url}")
                    if stay:
                        await _stay(stage, cloud, chat, app, url, drawn)
                        return 0
                    await story.play(stage, app, url, say)
        except EstateError as error:
            raise SettingsError([f"--estate: {error}"]) from error
        except SettingsError:
            raise
        except (story.DemoFailed, BotError, OSError, ExceptionGroup) as error:
            say(f"\nThe demo failed: {story.explain(error)}")
            return 1
    say(story.NEXT)
    return 0


SPEED = 240.0
"""A backup of half an hour takes 7.5 s."""
SIGNING_SECRET = "signing-secret-of-the-demo"  # noqa: S105  (between two programs on this machine, for a minute)
WEBHOOK_TOKEN = "webhook-token-of-the-demo"  # noqa: S105  (as above)


def say(line: str) -> None:
    """Print a line of the story at once."""
    print(line, flush=True)  # noqa: T201


def _stage(cloud: "Simulator", chat: "FakeSlack") -> "Stage":
    from bot.demo import Stage
    from simulator import chat_people as cast
    from simulator.senders import AzureMonitorSender, SlackSender

    async def alert(url: str, body: "Mapping[str, Any]") -> int:
        async with AzureMonitorSender(url, token=WEBHOOK_TOKEN) as sender:
            return (await sender.alert(dict(body))).status

    async def command(url: str, person: "cast.Person", text: str) -> int:
        async with SlackSender(chat, url, SIGNING_SECRET) as sender:
            return (await sender.command(person, text)).status

    async def press(url: str, person: "cast.Person", key: str, label: str) -> int:
        message = next((one for one in chat.messages.values() if _key(one.state) == key), None)
        if message is None:
            raise LookupError(f"there is no message {key}")
        button = _button(message.blocks, label)
        async with SlackSender(chat, url, SIGNING_SECRET) as sender:
            return (await sender.click(person, message, button["action_id"], button.get("value"))).status

    return Stage(
        environment={
            **cloud.env,
            "SLACK_BOT_TOKEN": chat.bot_token,
            "SLACK_SIGNING_SECRET": SIGNING_SECRET,
            "SLACK_API_URL": chat.api_url,
            "WEBHOOK_TOKEN": WEBHOOK_TOKEN,
        },
        on_call=cast.MAX,
        approver=cast.ANA,
        stranger=cast.EVE,
        channel=cast.BACKUP_CHANNEL,
        alert=alert,
        command=command,
        press=press,
        notices=lambda: [(one.only_for or "", one.text) for one in chat.ephemerals],
    )


def _key(state: "Mapping[str, Any]") -> str:
    metadata = state.get("metadata") or {}
    return str((metadata.get("event_payload") or {}).get("key", ""))


def _button(blocks: "Sequence[Mapping[str, Any]]", label: str) -> "Mapping[str, Any]":
    for block in blocks:
        for element in block.get("elements") or ():
            if element.get("type") == "button" and element["text"]["text"] == label:
                return dict(element)
    raise LookupError(f"the message has no button {label}")


async def _stay(
    stage: "Stage", cloud: "Simulator", chat: "FakeSlack", app: "App", url: str, drawn: "Mapping[str, str]"
) -> None:
    import asyncio
    import signal

    from bot import demo as story
    from simulator.chat import ChatPage

    def html_of(message: "Mapping[str, Any]") -> str | None:
        return drawn.get(story.blocks_key(message.get("blocks") or ()))

    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with ChatPage(chat, url, SIGNING_SECRET, cloud.http, html_of) as page:
        try:
            await stage.alert(url, await story.alert_for(app, "vault-prod-01", "vm-erp-01"))
        except (story.DemoFailed, BotError) as error:
            say(f"   No alert to begin with: {story.explain(error)}")
        say(f"\n   Open {page.url}\n   Ctrl-C ends it.")
        await stopped.wait()
