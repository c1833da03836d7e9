"""The functions that a run checks: found by tag, chosen by name.

Only tags are read here, one call for a hundred functions. The planner reads the function anyway, and reports a missing
alias.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from optimizer.aws import ResourceGroupsTaggingAPIClient
from optimizer.core import FunctionTarget, MalformedChange, function_name
from optimizer.policy import Policy

ALIAS_TAG = "optimizer:alias"
TIME_ZONE_TAG = "optimizer:time-zone"
BATCH = 50


@dataclass(frozen=True, slots=True)
class Targets:
    """The functions to check, and the reasons of those that are left out although they are requested or tagged."""

    functions: Sequence[FunctionTarget]
    left_out: Mapping[str, str]

    def batches(self) -> list[list[FunctionTarget]]:
        """Return the functions in groups that one Lambda can handle in time."""
        return [list(self.functions[start : start + BATCH]) for start in range(0, len(self.functions), BATCH)]


def tagged_functions(
    tagging: "ResourceGroupsTaggingAPIClient", tags: Mapping[str, str]
) -> Iterable[tuple[str, dict[str, str]]]:
    """Yield ARN and tags of each function that has all the tags."""
    pages = tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["lambda:function"],
        TagFilters=[{"Key": key, "Values": [value]} for key, value in sorted(tags.items())],
    )
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            yield resource["ResourceARN"], {tag["Key"]: tag["Value"] for tag in resource["Tags"]}


def choose_targets(
    found: Iterable[tuple[str, Mapping[str, str]]], policy: Policy, requested: Collection[str] | None = None
) -> Targets:
    """Choose the functions that the policy and the request allow. `requested`: names; None means all. Pure."""
    functions: dict[str, FunctionTarget] = {}
    left_out: dict[str, str] = {}
    wanted = None if requested is None else set(requested)
    for arn, tags in found:
        try:
            name = function_name(arn)
        except MalformedChange:
            left_out[arn] = "it is not the ARN of a Lambda function"
            continue
        if wanted is not None and name not in wanted:
            continue
        reason = _excluded(name, policy)
        if reason:
            # Only functions that were requested by name are worth a line in the report.
            if wanted is not None:
                left_out[name] = reason
            continue
        functions[name] = _target(name, arn, tags, policy)
    tags_text = ", ".join(f"{key}={value}" for key, value in sorted(policy.functions.tags.items()))
    for name in sorted((wanted or set()) - set(functions) - set(left_out)):
        left_out[name] = f"there is no function of this name with the tags {tags_text} in this account and region"
    return Targets([functions[name] for name in sorted(functions)], left_out)


def _excluded(name: str, policy: Policy) -> str:
    if not any(fnmatchcase(name, pattern) for pattern in policy.functions.include):
        return "no pattern of functions.include in the policy matches its name"
    pattern = next((pattern for pattern in policy.functions.exclude if fnmatchcase(name, pattern)), None)
    return f"functions.exclude of the policy leaves out {pattern}" if pattern else ""


def _target(name: str, arn: str, tags: Mapping[str, str], policy: Policy) -> FunctionTarget:
    zone = tags.get(TIME_ZONE_TAG)
    if zone is None or not _is_zone(zone):
        zone = policy.functions.time_zone or policy.time_zone
    return FunctionTarget(
        function_name=name,
        function_arn=arn,
        alias=tags.get(ALIAS_TAG) or policy.functions.alias,
        timezone=zone,
        warmup_ready=tags.get(policy.warmups.ready_tag) == "ready",
        tags=dict(tags),
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError):
        return False
    return True
