"""The environment variables of a Lambda, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.core import OptimizerError

_VARIABLES = {
    "table": "OPTIMIZER_TABLE",
    "bucket": "OPTIMIZER_BUCKET",
    "topic_arn": "OPTIMIZER_TOPIC_ARN",
    "policy_key": "OPTIMIZER_POLICY_KEY",
}
_OPTIONAL = {
    "programs_topic_arn": "OPTIMIZER_PROGRAMS_TOPIC_ARN",
    "stack": "OPTIMIZER_STACK",
    "schedule_group": "OPTIMIZER_SCHEDULE_GROUP",
    "schedule_role_arn": "OPTIMIZER_SCHEDULE_ROLE_ARN",
    "schedule_dead_letters_arn": "OPTIMIZER_SCHEDULE_DEAD_LETTERS_ARN",
    "warm_function_arn": "OPTIMIZER_WARM_FUNCTION_ARN",
    "provision_function_arn": "OPTIMIZER_PROVISION_FUNCTION_ARN",
    "approval_key": "OPTIMIZER_APPROVAL_KEY",
    "approval_url": "OPTIMIZER_APPROVAL_URL",
    "report_key": "OPTIMIZER_REPORT_KEY",
    "report_url": "OPTIMIZER_REPORT_URL",
    "report_days": "OPTIMIZER_REPORT_DAYS",
    "tag_key": "OPTIMIZER_TAG_KEY",
    "tag_value": "OPTIMIZER_TAG_VALUE",
    "optimize_arn": "OPTIMIZER_OPTIMIZE_ARN",
    "approve_arn": "OPTIMIZER_APPROVE_ARN",
    "change_arn": "OPTIMIZER_CHANGE_ARN",
    "lambda_calls_a_second": "OPTIMIZER_LAMBDA_CALLS_A_SECOND",
    "batches_at_once": "OPTIMIZER_BATCHES_AT_ONCE",
}


class MissingVariable(OptimizerError, RuntimeError):
    """An environment variable that template.yaml sets is missing."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Names of the application's own resources; empty if the Lambda does not need the resource."""

    table: str
    bucket: str
    topic_arn: str
    policy_key: str
    programs_topic_arn: str = ""
    stack: str = ""
    schedule_group: str = ""
    schedule_role_arn: str = ""
    schedule_dead_letters_arn: str = ""
    warm_function_arn: str = ""
    provision_function_arn: str = ""
    approval_key: str = ""
    approval_url: str = ""
    report_key: str = ""
    report_url: str = ""
    report_days: str = ""
    tag_key: str = ""
    tag_value: str = ""
    optimize_arn: str = ""
    approve_arn: str = ""
    change_arn: str = ""
    lambda_calls_a_second: str = ""
    batches_at_once: str = ""

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> "Environment":
        """Read the variables. Raise MissingVariable, which names every variable that is not set."""
        missing = [name for name in _VARIABLES.values() if not variables.get(name)]
        if missing:
            raise MissingVariable(f"not set: {', '.join(missing)}; template.yaml sets them for every Lambda")
        required = {field: variables[name] for field, name in _VARIABLES.items()}
        optional = {field: variables.get(name, "") for field, name in _OPTIONAL.items()}
        return cls(**required, **optional)
