"""The whole bot on both platforms at once: simulated cloud, fake Slack, fake Teams, real routes, real store."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot.app import App, build, running
from bot.settings import load
from bot.store import chain
from bot.store import tables as t
from simulator.chat_people import BACKUP_CHANNEL, TEAMS_CHANNEL, Person
from simulator.senders import AzureMonitorSender, SlackSender, TeamsSender
from simulator.server import Simulator
from simulator.slack import FakeSlack
from simulator.slack_state import SlackMessage
from simulator.teams import FakeTeams
from simulator.teams_issuer import Issuer
from simulator.teams_state import TeamsMessage
from tests.cards.oracles import check_slack, check_teams, objects, slack_text, teams_text
from tests.waiting import until

Json = dict[str, Any]
SECRET = "signing-secret-of-both"
TOKEN = "webhook-token-of-both"
_KEYS = Issuer()  # RSA keys take longer to make than most tests

ROUTE = f"""
[[route]]
vault = "*"
slack = "{BACKUP_CHANNEL}"
teams = "{TEAMS_CHANNEL}"
mention = ["slack-group:S0ONCALL"]
"""
RULES = (
    ROUTE
    + """
[[approvals.rule]]
name = "both platforms"
fix = "*"
requesters = ["*"]
approvers = ["email:ana@contoso.com", "email:max@contoso.com", "email:ben@contoso.com", "email:gus@fabrikam.com",
             "email:xaver@fabrikam.com"]
"""
)


def executes(card: Json, title: str) -> list[tuple[str, Json]]:
    """(verb, data) of every Action.Execute with this title, as a client reads them from the card."""
    return [
        (one["verb"], one["data"])
        for one in objects(card)
        if one.get("type") == "Action.Execute" and one.get("title") == title
    ]


def element(blocks: list[Json], label: str) -> tuple[str, str | None]:
    """(action id, value) of a Slack button or menu entry."""
    for one in objects(blocks):
        if one.get("type") == "button" and one["text"]["text"] == label:
            return one["action_id"], one.get("value")
        for option in one.get("options") or ():
            if option["text"]["text"] == label:
                return one["action_id"], option["value"]
    raise LookupError(f"no button {label}")


@dataclass(kw_only=True)
class Stage:
    """Everything, running, and hands to act with on either platform."""

    cloud: Simulator
    slack: FakeSlack
    teams: FakeTeams
    app: App
    url: str
    on_slack: SlackSender
    on_teams: TeamsSender
    monitor: AzureMonitorSender

    # -- what is seen ----------------------------------------------------------------------------------------------

    def teams_messages(self, words: str, *, to: Person | None = None) -> list[TeamsMessage]:
        """Messages on Teams whose latest card holds these words: public ones, or those that only a person sees."""
        found = []
        for one in self.teams.messages.values():
            private = one.targeted_to or (one.conversation if one.conversation.startswith("a:") else None)
            mine = private in {to.teams_id, f"a:{to.handle}"} if to else private is None
            if mine and not one.deleted and words in f"{one.activity.get('summary')}\x00{teams_text(one.card)}":
                found.append(one)
        return found

    async def teams_card(self, words: str, *, to: Person | None = None) -> TeamsMessage:
        """Wait for the newest message on Teams with these words."""
        return (await until(f"on Teams: {words}", lambda: self.teams_messages(words, to=to)))[-1]

    def slack_messages(self, words: str, *, to: Person | None = None) -> list[SlackMessage]:
        """Messages on Slack whose latest state holds these words: public ones, or notices to one person."""
        everything = self.slack.ephemerals if to else list(self.slack.messages.values())
        return [
            one
            for one in everything
            if not one.deleted
            and one.only_for == (to.slack_id if to else None)
            and words in f"{one.text}\x00{slack_text(one.blocks)}"
        ]

    async def slack_card(self, words: str, *, to: Person | None = None) -> SlackMessage:
        """Wait for the newest message on Slack with these words."""
        return (await until(f"on Slack: {words}", lambda: self.slack_messages(words, to=to)))[-1]

    async def told(self, platform: str, person: Person, words: str) -> None:
        """Wait until a person was told something that only they see."""
        await (self.teams_card(words, to=person) if platform == "teams" else self.slack_card(words, to=person))

    # -- what is done ----------------------------------------------------------------------------------------------

    async def say(self, platform: str, person: Person, text: str) -> None:
        """Type a command: into the channel with a mention on Teams, as a slash command on Slack."""
        if platform == "teams":
            reply = await self.on_teams.message(person, text, kind="channel")
            assert 202 == reply.status, reply
        else:
            reply = await self.on_slack.command(person, text)
            assert 200 == reply.status, reply

    async def press(self, platform: str, person: Person, message: TeamsMessage | SlackMessage, label: str) -> Json:
        """Press a button of a message; on Teams the direct answer comes back."""
        if isinstance(message, SlackMessage):
            action_id, value = element(message.blocks, label)
            reply = await self.on_slack.click(person, message, action_id, value)
            assert (200, "slack") == (reply.status, platform)
            return {}
        verb, data = executes(message.card, label)[0]
        assert platform == "teams"
        return await self.execute(person, message, verb, data)

    async def execute(self, person: Person, message: TeamsMessage, verb: str, data: Json) -> Json:
        """Send an Action.Execute, whose answer must be a card that Teams takes."""
        reply = await self.on_teams.execute(person, message, verb, data)
        assert 200 == reply.status, reply
        answer = dict(reply.body)
        if answer["type"].endswith("adaptive"):
            check_teams(answer["value"])
        return answer

    # -- what is known ---------------------------------------------------------------------------------------------

    async def request(self, item: str, *, after: int = 0) -> str:
        """Wait for the newest request for an item; its id."""

        async def look() -> str | None:
            found = await self.app.store.all(
                sa.select(t.approvals.c.id).where(t.approvals.c.item_name == item).order_by(t.approvals.c.created_at)
            )
            return str(found[-1]["id"]) if len(found) > after else None

        return await until(f"a request for {item}", look)

    async def state(self, approval_id: str) -> str:
        """The state of a request."""
        row = await self.app.store.get(t.approvals, approval_id)
        assert row is not None
        return str(row["state"])

    async def reaches(self, approval_id: str, *states: str) -> str:
        """Wait until a request is in one of these states."""

        async def look() -> str | None:
            found = await self.state(approval_id)
            return found if found in states else None

        return await until(f"{approval_id} {'/'.join(states)}", look)

    async def audit(self, subject: str) -> list[tuple[str, str]]:
        """(event, name of the person) of every line about something."""
        found = await self.app.store.all(sa.select(t.audit).where(t.audit.c.subject == subject).order_by(t.audit.c.n))
        return [(row["event"], row["actor"]["name"]) for row in found]

    async def inbox_count(self) -> int:
        """How many things that came in were ever stored."""
        return len(await self.app.store.all(sa.select(t.inbox.c.id)))

    def writes(self, words: str) -> list[Json]:
        """Requests that changed something in the cloud and whose path has these words."""
        return [
            one
            for one in self.cloud.control.log
            if one["method"] not in {"GET", "HEAD"} and words.casefold() in one["path"].casefold()
        ]

    # -- what must always hold -------------------------------------------------------------------------------------

    async def check_everything(self) -> None:
        """Every card that was ever posted is one that its platform takes, and the record's chain holds."""
        for message in self.teams.messages.values():
            for activity in message.history:
                content = activity["attachments"][0]["content"]
                check_teams(content)
                assert len(json.dumps(content).encode("utf-16-le")) <= 28 * 1024
                assert 0 < len(activity["summary"]) <= 140
        for posted in self.slack.messages.values():
            for state in posted.history:
                if posted.user == "U0BOT" and state.get("blocks"):
                    check_slack(state["blocks"])
        verdict = chain.verify(await self.app.store.all(sa.select(t.audit).order_by(t.audit.c.n)))
        assert verdict.ok, verdict.fault


