"""Calls of the Bot Framework connector: who we are to it, what its refusals mean, and where its token never goes.

Own calls rather than the SDK's client: that one retries nothing, follows redirects, blocks the loop while it fetches a
token, and cannot send private (targeted) messages.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential
from pydantic import SecretStr
from yarl import URL

from bot.settings import Settings
from bot.transports.teams_addresses import ServiceUrls
from bot.workflows.outbox import MessengerError

SCOPE = "https://api.botframework.com/.default"
TOKEN_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"  # noqa: S105  (an address)
EARLIER_S = 300.0
TOKEN_FAILED_WAIT = timedelta(seconds=30)
LONGEST_WAIT_S = 3600.0
WITHIN_S = 15.0
# https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
TRY_AGAIN = frozenset({408, 412, 425, 429, 500, 502, 503, 504})
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


class TeamsRefused(MessengerError):
    """The connector said no; ``status`` is HTTP's, ``code`` the connector's own word, "" when it gave none."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        permanent: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, permanent=permanent, retry_after=retry_after)
        self.status = status
        self.code = code


class Tokens(Protocol):
    """Where the bot's own token comes from."""

    async def token(self) -> str:
        """A token for the connector. MessengerError when there is none just now."""
        ...

    def forget(self) -> None:
        """The connector refused the token: fetch another one next time."""
        ...

    async def close(self) -> None:
        """Close what was opened for it."""
        ...


@dataclass(kw_only=True)
class SecretTokens:
    """The client credentials of a single-tenant application, kept until shortly before they expire."""

    http: aiohttp.ClientSession
    url: str
    app_id: str
    password: SecretStr
    monotonic: Callable[[], float] = time.monotonic
    _token: str = field(default="", repr=False)
    _until: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self) -> str:
        """The token; whoever comes while it is being fetched waits for it."""
        async with self._turn:
            if not self._token or self.monotonic() >= self._until:
                await self._fetch()
            return self._token

    def forget(self) -> None:
        """Fetch anew next time."""
        self._token = ""

    async def close(self) -> None:
        """Nothing is open."""

    async def _fetch(self) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.app_id,
            "client_secret": self.password.get_secret_value(),
            "scope": SCOPE,
        }
        limit = aiohttp.ClientTimeout(total=WITHIN_S)
        try:
            async with self.http.post(self.url, data=form, allow_redirects=False, timeout=limit) as response:
                body, status = _json(await response.text(errors="replace")), response.status
        except _LOST as error:
            raise self._failed(type(error).__name__) from error
        try:
            token, life = str(body["access_token"]), float(body["expires_in"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._failed(_entra_words(status, body)) from error
        self._token = token
        self._until = self.monotonic() + max(life - EARLIER_S, life / 2)

    def _failed(self, why: str) -> MessengerError:
        # Not permanent: when the secret is renewed, what waits is sent.
        return MessengerError(f"no token for Teams: {why}", retry_after=TOKEN_FAILED_WAIT)


def _entra_words(status: int, body: Mapping[str, Any]) -> str:
    """Entra's error and the first line of its description: neither holds the secret."""
    words = f"{body.get('error', f'HTTP {status}')} {body.get('error_description', '')}"
    return words.splitlines()[0][:200].strip()


@dataclass(kw_only=True)
class IdentityTokens:
    """The tokens of a user-assigned managed identity; azure-identity keeps and renews them."""

    credential: ManagedIdentityCredential

    async def token(self) -> str:
        """The token."""
        try:
            return str((await self.credential.get_token(SCOPE)).token)
        except (AzureError, KeyError, ValueError) as error:  # the latter two: an answer that is no token
            first = (str(error).splitlines() or [""])[0][:200]
            raise MessengerError(f"no token for Teams: {first}", retry_after=TOKEN_FAILED_WAIT) from error

    def forget(self) -> None:
        """azure-identity renews what is about to expire; it has no way to be told of a refusal."""

    async def close(self) -> None:
        """Close the credential's own connections."""
        await self.credential.close()


def tokens_for(settings: Settings, http: aiohttp.ClientSession) -> Tokens:
    """By ``TEAMS_APP_TYPE``; ``TEAMS_OUTBOUND_TOKEN_URL`` is asked with client credentials whatever the type."""
    if settings.teams_app_type == "UserAssignedMSI" and not settings.teams_outbound_token_url:
        return IdentityTokens(credential=ManagedIdentityCredential(client_id=settings.teams_app_id))
    return SecretTokens(
        http=http,
        url=settings.teams_outbound_token_url or TOKEN_URL.format(tenant=quote(settings.teams_tenant_id, safe="")),
        app_id=settings.teams_app_id,
        password=settings.teams_app_password,
    )


@dataclass(kw_only=True)
class Connector:
    """The connector's REST API, with refusals as :class:`TeamsRefused`."""

    http: aiohttp.ClientSession
    tokens: Tokens
    service_urls: ServiceUrls
    within_s: float = WITHIN_S

    async def call(
        self,
        method: str,
        service_url: str,
        path: tuple[str, ...],
        *,
        body: Mapping[str, Any] | None = None,
        query: str = "",
    ) -> Mapping[str, Any]:
        """One call; ``path`` follows ``/v3/conversations``, its parts are encoded here.

        Raises:
            TeamsRefused: permanent for what no second attempt changes.
            MessengerError: nothing can be sent just now, or never to that address.
        """
        if not self.service_urls.allowed(service_url):
            raise MessengerError("the service URL is not Microsoft's, so no token was sent there", permanent=True)
        if any(part in {"", ".", ".."} for part in path):
            raise MessengerError("that is no id of a conversation or message", permanent=True)
        way = "/".join(quote(part, safe="") for part in ("v3", "conversations", *path))
        url = URL(f"{service_url.rstrip('/')}/{way}{f'?{query}' if query else ''}", encoded=True)
        try:
            return await self._send(method, url, body)
        except TeamsRefused as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        self.tokens.forget()
        return await self._send(method, url, body)

    async def _send(self, method: str, url: URL, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {await self.tokens.token()}"}
        limit = aiohttp.ClientTimeout(total=self.within_s)
        try:
            async with self.http.request(
                method, url, json=body, headers=headers, allow_redirects=False, timeout=limit
            ) as response:
                text = await response.text(errors="replace")
                status, retry_after = response.status, response.headers.get("Retry-After", "")
        except _LOST as error:
            raise MessengerError(f"Teams did not answer: {type(error).__name__}") from error
        answer = _json(text)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return answer
        refusal = answer.get("error")
        code = str(refusal.get("code", "")) if isinstance(refusal, Mapping) else ""
        raise TeamsRefused(
            f"Teams refused: {code or 'no reason given'} (HTTP {status})",
            status=status,
            code=code,
            permanent=status not in TRY_AGAIN and status != HTTPStatus.UNAUTHORIZED,
            retry_after=wait_of(retry_after),
        )


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def wait_of(retry_after: str) -> timedelta | None:
    """How long a Retry-After header (seconds or a date) asks to wait, a little longer each time anew; None without one."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            at = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()  # noqa: TID251  (the header is on wall time)
    if not 0 <= seconds < float("inf"):
        return None
    # So that many replicas and messages that were told the same do not come back together.
    return timedelta(seconds=min(seconds, LONGEST_WAIT_S) * random.uniform(1.0, 1.25))  # noqa: S311
