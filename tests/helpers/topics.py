"""Topics that deliver by SNS's documented rules, as a client of the SDK and the mailboxes behind it.

- A message has at most 262,144 bytes, attributes included, and a subject has fewer than 100 ASCII characters.
- No attribute is empty.
- Attributes are sent where the structure is String. Beside the structure JSON they are `delivered`, seen by filters
  only, or seen by nobody (`attributes_with_json`): no source settles which.
- `{"exists": false}` matches only messages with at least one attribute, or body field.
- Nobody gets anything before the address has confirmed.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.exceptions import ClientError

LIMIT = 262_144
PEOPLE = "arn:aws:sns:eu-west-1:123456789012:optimizer-Topic-A1B2"
PROGRAMS = "arn:aws:sns:eu-west-1:123456789012:optimizer-ProgramsTopic-C3D4"
ALARM = {"AlarmName": "optimizer-failed-runs", "NewStateValue": "ALARM"}
type Setting = Literal["delivered", "filter only", "neither"]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as an endpoint gets it."""

    topic_arn: str
    subject: str
    body: str
    attributes: Mapping[str, str]

    @property
    def document(self) -> Any:
        """Return the body of a message for programs."""
        return json.loads(self.body)


@dataclass(slots=True)
class _Subscription:
    arn: str
    protocol: str
    endpoint: str
    attributes: Mapping[str, str]
    confirmed: bool


