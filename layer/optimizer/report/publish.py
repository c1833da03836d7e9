"""Messages on the topic and events on the bus, each sent once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optimizer.core import canonical_json
from optimizer.store import RunStore

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sns import SNSClient

SOURCE = "optimizer"
# Programs read JSON; everything else that a topic can deliver to gets one line.
_PROGRAMS = ("sqs", "lambda", "http", "https", "firehose")
# SNS takes 256 KiB for all protocols together; the text is there for each program and for mail.
LONGEST_TEXT = 16_000
_LARGEST_MESSAGE = 250_000
# Whoever may read the bus may not therefore answer for an approver; the text holds the link too.
_NOT_ON_THE_BUS = ("text", "link", "report_url")


class EventRefused(RuntimeError):
    """EventBridge did not take an event; a later attempt can succeed."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the text for mail, and for programs `details` beside the fields that filters can use.

    `kind`: what it is about, the detail type of its event, for example "Run finished". `link` goes to whoever gets the
    message and never on the bus; `approver` is whom it is for, where it is for one person only.
    """

    kind: str
    subject: str
    text: str
    run_id: str
    outcome: str
    severity: str
    tuners: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""
    approver: str = ""

    def document(self) -> dict[str, Any]:
        """What programs get; docs/architecture.md, Messages."""
        return {
            "version": 1,
            "kind": self.kind,
            "run_id": self.run_id,
            "outcome": self.outcome,
            "severity": self.severity,
            "tuners": list(self.tuners),
            "subject": self.subject,
            "text": shortened(self.text),
            **({"link": self.link} if self.link else {}),
            **({"approver": self.approver} if self.approver else {}),
            **canonical_json.plain(self.details),
        }

    def by_protocol(self) -> str:
        """The message with `MessageStructure` json: mail gets text, programs get JSON, the rest the subject."""
        document = self.document()
        program = json.dumps(document)
        if len(program) * len(_PROGRAMS) > _LARGEST_MESSAGE - LONGEST_TEXT * 2:
            # The report has them all.
            program = json.dumps({**document, "changes": [], "changes_left_out": True})
        said = {"default": self.subject, "email": document["text"], **dict.fromkeys(_PROGRAMS, program)}
        return json.dumps(said)


def publish_once(
    sns: "SNSClient",
    events: "EventBridgeClient",
    store: RunStore,
    topic_arn: str,
    about: str,
    message: Message,
    now: datetime,
) -> str:
    """Publish the message about `RUN#<id>` or `CHANGE#<id>`, and the event of the same, unless they were; returns the
    message's id.

    It is recorded before and after. If the Lambda dies between the topic's taking it and the second record, both are
    sent again: twice is better than never.
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


def shortened(text: str) -> str:
    """The text, cut at a line where it would be longer than a mail may be."""
    if len(text.encode()) <= LONGEST_TEXT:
        return text
    cut = text.encode()[:LONGEST_TEXT].decode(errors="ignore").rpartition("\n")[0]
    return f"{cut}\n\nThe rest is in the report.\n"


def _put_event(events: "EventBridgeClient", message: Message, now: datetime) -> None:
    detail = {name: value for name, value in message.document().items() if name not in _NOT_ON_THE_BUS}
    answer = events.put_events(
        Entries=[{"Time": now, "Source": SOURCE, "DetailType": message.kind, "Detail": json.dumps(detail)}]
    )
    if answer.get("FailedEntryCount"):
        (entry,) = answer["Entries"]
        raise EventRefused(f"EventBridge did not take the event: {entry.get('ErrorCode')} {entry.get('ErrorMessage')}")
