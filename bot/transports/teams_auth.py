"""Who may post to ``/api/messages``: a strict check of Bot Framework tokens that never blocks and never answers 500.

The SDK's own check answers 500 to most bad tokens, accepts one without an expiry, accepts the emulator's issuer, and fetches
keys with blocking calls. https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt

from bot.settings import Settings
from bot.transports.teams_addresses import ServiceUrls
from bot.transports.teams_payload import tenant_of

Json = dict[str, Any]

ISSUER = "https://api.botframework.com"
METADATA_URL = "https://login.botframework.com/v1/.well-known/openidconfiguration"
CHANNEL = "msteams"
LEEWAY_S = 300
KEYS_FRESH_S = 86_400.0
KEYS_USABLE_S = 2 * KEYS_FRESH_S
BETWEEN_REFRESHES_S = 60.0
BETWEEN_FAILURES_S = 1.0
METADATA_BYTES = 1024 * 1024


class Unauthorized(Exception):
    """The request does not prove that it comes from Teams; the text is for the log, never for the caller."""


class IssuerUnavailable(Exception):
    """The signing keys cannot be fetched just now; the caller may try again."""


def teams_enabled(settings: Settings) -> bool:
    """Whether the route exists at all: without an application id nothing could be checked, so nothing is open."""
    return bool(settings.teams_app_id.strip())


@dataclass(kw_only=True)
class KeyCache:
    """The issuer's keys, kept for a day; a storm of unknown key ids asks the issuer once a minute at most."""

    metadata_url: str
    http: aiohttp.ClientSession
    monotonic: Callable[[], float] = time.monotonic
    issuer: str = ""
    """What the metadata names as the issuer, "" before the first fetch."""
    _keys: dict[str, Json] = field(default_factory=dict)
    _fetched: float = float("-inf")
    _tried: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self, kid: str) -> Json | None:
        """The key with this id, None when the issuer has none.

        Raises:
            IssuerUnavailable: the issuer did not answer and no usable key is at hand.
        """
        if self._is_stale(kid):
            async with self._lock:
                if self._is_stale(kid):  # nobody refreshed while this one waited
                    await self._refresh(kid)
        return self._keys.get(kid)

    def _is_stale(self, kid: str) -> bool:
        age = self.monotonic() - self._fetched
        return age > KEYS_FRESH_S or (kid not in self._keys and age > BETWEEN_REFRESHES_S)

    async def _refresh(self, kid: str) -> None:
        now = self.monotonic()
        try:
            await self._fetch(now)
        except IssuerUnavailable:
            # A known key outlives a short failure of its issuer; for an unknown one there is nothing to go by.
            if kid in self._keys and now - self._fetched < KEYS_USABLE_S:
                return
            raise

    async def _fetch(self, now: float) -> None:
        if now - self._tried < BETWEEN_FAILURES_S:
            raise IssuerUnavailable("the issuer failed a moment ago")
        self._tried = now
        try:
            metadata = await self._json(self.metadata_url)
            keys = await self._json(str(metadata["jwks_uri"]))
            found = {str(key["kid"]): dict(key) for key in keys["keys"] if "kid" in key}
            issuer = str(metadata.get("issuer", ""))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IssuerUnavailable(f"{type(error).__name__}: {error}") from error
        self._keys, self.issuer, self._fetched = found, issuer, self.monotonic()

    async def _json(self, url: str) -> Json:
        limit = aiohttp.ClientTimeout(total=10)
        async with self.http.get(url, allow_redirects=False, timeout=limit) as response:
            response.raise_for_status()
            if response.content_length and response.content_length > METADATA_BYTES:
                raise ValueError("the metadata is too large")
            body: Json = await response.json(content_type=None)
        return body


@dataclass(kw_only=True)
class InboundAuth:
    """Decides whether an activity may be believed.

    ``issuer`` "" means the one that the metadata names. ``tenants`` is the allow-list; only the Teams channel is let in,
    because on Web Chat and Direct Line, which every Azure Bot has, the sender chooses the user's id.
    """

    app_id: str
    keys: KeyCache
    service_urls: ServiceUrls
    tenants: frozenset[str]
    issuer: str = ISSUER

    def __post_init__(self) -> None:
        if not self.app_id.strip():
            raise ValueError("an empty app id would switch authentication off")
        if not self.tenants:
            raise ValueError("an empty list of tenants would let everybody in")

    async def check(self, header: str | None, activity: Mapping[str, Any]) -> None:
        """Return when the token fits the activity.

        Raises:
            Unauthorized: it does not.
            IssuerUnavailable: that cannot be told just now.
        """
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("no bearer token")
        claims = await self._claims(token.strip(), activity)
        service_url = str(claims.get("serviceurl") or claims.get("serviceUrl") or "").rstrip("/")
        if not service_url or service_url != str(activity.get("serviceUrl") or "").rstrip("/"):
            raise Unauthorized("the service URL is not the one in the token")
        if not self.service_urls.allowed(service_url):
            raise Unauthorized(
                "the service URL is not Microsoft's; TEAMS_SERVICE_URL names another one that may be used"
            )
        if tenant_of(activity) not in self.tenants:
            raise Unauthorized("the tenant is not on the list")

    async def _claims(self, token: str, activity: Mapping[str, Any]) -> Json:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = await self.keys.get(kid) if isinstance(kid, str) and kid else None
            if key is None:
                raise Unauthorized("the key is unknown")
            channel, endorsed = activity.get("channelId"), key.get("endorsements")
            if channel != CHANNEL or (endorsed and channel not in endorsed):
                raise Unauthorized("the channel is not Teams, or the key does not stand for it")
            claims: Json = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm="RS256").key,
                algorithms=["RS256"],
                audience=self.app_id,
                issuer=self.issuer or self.keys.issuer or ISSUER,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthorized(f"{type(error).__name__}: {error}") from error
        return claims


def inbound_auth(settings: Settings, http: aiohttp.ClientSession) -> InboundAuth:
    """The check as the settings want it.

    Raises:
        ValueError: no application id or no tenant, which would switch it off.
    """
    own_metadata = settings.teams_openid_metadata_url
    return InboundAuth(
        app_id=settings.teams_app_id.strip(),
        keys=KeyCache(metadata_url=own_metadata or METADATA_URL, http=http),
        service_urls=ServiceUrls(settings.teams_service_url),
        tenants=frozenset({settings.teams_tenant_id} - {""}),
        issuer=settings.teams_token_issuer or ("" if own_metadata else ISSUER),
    )
