"""Write the lines of a call as Lambda does: with the rights of its role, and some time after its end.

MiniStack 1.5.33 writes them at once and makes the log group where there is none. Lambda hands them over after the call
was answered, and needs its role's rights for each step: a role that may create log groups makes one again that was
deleted meanwhile, without retention (aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws
issue 564; aws/aws-cdk issue 11549). Switch `late_log_lines_s`.

`storedBytes` may be the compressed size, which AWS's price calculator takes for 15 % (to try): switch
`stored_bytes_factor`.
"""

import contextvars
import json
import threading
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch_logs, lambda_svc
from rights import may
from switched import switches

_WRITING = ("logs:CreateLogStream", "logs:PutLogEvents")


def patch() -> None:
    """Replace how the emulator writes the lines of a call."""
    emit = lambda_svc._emit_lambda_logs

    def emit_lines(
        function: dict[str, Any], request_id: str, text: str, error: bool, duration_ms: int, **source: Any
    ) -> None:
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        role = config.get("Role", "").rpartition("/")[2]
        # The credentials that Lambda writes with are those of the call, even if the role is deleted before the lines.
        may_write = all(_may(role, action, group) for action in _WRITING)
        may_create = _may(role, "logs:CreateLogGroup", group)

        def write() -> None:
            if may_write and (may_create or group in cloudwatch_logs._log_groups):
                emit(function, request_id, text, error, duration_ms, **source)

        if not (late_s := switches().late_log_lines_s):
            write()
            return
        timer = threading.Timer(late_s, contextvars.copy_context().run, (write,))
        timer.daemon = True
        timer.start()

    describe = cloudwatch_logs._describe_log_groups

    def describe_log_groups(data: dict[str, Any]) -> Any:
        status, headers, body = describe(data)
        document = json.loads(body)
        for group in document.get("logGroups", ()):
            group["storedBytes"] = int(group["storedBytes"] * switches().stored_bytes_factor)
        return status, headers, json.dumps(document).encode()

    lambda_svc._emit_lambda_logs = emit_lines
    cloudwatch_logs._describe_log_groups = describe_log_groups


def _may(role: str, action: str, group: str) -> bool:
    stream = "" if action == "logs:CreateLogGroup" else "any"
    arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:{stream}"
    return may(role, action, arn)
