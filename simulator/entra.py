"""The parts of Microsoft Entra that clients talk to: tokens for applications and managed identities, and their check."""

import secrets
from datetime import datetime

import jwt
from aiohttp import web

from simulator.clock import wall_time
from simulator.world.model import Principal, World, stable_uuid

LIFETIME = 3599
IDENTITY_HEADER = "simulated-identity-header"


class Entra:
    """Issues tokens signed with its own secret, and knows them again."""

    def __init__(self, world: World, secret: str) -> None:
        self.world = world
        self._secret = secret
        self.origin = ""

    def mint(self, who: Principal, audience: str) -> str:
        """A bearer token for somebody."""
        now = int(wall_time().timestamp())
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.world.tenant}/",
            "iat": now,
            "nbf": now - 60,
            "exp": now + LIFETIME,
            "appid": who.client_id,
            "oid": who.oid,
            "sub": who.oid,
            "tid": self.world.tenant,
            "idtyp": "app",
            "ver": "1.0",
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def whose(self, header: str | None) -> str:
        """The object id behind an Authorization header; "" when it is missing, forged or out of date."""
        kind, _, token = (header or "").partition(" ")
        if kind.casefold() != "bearer":
            return ""
        try:
            claims = jwt.decode(
                token, self._secret, algorithms=["HS256"], options={"verify_aud": False, "require": ["exp", "oid"]}
            )
        except jwt.InvalidTokenError:
            return ""
        return str(claims["oid"])

    def challenge(self) -> dict[str, str]:
        """The headers of a 401."""
        uri = f"{self.origin}/{self.world.tenant}"
        return {"WWW-Authenticate": f'Bearer authorization_uri="{uri}", error="invalid_token"'}

    async def token(self, request: web.Request) -> web.Response:
        """`POST /{tenant}/oauth2/v2.0/token` with client credentials."""
        form = await request.post()
        tenant = request.match_info["tenant"]
        if tenant.casefold() not in (self.world.tenant, "organizations", "common"):
            return self._refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return self._refused(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        client = str(form.get("client_id", ""))
        who = self.world.principal_by_client(client)
        if who is None or not who.secret:
            return self._refused(
                400, "unauthorized_client", 700016, f"Application with identifier '{client}' was not found."
            )
        if not secrets.compare_digest(str(form.get("client_secret", "")).encode(), who.secret.encode()):
            return self._refused(401, "invalid_client", 7000215, f"Invalid client secret provided for app '{client}'.")
        scope = str(form.get("scope", "")).split(" ")[0]
        audience = scope.removesuffix("/.default").rstrip("/")
        body = {
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": self.mint(who, audience),
        }
        return web.json_response(body)

    @staticmethod
    def _refused(status: int, error: str, code: int, text: str) -> web.Response:
        now: datetime = wall_time()
        trace = stable_uuid("trace", now.isoformat())
        return web.json_response(
            {
                "error": error,
                "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}",
                "error_codes": [code],
                "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
                "trace_id": trace,
                "correlation_id": trace,
            },
            status=status,
        )

    async def configuration(self, request: web.Request) -> web.Response:
        """`/{tenant}/v2.0/.well-known/openid-configuration`."""
        base = f"{self.origin}/{request.match_info['tenant']}"
        return web.json_response(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "127.0.0.1",
            }
        )

    async def keys(self, request: web.Request) -> web.Response:  # noqa: ARG002 aiohttp's shape of handler
        """The published keys: none, for only this simulator checks its tokens."""
        return web.json_response({"keys": []})

    async def metadata(self, request: web.Request) -> web.Response:
        """`/metadata/endpoints`, by which the Azure command line learns of a cloud."""
        one = {
            "name": "Simulated",
            "portal": "https://portal.azure.com",
            "authentication": {
                "loginEndpoint": f"{self.origin}/",
                "audiences": [self.origin, f"{self.origin}/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "resourceManager": self.origin,
            "graphAudience": self.origin,
            "graph": self.origin,
            "microsoftGraphResourceId": self.origin,
            "batch": self.origin,
            "media": self.origin,
            "gallery": self.origin,
            "activeDirectoryDataLake": self.origin,
            "suffixes": {
                "sqlServerHostname": "database.windows.net",
                "keyVaultDns": "vault.azure.net",
                "storage": "core.windows.net",
                "acrLoginServer": "azurecr.io",
            },
        }
        old = request.query.get("api-version") == "2019-05-01"
        return web.json_response([one] if old else one)

    async def managed_identity(self, request: web.Request) -> web.Response:
        """Managed-identity tokens over plain http: App Service (`/msi/token`) and IMDS, as in Azure."""
        imds = request.path.startswith("/metadata")
        if imds and request.headers.get("Metadata", "").casefold() != "true":
            return web.json_response({"error": "invalid_request"}, status=400)
        if not imds and request.headers.get("X-IDENTITY-HEADER") != IDENTITY_HEADER:
            return web.json_response({"error": "invalid_header"}, status=401)
        client = request.query.get("client_id", "")
        known = self.world.principal_by_client(client) if client else None
        reader = next(p for p in self.world.principals.values() if p.name == "reader")
        who = known or reader
        resource = request.query.get("resource", "")
        expires = int(wall_time().timestamp()) + LIFETIME
        return web.json_response(
            {
                "access_token": self.mint(who, resource.rstrip("/")),
                "expires_on": str(expires),
                "expires_in": str(LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": who.client_id,
            }
        )
