"""Lists in bulk what tells that a function is as an earlier run read it: a page of fifty functions for each call.

A planner may remember a function whose fingerprint is the same as before. Whatever leads to a change is read again.
"""

import logging
from collections.abc import Collection

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchClient, LambdaClient
from optimizer.core import canonical_json
from optimizer.run.glance import Glance

_log = logging.getLogger(__name__)
# A page of the list takes one call of Lambda's control plane; reading a function takes one, too, so that the list must
# spare several times what it takes.
_TARGETS_A_PAGE = 4
# A metric that exists for two weeks where a call met provisioned concurrency.
_PROVISIONED = "ProvisionedConcurrencyInvocations"


def glance_at(functions: "LambdaClient", cloudwatch: "CloudWatchClient", targets: Collection[str]) -> Glance:
    """Return what two lists of the account tell of the targets; nothing where one of them cannot be read.

    A function that is missing from the result is read by itself."""
    wanted = frozenset(targets)
    try:
        return Glance(_fingerprints(functions, wanted), _provisioned(cloudwatch, wanted))
    except ClientError as error:
        code = error.response["Error"].get("Code", "?")
        problem = f"functions are read one by one, because {error.operation_name} failed: {code}"
        _log.warning(problem)
        return Glance(problem=problem)


def _fingerprints(functions: "LambdaClient", wanted: Collection[str]) -> dict[str, str]:
    """Return a digest of each target's configuration as it is listed, as far as the list pays.

    Each update of $LATEST changes its RevisionId."""
    found: dict[str, str] = {}
    most_pages = max(1, len(wanted) // _TARGETS_A_PAGE)
    for number, page in enumerate(functions.get_paginator("list_functions").paginate(), start=1):
        for configuration in page["Functions"]:
            if configuration["FunctionName"] in wanted:
                found[configuration["FunctionName"]] = canonical_json.sha256(configuration)[:16]
        if number >= most_pages or len(found) == len(wanted):
            break
    return found


def _provisioned(cloudwatch: "CloudWatchClient", wanted: Collection[str]) -> list[str]:
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/Lambda", MetricName=_PROVISIONED)
    names = {
        dimension["Value"]
        for page in pages
        for metric in page["Metrics"]
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "FunctionName"
    }
    return sorted(names & set(wanted))
