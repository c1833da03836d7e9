"""The response of a Lambda behind a custom resource to CloudFormation.

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
    """Tell CloudFormation that the resource is ready, or why it failed (`failure`, empty for success).

    Do nothing if the event has no ResponseURL. The URL is signed, so it stays out of the log."""
    if "ResponseURL" not in event:
        return
    answer = {
        "Status": "FAILED" if failure else "SUCCESS",
        "Reason": failure[:_LONGEST_REASON],
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    # The signature of the URL covers an empty content type.
    request = urllib.request.Request(  # noqa: S310 - the URL comes from CloudFormation
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
