"""The local account delivers messages of topics by SNS's documented rules."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_account.account import LocalAccount

from tests.helpers.small_machines import jsonata, make_machine, run

pytestmark = pytest.mark.starts_servers

LIMIT = 262_144
KIND = {"kind": {"DataType": "String", "StringValue": "result"}}
NO_APPROVER = {"approver": [{"exists": False}]}


def make_topic(account: LocalAccount, name: str) -> str:
    arn: str = account.session.client("sns").create_topic(Name=name)["TopicArn"]
    return arn


def subscribe(account: LocalAccount, topic: str, address: str, policy: Mapping[str, Any] | None = None) -> None:
    """Subscribe an address and confirm it."""
    attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
    client = account.session.client("sns")
    client.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes=attributes)
    account.confirm(address)


def texts(account: LocalAccount, address: str) -> list[str]:
    """Return the texts of the mails to an address, without those that ask it to confirm."""
    return [mail["text"] for mail in account.mailbox(address) if "token" not in mail]


def publish(account: LocalAccount, topic: str, text: str, **more: Any) -> None:
    account.session.client("sns").publish(TopicArn=topic, Message=text, **more)


def json_message(text: str) -> dict[str, Any]:
    return {"Message": json.dumps({"default": "short", "email": text}), "MessageStructure": "json"}


def test_address_gets_nothing_before_it_confirms(empty: LocalAccount) -> None:
    """SNS Developer Guide, "Email notifications": the address must confirm; until then it is listed as pending."""
    topic, client = make_topic(empty, "pending"), empty.session.client("sns")
    asked = client.subscribe(TopicArn=topic, Protocol="email", Endpoint="new@example.org")
    assert asked["SubscriptionArn"] == "pending confirmation"
    (listed,) = client.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    publish(empty, topic, "early")

    (arn,) = empty.confirm("new@example.org")
    assert empty.confirm("new@example.org") == [arn], "the link in the mail may be used again"

    publish(empty, topic, "late")
    assert texts(empty, "new@example.org") == ["late"]
    (listed,) = client.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert listed["SubscriptionArn"] == arn


@pytest.mark.parametrize(
    ("setting", "delivered", "filtered"),
    [("delivered", True, True), ("filter only", False, True), ("neither", False, False)],
)
def test_attributes_beside_json_are_a_switch(
    empty: LocalAccount, setting: str, delivered: bool, filtered: bool
) -> None:
    """SNS Developer Guide, "Amazon SNS message attributes": only where the structure is String."""
    name = setting.replace(" ", "-")
    topic, sqs = make_topic(empty, f"attributes-{name}"), empty.session.client("sqs")
    queue = sqs.create_queue(QueueName=f"attributes-{name}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    empty.session.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    subscribe(empty, topic, f"{name}@example.org", {"kind": ["result"]})
    with empty.switched(attributes_with_json=setting):
        empty.session.client("sns").publish(TopicArn=topic, MessageAttributes=KIND, **json_message("long"))
        empty.session.client("sns").publish(TopicArn=topic, MessageAttributes=KIND, Message="plain")

    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    envelopes = {body["Message"]: body for body in (json.loads(one["Body"]) for one in received)}
    assert ("MessageAttributes" in envelopes["short"]) == delivered
    assert "MessageAttributes" in envelopes["plain"]
    assert texts(empty, f"{name}@example.org") == (["long"] if filtered else []) + ["plain"]


def test_exists_false_needs_an_attribute(empty: LocalAccount) -> None:
    """SNS Developer Guide, "Key matching", note under `"exists": false`."""
    topic = make_topic(empty, "exists")
    subscribe(empty, topic, "exists@example.org", NO_APPROVER)

    publish(empty, topic, "without attributes")
    publish(empty, topic, "of another kind", MessageAttributes=KIND)
    publish(empty, topic, "link", MessageAttributes={"approver": {"DataType": "String", "StringValue": "ann"}})

    assert texts(empty, "exists@example.org") == ["of another kind"]


def test_alarm_publishes_without_attributes(empty: LocalAccount) -> None:
    """CloudWatch's alarm actions send no attributes, so only a subscription without that filter gets them."""
    topic = make_topic(empty, "alarms")
    subscribe(empty, topic, "filtered@example.org", NO_APPROVER)
    subscribe(empty, topic, "unfiltered@example.org")
    alarm = {
        "AlarmName": "loud",
        "Namespace": "Optimizer",
        "MetricName": "Failures",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [topic],
    }
    # Alarms of stacks are in the emulator; the stand-in beside it answers for metrics.
    cloudwatch = empty.session.client("cloudwatch", endpoint_url=empty.url)
    cloudwatch.put_metric_alarm(**alarm)

    cloudwatch.set_alarm_state(AlarmName="loud", StateValue="ALARM", StateReason="forced")

    (text,) = texts(empty, "unfiltered@example.org")
    assert json.loads(text)["AlarmName"] == "loud"
    assert texts(empty, "filtered@example.org") == []


