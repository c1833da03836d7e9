"""Messages to people and to programs, and events on the bus, each sent once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from optimizer.aws import EventBridgeClient, SNSClient
from optimizer.core import OptimizerError
from optimizer.report.message import Message, program_text
from optimizer.store import RunStore

SOURCE = "optimizer"
# Readers of the bus must not be able to respond for an approver; the text contains the link, too. With the names of
# approvers they would know for whom to make one.
_NOT_ON_THE_BUS = ("text", "link", "report_url", "approver", "answered_by")
_UNSENT, _EVENT = "no topic", "event"


class EventNotAccepted(OptimizerError, RuntimeError):
    """EventBridge did not accept an event; a later attempt can succeed."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Where messages go: a topic for people, who get text, one for programs, which get JSON, and the event bus.

    `programs_arn` is empty if there is no such topic.
    """

    sns: "SNSClient"
    events: "EventBridgeClient"
    people_arn: str
    programs_arn: str = ""

    def of_one_approver(self, topic_arn: str) -> "Channels":
        """Return the same channels with the topic of one approver instead of the one for all people."""
        return replace(self, people_arn=topic_arn)

    def to_people(self, message: Message) -> str:
        """Publish the text; return the message's id."""
        return self._publish(self.people_arn, message, message.for_people(), message.mail_subject)

    def to_programs(self, message: Message, document: Mapping[str, Any]) -> str:
        """Publish the document as the whole body; return the message's id."""
        return self._publish(self.programs_arn, message, program_text(document)) if self.programs_arn else ""

    def to_the_bus(self, message: Message, document: Mapping[str, Any], now: datetime) -> None:
        """Put an event with the document, without texts and links."""
        detail = {name: value for name, value in document.items() if name not in _NOT_ON_THE_BUS}
        answer = self.events.put_events(
            Entries=[{"Time": now, "Source": SOURCE, "DetailType": message.kind, "Detail": program_text(detail)}]
        )
        if answer.get("FailedEntryCount"):
            (entry,) = answer["Entries"]
            raise EventNotAccepted(
                f"EventBridge did not accept the event: {entry.get('ErrorCode')} {entry.get('ErrorMessage')}"
            )

    def _publish(self, topic_arn: str, message: Message, body: str, subject: str = "") -> str:
        # Attributes reach subscribers and their filters for certain only without a structure.
        sent: Any = self.sns.publish(
            TopicArn=topic_arn,
            Subject=subject or message.subject,
            Message=body,
            MessageAttributes=message.attributes(),
        )
        return str(sent["MessageId"])


def publish_once(
    channels: Channels,
    store: RunStore,
    about: str,
    message: Message,
    now: datetime,
    *,
    mail: bool = True,
    event: bool = True,
) -> str:
    """Publish the message about `RUN#<id>` or `CHANGE#<id>` and its event, once; return the message's id.

    `mail` is False for news that people read in a later message, if at all, `event` for one of several messages about
    the same, whose event `put_event_once` puts.

    The publication is recorded before and after. If the Lambda dies between the topic's acceptance and the second
    record, all are sent again: twice is better than never.
    """

    def send() -> str:
        document = message.for_programs()
        if event:
            channels.to_the_bus(message, document, now)
        told = [channels.to_programs(message, document), *([channels.to_people(message)] if mail else [])]
        return next((one for one in told if one), _UNSENT)

    return _once(store, about, now, send)


def put_event_once(channels: Channels, store: RunStore, about: str, message: Message, now: datetime) -> None:
    """Put the event of a message on the bus, once."""

    def send() -> str:
        channels.to_the_bus(message, message.for_programs(), now)
        return _EVENT

    _once(store, about, now, send)


def mail_once(channels: Channels, store: RunStore, about: str, message: Message, now: datetime) -> None:
    """Publish a message for people alone, once."""
    _once(store, about, now, lambda: channels.to_people(message))


def _once(store: RunStore, about: str, now: datetime, send: Callable[[], str]) -> str:
    """Send what has not been sent yet; return what `send` returned: the message's id, or what stands for it."""
    known = store.start_publication(about, now)
    if known.message_id:
        return known.message_id
    message_id = send()
    store.end_publication(about, message_id)
    return message_id
