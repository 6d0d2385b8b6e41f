"""The secure webhook of action groups: an Entra token for our own application, signed for Azure Monitor.

https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook
"""

from dataclasses import dataclass

import aiohttp
import jwt
import structlog
from aiohttp import web

from bot.settings import Settings
from bot.transports.teams_auth import IssuerUnavailable, KeyCache
from bot.transports.webhooks import Authenticate, SharedSecret

MONITOR_APP_ID = "461e8683-5575-4561-ac7f-899cc907d62a"
"""Azure Monitor's own application ("AZNS AAD Webhook"), the same in every tenant."""
ENTRA_METADATA = "https://login.microsoftonline.com/{}/v2.0/.well-known/openid-configuration"
ROLE = "ActionGroupsSecureWebhook"
LEEWAY_S = 300
UNAUTHENTICATED, FORBIDDEN = 401, 403


@dataclass(frozen=True, kw_only=True)
class EntraToken:
    """Accepts a token for ``audience`` that Entra signed for Azure Monitor's application with its role.

    401: no token, or one that proves nothing. 403: a good token of somebody else. 503: the keys cannot be fetched.
    """

    audience: str
    keys: KeyCache
    tenant_id: str = ""

    async def __call__(self, request: web.Request) -> int:
        """0, or the status that refuses it."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not token.strip():
            return UNAUTHENTICATED
        try:
            claims = await self._claims(token.strip())
        except IssuerUnavailable:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}) from None
        except jwt.PyJWTError as error:
            structlog.get_logger().info("webhook_token_refused", why=type(error).__name__)
            return UNAUTHENTICATED
        caller = str(claims.get("azp") or claims.get("appid") or "")
        roles = claims.get("roles")
        holds = isinstance(roles, list) and ROLE in roles
        tenant = str(claims.get("tid") or "")
        if self.tenant_id and tenant and tenant.casefold() != self.tenant_id.casefold():
            return FORBIDDEN
        return 0 if caller.casefold() == MONITOR_APP_ID and holds else FORBIDDEN

    async def _claims(self, token: str) -> dict[str, object]:
        kid = jwt.get_unverified_header(token).get("kid")
        key = await self.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        issuers = [self.keys.issuer.replace("{tenantid}", self.tenant_id)]
        if self.tenant_id:
            # Whether the token is of version 1 or 2 is a setting of the application that is called.
            issuers.append(f"https://sts.windows.net/{self.tenant_id}/")
        claims: dict[str, object] = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm="RS256").key,
            algorithms=["RS256"],
            audience=self.audience,
            issuer=issuers,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss", "aud"]},
        )
        return claims


def ways(settings: Settings, http: aiohttp.ClientSession) -> list[Authenticate]:
    """How a request to the webhook may prove where it comes from, as the settings say; none: the webhook is off."""
    secrets = [one.strip() for one in settings.webhook_token.get_secret_value().split(",") if one.strip()]
    found: list[Authenticate] = [SharedSecret(secrets)] if secrets else []
    if settings.webhook_entra_audience:
        tenant = settings.entra_tenant
        metadata_url = settings.webhook_entra_metadata_url or ENTRA_METADATA.format(tenant)
        keys = KeyCache(metadata_url=metadata_url, http=http)
        found.append(EntraToken(audience=settings.webhook_entra_audience, keys=keys, tenant_id=tenant))
    return found