def test_size_counts_bytes_of_protocols_and_attributes(empty: LocalAccount) -> None:
    """SNS API reference, Publish: 262,144 bytes, and attributes are part of the message's size."""
    topic = make_topic(empty, "sizes")
    attribute = {"kind": {"DataType": "String", "StringValue": "x" * 90}}
    publish(empty, topic, "a" * (LIMIT - 100), MessageAttributes=attribute)
    with pytest.raises(ClientError, match="Message too long"):
        publish(empty, topic, "a" * (LIMIT - 99), MessageAttributes=attribute)
    with pytest.raises(ClientError, match="Message too long"):
        publish(empty, topic, "я" * (LIMIT // 2 + 1))
    escaped = json_message("я" * (LIMIT // 6))
    with pytest.raises(ClientError, match="Message too long"):
        empty.session.client("sns").publish(TopicArn=topic, **escaped)


def test_empty_attributes_are_refused(empty: LocalAccount) -> None:
    """SNS Developer Guide, "Amazon SNS message attributes": name, type and value must not be empty."""
    topic = make_topic(empty, "empty-attributes")
    with pytest.raises(ClientError, match="non-empty"):
        publish(empty, topic, "text", MessageAttributes={"kind": {"DataType": "String", "StringValue": ""}})


def test_empty_string_array_is_a_switch(empty: LocalAccount) -> None:
    """No source settles whether an empty String.Array is refused."""
    topic, attribute = make_topic(empty, "arrays"), {"tuner": {"DataType": "String.Array", "StringValue": "[]"}}
    publish(empty, topic, "accepted", MessageAttributes=attribute)
    with empty.switched(empty_string_array="refused"), pytest.raises(ClientError, match="empty array"):
        publish(empty, topic, "refused", MessageAttributes=attribute)


@pytest.mark.parametrize("subject", ["s" * 100, "two\nlines"])
def test_subject_that_is_no_subject_is_refused(empty: LocalAccount, subject: str) -> None:
    """SNS API reference, Publish: fewer than 100 characters, no line breaks or control characters."""
    with pytest.raises(ClientError, match="Subject"):
        publish(empty, make_topic(empty, "subjects"), "text", Subject=subject)


def test_json_structure_needs_a_default(empty: LocalAccount) -> None:
    """SNS API reference, Publish, MessageStructure: a top-level key "default" with a value that is a string."""
    with pytest.raises(ClientError, match="No default entry"):
        publish(empty, make_topic(empty, "defaults"), json.dumps({"email": "text"}), MessageStructure="json")


def test_state_machine_publishes_attributes(empty: LocalAccount) -> None:
    """Step Functions' sns:publish takes MessageAttributes as the API does, and SNS checks them alike."""
    topic = make_topic(empty, "machines")
    subscribe(empty, topic, "machine@example.org", {"kind": ["result"]})
    arguments = {"TopicArn": topic, "Message": "{% $states.input.text %}"}
    results = []
    for number, value in enumerate(("result", "other", "")):
        attributes = {"kind": {"DataType": "String", "StringValue": value}}
        state = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Arguments": {**arguments, "MessageAttributes": attributes},
            "End": True,
        }
        machine = make_machine(empty, f"publishes-{number}", jsonata(Publish=state))
        results.append(run(empty, machine, {"text": f"said {value}"})["status"])

    assert results == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
    assert texts(empty, "machine@example.org") == ["said result"]
