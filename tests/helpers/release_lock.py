"""The release of the run lock, as the state machine does it."""

import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

_MACHINE = Path(__file__).parents[2] / "statemachine/optimize.asl.json"
_EXECUTION = "{% $states.context.Execution.Name %}"


def release_lock(dynamodb: Any, table: str, run_id: str) -> None:
    """Send the request of the state ReleaseLock; like its catcher, accept that another run holds the lock."""
    request = json.dumps(json.loads(_MACHINE.read_text())["States"]["ReleaseLock"]["Arguments"])
    try:
        dynamodb.delete_item(**json.loads(request.replace("${Table}", table).replace(_EXECUTION, run_id)))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
