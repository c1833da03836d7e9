"""Touch a file whenever a request may change a function or a schedule, so that the stand-in looks only then."""

import os
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc, scheduler

VARIABLE = "LOCAL_ACCOUNT_CHANGED"


def patch() -> None:
    """Replace how the emulator answers requests to Lambda and EventBridge Scheduler."""
    changed = Path(os.environ[VARIABLE])
    lambda_svc.handle_request = _telling(lambda_svc.handle_request, changed)
    scheduler.handle_request = _telling(scheduler.handle_request, changed)


def _telling(handle: Any, changed: Path) -> Any:
    async def handle_and_tell(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        answer = await handle(method, path, headers, body, query)
        if method != "GET" and not path.endswith("/invocations"):
            changed.touch()
        return answer

    return handle_and_tell
