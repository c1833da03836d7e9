"""Messages on the topic and events on the bus, each sent once."""

import json
from datetime import datetime

from optimizer.aws import EventBridgeClient, SNSClient
from optimizer.core import OptimizerError
from optimizer.report.message import Message
from optimizer.store import RunStore

SOURCE = "optimizer"
# Readers of the bus must not be able to respond for an approver; the text contains the link, too.
_NOT_ON_THE_BUS = ("text", "link", "report_url")


class EventNotAccepted(OptimizerError, RuntimeError):
    """EventBridge did not accept an event; a later attempt can succeed."""


def publish_once(
    sns: "SNSClient",
    events: "EventBridgeClient",
    store: RunStore,
    topic_arn: str,
    about: str,
    message: Message,
    now: datetime,
) -> str:
    """Publish the message about `RUN#<id>` or `CHANGE#<id>` and its event, once; return the message's id.

    The publication is recorded before and after. If the Lambda dies between the topic's acceptance and the second
    record, both are sent again: twice is better than never.
    """
    known = store.start_publication(about, now)
    if known.message_id:
        return known.message_id
    _put_event(events, message, now)
    attributes = {"run": message.run_id, "outcome": message.outcome, "severity": message.severity}
    attributes |= {"approver": message.approver} if message.approver else {}
    sent = sns.publish(
        TopicArn=topic_arn,
        Subject=message.subject,
        Message=message.by_protocol(),
        MessageStructure="json",
        MessageAttributes={
            **{name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
            "tuner": {"DataType": "String.Array", "StringValue": json.dumps(message.tuners)},
        },
    )
    store.end_publication(about, sent["MessageId"])
    return sent["MessageId"]


def _put_event(events: "EventBridgeClient", message: Message, now: datetime) -> None:
    detail = {name: value for name, value in message.document().items() if name not in _NOT_ON_THE_BUS}
    answer = events.put_events(
        Entries=[{"Time": now, "Source": SOURCE, "DetailType": message.kind, "Detail": json.dumps(detail)}]
    )
    if answer.get("FailedEntryCount"):
        (entry,) = answer["Entries"]
        raise EventNotAccepted(
            f"EventBridge did not accept the event: {entry.get('ErrorCode')} {entry.get('ErrorMessage')}"
        )
