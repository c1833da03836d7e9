"""Which functions a run looks at: those with the policy's tags and a name that the policy allows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from optimizer.changes import function_name
from optimizer.policy.model import Policy

if TYPE_CHECKING:
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient

ALIAS_TAG = "optimizer:alias"
TIME_ZONE_TAG = "optimizer:time-zone"
READY = "ready"


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """A function to look at. `function_arn` has no qualifier; `timezone` is an IANA name."""

    function_name: str
    function_arn: str
    alias: str
    timezone: str
    warmup_ready: bool
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The targets in the order of their names, and for each function asked for that is none, why."""

    targets: tuple[FunctionTarget, ...]
    left_out: Mapping[str, str]


def tagged_functions(
    tagging: "ResourceGroupsTaggingAPIClient", tags: Mapping[str, str]
) -> dict[str, Mapping[str, str]]:
    """ARN to tags of every Lambda function that carries all the tags; one call for a hundred of them."""
    pages = tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=["lambda:function"],
        TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
        PaginationConfig={"PageSize": 100},
    )
    return {
        found["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        for page in pages
        for found in page["ResourceTagMappingList"]
    }


def choose(tagged: Mapping[str, Mapping[str, str]], policy: Policy, wanted: Sequence[str] | None = None) -> Chosen:
    """Those of the tagged functions that the policy's patterns allow, or of `wanted` names only if given."""
    functions = policy.functions
    by_name = {function_name(arn): arn for arn in sorted(tagged)}
    allowed = {
        name: arn
        for name, arn in by_name.items()
        if _matches(name, functions.include) and not _matches(name, functions.exclude)
    }
    names = sorted(allowed) if wanted is None else sorted(set(wanted) & set(allowed))
    return Chosen(
        targets=tuple(_target(name, allowed[name], tagged[allowed[name]], policy) for name in names),
        left_out={name: _why_not(name, by_name, policy) for name in sorted(set(wanted or ()) - set(allowed))},
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _why_not(name: str, by_name: Mapping[str, str], policy: Policy) -> str:
    if name in by_name:
        return "the policy's functions.include and functions.exclude leave it out"
    tags = ", ".join(f"{key}={value}" for key, value in policy.functions.tags.items())
    return f"there is no function of this name with the tags {tags}"


def _target(name: str, arn: str, tags: Mapping[str, str], policy: Policy) -> FunctionTarget:
    return FunctionTarget(
        function_name=name,
        function_arn=arn,
        alias=tags.get(ALIAS_TAG, policy.functions.alias),
        timezone=tags.get(TIME_ZONE_TAG, policy.functions.time_zone or policy.time_zone),
        warmup_ready=tags.get(policy.warmups.ready_tag) == READY,
        tags=tags,
    )
