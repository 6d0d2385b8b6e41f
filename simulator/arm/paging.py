"""Lists in pages: `value` and a `nextLink` that carries the place in an opaque `$skipToken`."""

import base64
from collections.abc import Sequence
from urllib.parse import quote

from simulator.arm.call import Answer, ArmError, Call
from simulator.world.model import Json


def _encode(position: int) -> str:
    return base64.b64encode(f"p={position};s=a+b/c".encode()).decode()


def position(token: str) -> int:
    """The place that a skip token stands for; raises a 400 for a token that this simulator did not make."""
    try:
        text = base64.b64decode(token, validate=True).decode()
        return int(text.removeprefix("p=").partition(";")[0])
    except ValueError as error:
        raise ArmError(400, "BadRequest", "The $skipToken is not valid.") from error


def paged(call: Call, rows: Sequence[Json]) -> Answer:
    """One page of `rows`, beginning where the request's $skipToken says."""
    token = call.query.get("$skiptoken")
    start = position(token) if token else 0
    body: Json = {"value": list(rows[start : start + call.page_size])}
    if start + call.page_size < len(rows):
        kept = {k: v for k, v in call.query.items() if k not in ("$skiptoken", "api-version")}
        pairs = [("api-version", call.api_version), *kept.items(), ("$skipToken", _encode(start + call.page_size))]
        query = "&".join(f"{quote(k, safe='$')}={quote(v, safe='')}" for k, v in pairs)
        body["nextLink"] = f"{call.origin}{quote(call.path, safe='/;')}?{query}"
    return Answer(200, body)
