"""Sign the password with which an IAM identity logs in to ElastiCache: a presigned request, without its scheme.

Signature Version 4 in query parameters (AWS General Reference, "Create a signed AWS API request"), for the action
`connect` (ElastiCache User Guide, "Authenticating with IAM"). Pure: the time is given.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

# ElastiCache accepts a token for 15 minutes; a connection made with it may then stay open for 12 hours.
VALID_S = 900
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """AWS credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def sign_token(cache_name: str, user: str, region: str, keys: Keys, now: datetime, *, serverless: bool = False) -> str:
    """Return the token for a log-in.

    `cache_name` is the replication group or the serverless cache; ElastiCache keeps it in lower case. `user` is the
    ElastiCache user's name, which for IAM equals its id.
    """
    host = cache_name.lower()
    at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{region}/elasticache/aws4_request"
    parameters = {
        "Action": "connect",
        "User": user,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-Expires": str(VALID_S),
        "X-Amz-SignedHeaders": "host",
    }
    if serverless:
        parameters["ResourceType"] = "ServerlessCache"
    if keys.session_token:
        parameters["X-Amz-Security-Token"] = keys.session_token
    query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(parameters.items()))
    request = "\n".join(("GET", "/", query, f"host:{host}\n", "host", hashlib.sha256(b"").hexdigest()))
    to_sign = "\n".join((_ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{host}/?{query}&X-Amz-Signature={hmac.digest(key, to_sign.encode(), 'sha256').hex()}"
