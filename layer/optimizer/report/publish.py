"""Messages on the topic, each sent once."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from optimizer.runs import RunStore

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True, slots=True)
class Message:
    """A message and the attributes that filter policies of subscriptions can use."""

    subject: str
    body: str
    run_id: str
    outcome: str
    severity: str
    tuners: tuple[str, ...]


def publish_once(sns: "SNSClient", store: RunStore, topic_arn: str, about: str, message: Message, now: datetime) -> str:
    """Publish the message about `RUN#<id>` or `CHANGE#<id>` unless it was; returns its id.

    It is recorded before and after. If the Lambda dies between the topic's taking it and the second record, the
    message is sent again: twice is better than never.
    """
    known = store.start_publication(about, now)
    if known.message_id:
        return known.message_id
    attributes = {"run": message.run_id, "outcome": message.outcome, "severity": message.severity}
    sent = sns.publish(
        TopicArn=topic_arn,
        Subject=message.subject,
        Message=message.body,
        MessageAttributes={
            **{name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
            "tuners": {"DataType": "String.Array", "StringValue": _array(message.tuners)},
        },
    )
    store.end_publication(about, sent["MessageId"])
    return sent["MessageId"]


def _array(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in values) + "]"
