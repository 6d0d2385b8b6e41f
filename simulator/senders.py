"""Everything that reaches the bot from outside: signed senders for Slack, Teams and Azure Monitor, and the cast."""

import json
import urllib.parse

from simulator.chat_people import ANA, BEN, CAST, EVE, MAX, PERSONAS, Person
from simulator.chat_wire import Json
from simulator.slack_sender import HONEST, Forgery, Reply, Sender, SlackSender, sign
from simulator.teams_issuer import Issuer
from simulator.teams_sender import TeamsSender

__all__ = [
    "ANA",
    "BEN",
    "CAST",
    "EVE",
    "HONEST",
    "MAX",
    "PERSONAS",
    "AzureMonitorSender",
    "Forgery",
    "Person",
    "Reply",
    "Sender",
    "SlackSender",
    "TeamsSender",
    "sign",
]

# The application that signs Azure Monitor's secure webhooks, the same in every tenant; action-groups.md.
MONITOR_APP_ID = "461e8683-5575-4561-ac7f-899cc907d62a"
MONITOR_ROLE = "ActionGroupsSecureWebhook"


class AzureMonitorSender(Sender):
    """Posts alerts to the bot's webhook as an action group does, with a shared token or an Entra token."""

    def __init__(
        self,
        bot_url: str,
        *,
        token: str = "",
        issuer: Issuer | None = None,
        audience: str = "",
        path: str = "/webhooks/azure-monitor",
        within_s: float = 10.0,
    ) -> None:
        super().__init__(bot_url.rstrip("/") + path, within_s=within_s)
        self._token = token
        self._issuer = issuer
        self._audience = audience

    def entra_token(self, **claims: object) -> str:
        """Return the token of a secure webhook; a given claim replaces its like, None takes it away."""
        if self._issuer is None:
            raise LookupError("this sender was made without an issuer")
        full: Json = {
            "aud": self._audience,
            "appid": MONITOR_APP_ID,
            "azp": MONITOR_APP_ID,
            "roles": [MONITOR_ROLE],
            **claims,
        }
        without = tuple(name for name, value in full.items() if value is None)
        return self._issuer.token(full, without=without)

    async def alert(self, alert: Json | bytes, *, in_query: bool = True, bearer: str | None = None) -> Reply:
        """Post an alert (JSON, or raw bytes for a broken one).

        The shared token travels as `?token=`, or as a bearer header with `in_query=False`; `bearer` replaces it.
        """
        body = alert if isinstance(alert, bytes) else json.dumps(alert).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "IcMBroadcaster/1.0"}
        query = ""
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        elif self._token and in_query:
            query = "?" + urllib.parse.urlencode({"token": self._token})
        elif self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return await self.post(body, headers, query=query)
