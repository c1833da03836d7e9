"""Limit requests to Lambda's control plane as Lambda does; MiniStack 1.5.33 has no limit.

All but GetFunction (100 a second) and Invoke share 15 requests a second for the account and Region (Lambda Developer
Guide, "Lambda quotas", API requests). Calls that the emulator makes inside itself for a stack or a state machine are
not counted. The stand-in's looks at what is deployed are none of the account's and are not counted either. Switch
`lambda_quota`.
"""

import math
import threading
import time
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json
from ministack.core.router import extract_access_key_id
from ministack.services import lambda_svc
from switched import switches

_STAND_IN_KEY = "test"
_GET_FUNCTION_PER_SECOND = 100
_WITHOUT = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})


class Bucket:
    """Tokens that come back evenly, at most as many as a second brings."""

    def __init__(self) -> None:
        self._tokens, self._at = math.inf, time.monotonic()
        self._lock = threading.Lock()

    def take(self, per_second: float) -> bool:
        """Take a token; return False if there is none."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(per_second, self._tokens + (now - self._at) * per_second)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def patch() -> None:
    """Replace how the emulator answers requests to Lambda."""
    handle = lambda_svc.handle_request
    shared, for_functions = Bucket(), Bucket()

    async def handle_within_quota(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        operation = iam_actions._match_rest_action("lambda", method, path) or ""
        quota = switches().lambda_quota
        if quota and operation not in _WITHOUT and extract_access_key_id(headers, query) != _STAND_IN_KEY:
            get_function = operation == "GetFunction"
            there = for_functions.take(_GET_FUNCTION_PER_SECOND) if get_function else shared.take(quota)
            if not there:
                return error_response_json("TooManyRequestsException", "Rate exceeded", 429)
        return await handle(method, path, headers, body, query)

    lambda_svc.handle_request = handle_within_quota
