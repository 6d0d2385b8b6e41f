"""Plays the demo's story and leaves its cards in a directory: Adaptive Card JSON and pages for `render.mjs`.

python -m tools.pictures DIRECTORY
"""

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from adaptive_cards import codec, html, slack, teams, text
from adaptive_cards.card import Card
from bot import demo, logs
from bot.app import App
from bot.commands_sim import SPEED, _stage
from bot.store import tables as t
from simulator.server import Simulator
from simulator.slack import FakeSlack

PAGE = Path(__file__).parents[2] / "simulator" / "chat_page.html"


async def gathered() -> Mapping[str, Card]:
    """The cards of one story, by the name of their picture."""
    found: dict[str, Card] = {}
    with tempfile.TemporaryDirectory() as directory:
        async with Simulator("contoso", speed=SPEED) as cloud, FakeSlack() as chat:
            stage = _stage(cloud, chat)
            async with demo.bot_on(stage, Path(directory), {}) as (app, url):
                watching = asyncio.create_task(_watch(app, found))
                await stage.command(url, stage.on_call, "status")
                await demo.play(stage, app, url, lambda _: None)
                watching.cancel()
    return found


async def _watch(app: App, found: dict[str, Card]) -> None:
    """Keep the newest state that each picture is to show."""
    while True:
        for row in await app.store.all(sa.select(t.outbox)):
            one = codec.load(row["card"])
            if name := _name(row["key"], text.render(one)):
                found[name] = one
        await asyncio.sleep(0.05)


def _name(key: str, words: str) -> str:
    """The picture that a message is, "" for the others."""
    kind, _, rest = key.partition(":")
    if kind == "incident" and rest.endswith(":diagnosis"):
        return "diagnosis"
    if kind == "incident" and ":" not in rest and "CRITICAL" in words and "Best fix" not in words:
        return "incident"
    if kind == "approval" and ":" not in rest:
        states = {"Approval needed": "request", "Being done": "running", "Proved": "proved"}
        return next((name for state, name in states.items() if f"{state}: " in words), "")
    return "status" if kind in {"reply", "whisper"} and "vault" in words and "Nothing was changed" not in words else ""


def page(one: Card) -> str:
    """The card as the chat page draws it."""
    style = re.search(r"<style[^>]*>(.*?)</style>", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>card</title><style>{style[1] if style else ""}'
        "body { display: block; height: auto; min-height: 0 } #root { padding: 12px; width: 620px }</style>"
        f'<body><div id="root">{html.render(one)}</div></body></html>'
    )


def main(directory: Path) -> None:
    """Write everything."""
    directory.mkdir(parents=True, exist_ok=True)
    logs.set_up(quiet=True)
    for name, one in asyncio.run(gathered()).items():
        (directory / f"{name}.card.json").write_text(json.dumps(teams.render(one).content), encoding="utf-8")
        blocks = slack.render(one, revision="picture").blocks
        (directory / f"{name}.blocks.json").write_text(json.dumps(blocks), encoding="utf-8")
        (directory / f"{name}.html").write_text(page(one), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
