"""Where Teams is reached: which addresses may get the bot's token, and which one belongs to a conversation."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

FIRST_CONTACT = "https://smba.trafficmanager.net/teams"
"""The public cloud's address for a tenant that has sent nothing yet; others are set by ``TEAMS_SERVICE_URL``:
https://learn.microsoft.com/microsoftteams/platform/bots/how-to/conversations/send-proactive-messages"""
# Anybody can register a name below trafficmanager.net, so there only the one host counts.
_HOSTS = frozenset({"smba.trafficmanager.net"})
_MICROSOFTS = (".teams.microsoft.com", ".teams.microsoft.us", ".botframework.com", ".botframework.azure.us")
_HTTPS_PORTS = frozenset({None, 443})
_MESSAGE = ";messageid="
_CHANNEL = re.compile(r"19:[^;]+@thread\.(tacv2|skype)", re.IGNORECASE)
_PERSON = re.compile(r"(29|8):\S+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class ServiceUrls:
    """Which service URLs the bot's token may be sent to: Microsoft's connectors, and the origin of ``own``."""

    def __init__(self, own: str = "") -> None:
        self.own = own.rstrip("/")

    def allowed(self, url: str) -> bool:
        """Whether a bearer token may go to this address."""
        try:
            parts, own = urlsplit(url), urlsplit(self.own)
            port, own_port = parts.port, own.port
        except ValueError:
            return False
        if "@" in parts.netloc or parts.query or parts.fragment or not parts.hostname:
            return False
        if self.own and (parts.scheme, parts.hostname, port) == (own.scheme, own.hostname, own_port):
            return True
        known = parts.hostname in _HOSTS or parts.hostname.endswith(_MICROSOFTS)
        return parts.scheme == "https" and port in _HTTPS_PORTS and known


def channel_of(conversation: str) -> str:
    """The channel that a thread belongs to; any other conversation as it is."""
    return conversation.partition(_MESSAGE)[0]


def thread_root(conversation: str) -> str:
    """The id of the message that a thread's conversation hangs from, "" for other conversations."""
    return conversation.partition(_MESSAGE)[2]


def is_channel(conversation: str) -> bool:
    """Whether this names a channel itself, where a message opens a new thread."""
    return bool(_CHANNEL.fullmatch(conversation))


def is_person(target: str) -> bool:
    """Whether this names a person (a Teams or Entra id) rather than a conversation."""
    return bool(_PERSON.fullmatch(target))


class References(Protocol):
    """Keeps what is known of conversations: small records of strings by key."""

    async def get(self, key: str) -> Mapping[str, str] | None:
        """The record, or None."""
        ...

    async def put(self, key: str, record: Mapping[str, str]) -> None:
        """Keep the record, in place of the one before."""
        ...


@dataclass(kw_only=True)
class Addresses:
    """The service URL of each conversation, as its last activity named it: it is regional, and may change."""

    references: References
    service_urls: ServiceUrls
    tenant_id: str

    async def remember(self, record: Mapping[str, str]) -> None:
        """Keep what an activity says of its conversation, its tenant and its sender (see ``reference_of``)."""
        place = {name: record.get(name, "") for name in ("conversation", "kind", "service_url", "tenant")}
        await self.references.put(f"conversation:{record['conversation']}", place)
        await self.references.put(f"tenant:{record['tenant']}", {"service_url": record["service_url"]})
        person = record.get("entra_id") or record.get("user")
        if person:
            names = ("user", "entra_id", "name", "conversation", "tenant")
            await self.references.put(f"user:{person}", {name: record.get(name, "") for name in names})

    async def service_url(self, conversation: str = "") -> str:
        """Where to send; the fallbacks are the tenant's last address, the setting, and the public cloud's."""
        for key in (f"conversation:{channel_of(conversation)}", f"tenant:{self.tenant_id}"):
            known = await self.references.get(key)
            if known and known.get("service_url"):
                return known["service_url"].rstrip("/")
        return self.service_urls.own or FIRST_CONTACT

    async def seen_in(self, person: str) -> str:
        """A conversation that the person was last seen in, "" when they never wrote."""
        known = await self.references.get(f"user:{person}")
        return known.get("conversation", "") if known else ""
