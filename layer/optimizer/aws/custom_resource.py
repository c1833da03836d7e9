"""What a Lambda behind a custom resource answers CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

_LONGEST_REASON = 1000
_ATTEMPTS = 4
_WITHIN_S = 5


def send(event: Mapping[str, Any], failure: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Say that the resource is as it should be, or why it is not. Nothing where CloudFormation did not ask. The address
    is signed: it stays out of the log."""
    if "ResponseURL" not in event:
        return
    answer = {
        "Status": "FAILED" if failure else "SUCCESS",
        "Reason": failure[:_LONGEST_REASON],
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # CloudFormation's signature covers an empty content type.
    request = urllib.request.Request(  # noqa: S310 - the address that CloudFormation gave
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            urllib.request.urlopen(request, timeout=_WITHIN_S).close()  # noqa: S310 - see above
        except OSError:
            if attempt == _ATTEMPTS:
                raise
            sleep(2.0**attempt)
        else:
            return
