"""The topics of approvers: each approver gets links by a topic of their own, which needs no filter.

Their names begin with the stack's name and `_approver_`. A stack's name has no underscore, so that no resource of
another stack can have such a name.
"""

import re
from collections.abc import Iterable, Iterator

from botocore.exceptions import ClientError

from optimizer.aws import SNSClient

NO_TOPIC = "no topic of their own"
NOT_CONFIRMED = "no confirmed subscription"
# Names of topics have no full stop.
_ESCAPED = {"_": "__", ".": "_-"}
_UNESCAPED = {escaped: character for character, escaped in _ESCAPED.items()}
_NOT_FOUND = ("NotFound", "NotFoundException")


def approver_topics(people_arn: str, stack: str) -> str:
    """Return the beginning of the ARNs of all topics of approvers. `people_arn`: of the topic for people."""
    return f"{people_arn.rpartition(':')[0]}:{stack}_approver_"


def topic_of(topics: str, approver: str) -> str:
    """Return the ARN of an approver's topic. `topics`: the beginning of the ARNs of all of them."""
    return topics + re.sub(r"[_.]", lambda found: _ESCAPED[found[0]], approver)


def approver_of(topics: str, topic_arn: str) -> str:
    """Return the approver of a topic, or an empty string if it is no approver's topic."""
    if not topic_arn.startswith(topics):
        return ""
    return re.sub(r"_[_-]", lambda found: _UNESCAPED[found[0]], topic_arn.removeprefix(topics))


def why_unreached(sns: "SNSClient", topics: str, approver: str) -> str:
    """Return why messages on the approver's topic reach nobody, or an empty string if they do."""
    try:
        found = sns.get_topic_attributes(TopicArn=topic_of(topics, approver))["Attributes"]
    except ClientError as error:
        if is_not_found(error):
            return NO_TOPIC
        raise
    return "" if int(found.get("SubscriptionsConfirmed", 0)) else NOT_CONFIRMED


def unreached(sns: "SNSClient", topics: str, approvers: Iterable[str]) -> dict[str, str]:
    """Return the approvers whom a message on their topic does not reach, with the reason."""
    reasons = {approver: why_unreached(sns, topics, approver) for approver in approvers}
    return {approver: reason for approver, reason in reasons.items() if reason}


def existing_topics(sns: "SNSClient", topics: str) -> Iterator[str]:
    """Yield the ARNs of the topics of approvers that exist."""
    for page in sns.get_paginator("list_topics").paginate():
        yield from (found["TopicArn"] for found in page["Topics"] if found["TopicArn"].startswith(topics))


def delete_topics(sns: "SNSClient", topics: str) -> int:
    """Delete the topics of all approvers, with their subscriptions; return how many there were."""
    found = list(existing_topics(sns, topics))
    for topic_arn in found:
        sns.delete_topic(TopicArn=topic_arn)
    return len(found)


def is_not_found(error: ClientError) -> bool:
    """Return True if SNS says that a topic does not exist."""
    return error.response["Error"]["Code"] in _NOT_FOUND
