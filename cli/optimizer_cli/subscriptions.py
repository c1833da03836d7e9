"""Addresses that get the application's messages: of approvers, and of subscriptions made for an earlier version."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from optimizer.approvals import NO_TOPIC, NOT_CONFIRMED, approver_of, existing_topics, is_not_found, topic_of

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

PENDING = "PendingConfirmation"
READY = "ready"
_PROGRAMS = ("sqs", "lambda", "http", "https", "firehose")
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "OnlyEncryptedConnections",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Address:
    """An address that is subscribed to a topic; it gets nothing before somebody confirms the subscription."""

    endpoint: str
    confirmed: bool


def create_topic(sns: "SNSClient", people_arn: str, topic_arn: str) -> None:
    """Create the topic of an approver, encrypted like the topic for people. An existing one stays."""
    like: Mapping[str, str] = sns.get_topic_attributes(TopicArn=people_arn)["Attributes"]
    statement = {**_POLICY["Statement"][0], "Resource": topic_arn}  # type: ignore[dict-item]
    attributes = {"Policy": json.dumps({**_POLICY, "Statement": [statement]})}
    if like.get("KmsMasterKeyId"):
        attributes["KmsMasterKeyId"] = like["KmsMasterKeyId"]
    name = topic_arn.rpartition(":")[2]
    try:
        sns.get_topic_attributes(TopicArn=topic_arn)
    except ClientError as error:
        if not is_not_found(error):
            raise
        sns.create_topic(Name=name, Attributes=attributes)


def addresses(sns: "SNSClient", topic_arn: str) -> list[Address] | None:
    """Return the addresses of a topic, or None if the topic does not exist."""
    try:
        found = list(_subscriptions(sns, topic_arn))
    except ClientError as error:
        if is_not_found(error):
            return None
        raise
    return [Address(one["Endpoint"], one["SubscriptionArn"] != PENDING) for one in found]


def approvers_with_topics(sns: "SNSClient", topics: str) -> list[str]:
    """Return the approvers that have a topic."""
    return sorted(approver_of(topics, arn) for arn in existing_topics(sns, topics))


def state(found: list[Address] | None) -> str:
    """Return what is missing before an approver gets links, or `ready`."""
    if found is None:
        return NO_TOPIC
    return READY if any(address.confirmed for address in found) else NOT_CONFIRMED


def topic(topics: str, approver: str) -> str:
    """Return the ARN of an approver's topic."""
    return topic_of(topics, approver)


def outdated(sns: "SNSClient", people_arn: str, programs_arn: str) -> list[str]:
    """Return a sentence for each subscription of the topic for people that was made for an earlier version."""
    said = []
    for one in _subscriptions(sns, people_arn):
        who = f"{one['Protocol']} {one['Endpoint']}"
        if one["Protocol"] in _PROGRAMS:
            said.append(f"{who} gets text on the topic for people; subscribe it to {programs_arn} for JSON.")
        if one["SubscriptionArn"] == PENDING:
            continue
        attributes = sns.get_subscription_attributes(SubscriptionArn=one["SubscriptionArn"])["Attributes"]
        policy = json.loads(attributes.get("FilterPolicy") or "{}")
        if "approver" not in policy:
            continue
        names = [rule for rule in policy["approver"] if isinstance(rule, str)]
        if names:
            said += [f"{who} gets no links any more: optimizer approvals add {name} --email ADDRESS." for name in names]
        else:
            said.append(f"{who} has a filter that keeps alarms away, and that nobody needs any more: remove it.")
    return said


def _subscriptions(sns: "SNSClient", topic_arn: str) -> Iterator[Any]:
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
        yield from page["Subscriptions"]
