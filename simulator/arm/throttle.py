"""Azure's two kinds of throttling, off until `/_sim/throttle` or a test switches them on.

Recovery Services counts requests per action, subscription and hour; Resource Manager keeps a token bucket per identity.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from simulator.arm.call import ArmError
from simulator.arm.routing import Router
from simulator.world.model import Json

HOUR = 3600.0
PLENTY = 12000
CHARGED = "microsoft.recoveryservices/"


@dataclass(slots=True)
class Throttle:
    """Counts requests and says when there were too many; time is wall time, as limits are about machines."""

    hourly_limit: int | None = None
    bucket: int | None = None
    refill: float = 25.0
    monotonic: Callable[[], float] = time.monotonic
    _hours: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _remaining: int = PLENTY

    def configure(self, wish: Json) -> None:
        """Takes hourly_limit and bucket (None switches off) and refill (tokens a second); raises ValueError."""
        unknown = set(wish) - {"hourly_limit", "bucket", "refill"}
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; allowed: hourly_limit, bucket, refill")
        self.hourly_limit = wish.get("hourly_limit")
        self.bucket = wish.get("bucket")
        self.refill = float(wish.get("refill", 25.0))
        self._hours.clear()
        self._buckets.clear()

    def settings(self) -> Json:
        """The limits in force."""
        return {"hourly_limit": self.hourly_limit, "bucket": self.bucket, "refill": self.refill}

    def refusal(self, method: str, raw_path: str, oid: str, router: Router) -> ArmError | None:
        """The 429 that this request gets, or None."""
        return self._bucket_refusal(oid) or self._hourly_refusal(method, raw_path, router)

    def _bucket_refusal(self, oid: str) -> ArmError | None:
        if self.bucket is None:
            return None
        now = self.monotonic()
        seen, tokens = self._buckets.get(oid, (now, float(self.bucket)))
        tokens = min(float(self.bucket), tokens + (now - seen) * self.refill)
        if tokens < 1:
            wait = max(1, round((1 - tokens) / self.refill))
            self._buckets[oid] = (now, tokens)
            return ArmError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of requests for the principal '{oid}' exceeded the limit. Please try again after '{wait}' seconds.",
                {"Retry-After": str(wait)},
            )
        self._buckets[oid] = (now, tokens - 1)
        return None

    def _hourly_refusal(self, method: str, raw_path: str, router: Router) -> ArmError | None:
        found = router.find(method, raw_path)
        action = found[0].action if found else ""
        if not action.casefold().startswith(CHARGED):
            return None
        match = re.match(r"/subscriptions/([^/]+)", unquote(raw_path), re.IGNORECASE)
        key = (match[1].casefold() if match else "", action.casefold())
        now = self.monotonic()
        begun, used = self._hours.get(key, (now, 0))
        if now - begun >= HOUR:
            begun, used = now, 0
        limit = self.hourly_limit if self.hourly_limit is not None else PLENTY
        self._remaining = max(0 if self.hourly_limit is not None else 1000, limit - used - 1)
        if self.hourly_limit is not None and used >= limit:
            wait = max(1, round(begun + HOUR - now))
            return ArmError(
                429,
                "ResourceRequestsThrottled",
                f"Number of requests for action '{action}' exceeded the limit of '{limit}' for time interval "
                f"'01:00:00'. Please try again after '{wait}' seconds.",
                {"Retry-After": str(wait)},
            )
        self._hours[key] = (begun, used + 1)
        return None

    def headers(self, action: str) -> dict[str, str]:
        """The headers that tell how much is left."""
        if action.casefold().startswith(CHARGED):
            return {
                "x-ms-ratelimit-remaining-subscription-resource-requests": str(self._remaining),
                "x-ms-throttling-version": "v1",
            }
        return {"x-ms-ratelimit-remaining-subscription-reads": str(PLENTY - 1)} if action else {}
