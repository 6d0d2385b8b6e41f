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
GRAPH_PATH = "/providers/microsoft.resourcegraph/resources"
GRAPH_QUOTA, GRAPH_WINDOW = 15, 5.0


@dataclass(slots=True)
class Throttle:
    """Counts requests and says when there were too many; time is wall time, as limits are about machines."""

    hourly_limit: int | None = None
    bucket: int | None = None
    refill: float = 25.0
    graph_quota: int | None = None
    monotonic: Callable[[], float] = time.monotonic
    _hours: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _remaining: int = PLENTY
    _queries: dict[str, list[float]] = field(default_factory=dict)

    def configure(self, wish: Json) -> None:
        """Takes hourly_limit, bucket and graph_quota (None switches off) and refill (tokens a second).

        Raises ValueError for anything else.
        """
        unknown = set(wish) - {"hourly_limit", "bucket", "refill", "graph_quota"}
        if unknown:
            raise ValueError(
                f"unknown: {', '.join(sorted(unknown))}; allowed: hourly_limit, bucket, refill, graph_quota"
            )
        self.hourly_limit = wish.get("hourly_limit")
        self.bucket = wish.get("bucket")
        self.refill = float(wish.get("refill", 25.0))
        self.graph_quota = wish.get("graph_quota")
        self._queries.clear()
        self._hours.clear()
        self._buckets.clear()

    def settings(self) -> Json:
        """The limits in force."""
        return {
            "hourly_limit": self.hourly_limit,
            "bucket": self.bucket,
            "refill": self.refill,
            "graph_quota": self.graph_quota,
        }

    def refusal(self, method: str, raw_path: str, oid: str, router: Router) -> ArmError | None:
        """The 429 that this request gets, or None."""
        return (
            self._bucket_refusal(oid)
            or self._graph_refusal(raw_path, oid)
            or self._hourly_refusal(method, raw_path, router)
        )

    def _graph_refusal(self, raw_path: str, oid: str) -> ArmError | None:
        if GRAPH_PATH not in raw_path.casefold():
            return None
        now = self.monotonic()
        recent = [at for at in self._queries.get(oid, ()) if now - at < GRAPH_WINDOW]
        self._queries[oid] = recent
        if self.graph_quota is not None and len(recent) >= self.graph_quota:
            wait = max(1, round(recent[0] + GRAPH_WINDOW - now))
            return ArmError(
                429,
                "RateLimiting",
                "Please provide below info when asking for support: the client application has been throttled.",
                {"Retry-After": str(wait), **self.graph_headers(oid)},
            )
        recent.append(now)
        return None

    def graph_headers(self, oid: str) -> dict[str, str]:
        """How many queries of Resource Graph somebody has left, and when there are new ones."""
        used = len(self._queries.get(oid, ()))
        quota = GRAPH_QUOTA if self.graph_quota is None else self.graph_quota
        left = max(1 if self.graph_quota is None else 0, quota - used)
        return {"x-ms-user-quota-remaining": str(left), "x-ms-user-quota-resets-after": "00:00:05"}

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