@dataclass(slots=True)
class Topics:
    """Topics with their subscriptions, and what each endpoint got."""

    attributes_with_json: Setting = "delivered"
    topics: dict[str, dict[str, str]] = field(default_factory=dict)
    subscriptions: dict[str, list[_Subscription]] = field(default_factory=lambda: defaultdict(list))
    inboxes: dict[str, list[Delivered]] = field(default_factory=lambda: defaultdict(list))
    published: int = 0

    def __post_init__(self) -> None:
        for arn in (PEOPLE, PROGRAMS):
            self.topics[arn] = {"KmsMasterKeyId": "topic-key"}

    # What tests do

    def listen(self, topic_arn: str, endpoint: str, *, protocol: str = "email", **attributes: str) -> None:
        """Subscribe an endpoint and confirm it; `attributes` as SNS names them."""
        self.subscribe(TopicArn=topic_arn, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
        self.confirm(endpoint)

    def confirm(self, endpoint: str) -> None:
        for found in self.subscriptions.values():
            for one in found:
                one.confirmed = one.confirmed or one.endpoint == endpoint

    def alarm(self) -> None:
        """Publish as an alarm of CloudWatch does: without any attribute."""
        self.publish(TopicArn=PEOPLE, Subject='ALARM: "optimizer-failed-runs"', Message=json.dumps(ALARM))

    # What the SDK's client does

    def create_topic(self, **request: Any) -> dict[str, str]:
        arn = f"{PEOPLE.rpartition(':')[0]}:{request['Name']}"
        self.topics.setdefault(arn, dict(request.get("Attributes", {})))
        return {"TopicArn": arn}

    def delete_topic(self, **request: str) -> dict[str, Any]:
        self.topics.pop(request["TopicArn"], None)
        self.subscriptions.pop(request["TopicArn"], None)
        return {}

    def get_topic_attributes(self, **request: str) -> dict[str, Any]:
        topic_arn = self._existing(request, "GetTopicAttributes")
        found = self.subscriptions[topic_arn]
        counts = {
            "SubscriptionsConfirmed": str(sum(one.confirmed for one in found)),
            "SubscriptionsPending": str(sum(not one.confirmed for one in found)),
        }
        return {"Attributes": {**self.topics[topic_arn], **counts}}

    def subscribe(self, **request: Any) -> dict[str, str]:
        topic_arn, protocol = self._existing(request, "Subscribe"), request["Protocol"]
        found = self.subscriptions[topic_arn]
        if (protocol, request["Endpoint"]) not in [(one.protocol, one.endpoint) for one in found]:
            arn, attributes = f"{topic_arn}:{len(found)}", dict(request.get("Attributes", {}))
            found.append(_Subscription(arn, protocol, request["Endpoint"], attributes, protocol == "sqs"))
        return {"SubscriptionArn": "pending confirmation"}

    def get_subscription_attributes(self, **request: str) -> dict[str, Any]:
        arn = request["SubscriptionArn"]
        (one,) = [one for found in self.subscriptions.values() for one in found if one.arn == arn]
        return {"Attributes": dict(one.attributes)}

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(self, operation)

    def publish(self, **request: Any) -> dict[str, str]:
        topic_arn, message, subject = self._existing(request, "Publish"), request["Message"], request.get("Subject", "")
        attributes: dict[str, dict[str, str]] = request.get("MessageAttributes", {})
        size = len(message.encode()) + sum(
            len(name.encode()) + sum(len(part.encode()) for part in one.values()) for name, one in attributes.items()
        )
        if size > LIMIT:
            raise _error("InvalidParameter", "Publish", "Message too long")
        if len(subject) >= 100 or not all(" " <= one <= "~" for one in subject):
            raise _error("InvalidParameter", "Publish", "Subject")
        if any(one["StringValue"] in ("", "[]") for one in attributes.values()):
            raise _error("InvalidParameter", "Publish", "must contain non-empty message attribute value")
        self.published += 1
        for one in self.subscriptions[topic_arn]:
            self._deliver(one, topic_arn, subject, message, request.get("MessageStructure", ""), attributes)
        return {"MessageId": f"message-{self.published}"}

    def _deliver(
        self, to: _Subscription, topic_arn: str, subject: str, message: str, structure: str, attributes: dict[str, Any]
    ) -> None:
        setting = self.attributes_with_json if structure == "json" else "delivered"
        texts = json.loads(message) if structure == "json" else {}
        body = texts.get(to.protocol, texts.get("default", "")) if texts else message
        seen = {} if setting == "neither" else attributes
        if not to.confirmed or not _passes(to.attributes, _values(seen), body):
            return
        sent = {name: one["StringValue"] for name, one in attributes.items()} if setting == "delivered" else {}
        self.inboxes[to.endpoint].append(Delivered(topic_arn, subject, body, sent))

    def _existing(self, request: Mapping[str, Any], operation: str) -> str:
        """Return the topic that a request names."""
        if request["TopicArn"] not in self.topics:
            raise _error("NotFound", operation, "Topic does not exist")
        return str(request["TopicArn"])


@dataclass(frozen=True, slots=True)
class _Pages:
    topics: Topics
    operation: str

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        """Yield a page for each thing, as AWS may."""
        if self.operation == "list_topics":
            for arn in list(self.topics.topics):
                yield {"Topics": [{"TopicArn": arn}]}
            return
        for one in list(self.topics.subscriptions[self.topics._existing(request, "ListSubscriptionsByTopic")]):
            arn = one.arn if one.confirmed else "PendingConfirmation"
            yield {"Subscriptions": [{"SubscriptionArn": arn, "Protocol": one.protocol, "Endpoint": one.endpoint}]}


def _values(attributes: Mapping[str, Mapping[str, str]]) -> dict[str, list[Any]]:
    return {
        name: json.loads(one["StringValue"]) if one["DataType"] == "String.Array" else [one["StringValue"]]
        for name, one in attributes.items()
    }


def _passes(subscription: Mapping[str, str], attributes: Mapping[str, list[Any]], body: str) -> bool:
    policy = json.loads(subscription.get("FilterPolicy") or "{}")
    if subscription.get("FilterPolicyScope") == "MessageBody":
        try:
            document = json.loads(body)
        except ValueError:
            return not policy
        attributes = {name: found if isinstance(found, list) else [found] for name, found in document.items()}
    return all(_matches(rules, attributes.get(name), bool(attributes)) for name, rules in policy.items())


def _matches(rules: list[Any], values: list[Any] | None, has_any: bool) -> bool:
    for rule in rules:
        if isinstance(rule, dict) and "exists" in rule:
            if (values is not None) == rule["exists"] and has_any:
                return True
        elif values is None:
            continue
        elif isinstance(rule, dict) and "prefix" in rule:
            if any(str(value).startswith(rule["prefix"]) for value in values):
                return True
        elif rule in values:
            return True
    return False


def _error(code: str, operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
