"""Warnings about a policy that does not fit the deployed stack."""

from collections.abc import Iterator

import boto3
from optimizer.approvals import approver_topics, unreached
from optimizer.policy import Policy

from optimizer_cli.application import Application


def warnings(policy: Policy, application: Application, stack: str) -> list[str]:
    """Return a sentence for each difference between the policy and the stack that people should know."""
    return [*_other_tags(policy, application), *_unreached_approvers(policy, application, stack)]


def _other_tags(policy: Policy, application: Application) -> Iterator[str]:
    key, value = application.tag
    if policy.functions.tags.get(key) != value:
        own = ", ".join(f"{name}={text}" for name, text in sorted(policy.functions.tags.items()))
        yield (
            f"The policy names the tags {own} (functions.tags), and the stack may change only functions with "
            f"{key}={value} (TagKey, TagValue): runs check the functions that have all of them."
        )


def _unreached_approvers(policy: Policy, application: Application, stack: str) -> Iterator[str]:
    names = [approver.name for approver in policy.approvals.approvers]
    if not names:
        return
    topics = approver_topics(application.topic_arn, stack)
    for name, reason in unreached(boto3.client("sns"), topics, names).items():
        yield f"The approver {name} has {reason}, so gets no link: optimizer approvals add {name} --email ADDRESS."