@asynccontextmanager
async def stage(
    directory: Path,
    *,
    toml: str = RULES,
    estate: str = "contoso",
    speed: float = 1000.0,
    slack: FakeSlack | None = None,
    teams: FakeTeams | None = None,
    dress: Any = None,
    **more: str,
) -> AsyncIterator[Stage]:
    """The bot with both platforms on; at the end every card and the record are checked."""
    config = directory / "backupbot.toml"
    config.write_text(toml, encoding="utf-8")
    async with AsyncExitStack() as stack:
        cloud = await stack.enter_async_context(Simulator(estate, speed=speed))
        chat = await stack.enter_async_context(slack or FakeSlack())
        other = await stack.enter_async_context(
            teams or FakeTeams(issuer=Issuer(key=_KEYS.key, stray_key=_KEYS.stray_key))
        )
        environ = {
            **cloud.env,
            "BACKUPBOT_CONFIG": str(config),
            "BACKUPBOT_HOST": "127.0.0.1",
            "BACKUPBOT_PORT": "0",
            "BACKUPBOT_JOB_POLL": "0.3s",
            "DATABASE_URL": f"sqlite:///{directory / 'both.db'}",
            "SLACK_BOT_TOKEN": chat.bot_token,
            "SLACK_SIGNING_SECRET": SECRET,
            "SLACK_API_URL": chat.api_url,
            "TEAMS_APP_ID": other.app_id,
            "TEAMS_APP_PASSWORD": other.app_password,
            "TEAMS_TENANT_ID": other.tenant_id,
            "TEAMS_SERVICE_URL": other.service_url,
            "TEAMS_OPENID_METADATA_URL": other.metadata_url,
            "TEAMS_TOKEN_ISSUER": other.issuer.issuer,
            "TEAMS_OUTBOUND_TOKEN_URL": other.token_url,
            "WEBHOOK_TOKEN": TOKEN,
            **more,
        }
        settings = load({name: value for name, value in environ.items() if value}, directory=directory)
        overrides = {"dress": dress} if dress else {}
        app = await stack.enter_async_context(build(settings, **overrides))
        url = await stack.enter_async_context(running(app))
        running_stage = Stage(
            cloud=cloud,
            slack=chat,
            teams=other,
            app=app,
            url=url,
            on_slack=await stack.enter_async_context(SlackSender(chat, url, SECRET)),
            on_teams=await stack.enter_async_context(TeamsSender(other, url)),
            monitor=await stack.enter_async_context(AzureMonitorSender(url, token=TOKEN)),
        )
        yield running_stage
        await running_stage.check_everything()
