"""A token issuer of the simulated Bot Framework and Entra: keys, metadata and tokens with any claims."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from simulator.chat_wire import Json

KEY_ID = "sim-1"
TOKEN_LIFE_S = 3600


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """One RSA key, published with its endorsements; `issuer` is the `iss` claim and may be set once known."""

    issuer: str = ""
    endorsements: tuple[str, ...] = ("msteams",)
    key: rsa.RSAPrivateKey = field(default_factory=_new_key)
    stray_key: rsa.RSAPrivateKey = field(default_factory=_new_key)

    def jwks(self) -> Json:
        """Return the JSON Web Key Set with the public key and its endorsements."""
        public: Json = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        known = {"kid": KEY_ID, "x5t": KEY_ID, "use": "sig", "alg": "RS256"}
        return {"keys": [{**public, **known, "endorsements": list(self.endorsements)}]}

    def metadata(self, base: str) -> Json:
        """Return the OpenID metadata document; `base` is the address under which `/keys` is served."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{base}/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }

    def token(
        self,
        claims: Json,
        *,
        without: tuple[str, ...] = (),
        algorithm: str = "RS256",
        key_id: str | None = KEY_ID,
        own_key: bool = True,
    ) -> str:
        """Return a token with `iss`, `nbf`, `exp` and the given claims, which win; `without` takes claims away.

        `algorithm` may be `none`, or `HS256`, which signs with the public key's PEM text as in a key confusion;
        `own_key=False` signs with a key that nobody publishes; `key_id=None` leaves the header out.
        """
        now = int(time.time())
        full = {"iss": self.issuer, "nbf": now - 5, "iat": now - 5, "exp": now + TOKEN_LIFE_S, **claims}
        body = {name: value for name, value in full.items() if name not in without}
        headers = {} if key_id is None else {"kid": key_id}
        if algorithm == "none":
            return jwt.encode(body, "", algorithm="none", headers=headers)
        if algorithm == "HS256":
            return self._confused(body, headers)
        private = self.key if own_key else self.stray_key
        return jwt.encode(body, private, algorithm=algorithm, headers=headers)

    def _confused(self, body: Json, headers: dict[str, str]) -> str:
        # By hand, because PyJWT rightly refuses to sign with a public key.
        secret = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT", **headers}, body)]
        digest = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, _base64(digest)])

    def claims(self, token: str, audience: str) -> Json:
        """Return the claims of a token of this issuer for an audience; `jwt.PyJWTError` for any other."""
        public = self.key.public_key()
        found: Json = jwt.decode(token, public, algorithms=["RS256"], audience=audience, issuer=self.issuer)
        return found
