"""Deliver messages of topics by SNS's documented rules, and mail into a mailbox that can be read.

MiniStack 1.5.33 counts every address as confirmed, throws mail away, delivers attributes always, and drops those that a
state machine publishes.

- An address is pending until it confirms (SNS Developer Guide, "Email notifications"); its token may be used again.
- Name, type and value of an attribute must not be empty (SNS Developer Guide, "Amazon SNS message attributes"), whether
  an SDK or a state machine publishes it. An empty String.Array may be refused: switch `empty_string_array`.
- A subject has fewer than 100 characters, no line breaks and no control characters (SNS API reference, Publish).
- Attributes are sent only where the structure is String, not JSON (SNS Developer Guide, "Amazon SNS message
  attributes"). Whether filter policies still see them is not documented: switch `attributes_with_json`.

MiniStack itself counts the 262,144 bytes with the attributes, lets `exists: false` match only messages with an
attribute, and publishes alarms without attributes; the tests of the local account hold these rules as well.
"""

import contextvars
import json
import os
import threading
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.core.responses import new_uuid
from ministack.services import sns, stepfunctions
from ministack.services.cloudformation import provisioners
from switched import switches

MAILBOX_VARIABLE = "LOCAL_ACCOUNT_MAILBOX"
_MAIL = ("email", "email-json")
_SUBJECT_CHARACTERS = 100

type Json = dict[str, Any]

# Attributes that filter policies see although they are not delivered.
_for_filters: contextvars.ContextVar[Json | None] = contextvars.ContextVar("for_filters", default=None)
_writing = threading.Lock()


def patch() -> None:
    """Replace how the emulator subscribes addresses, publishes and delivers."""
    _confirm_addresses()
    _hide_pending_subscriptions()
    _check_messages()
    _keep_attributes_of_state_machines()
    _deliver()


def mail(address: str, topic_arn: str, subject: str, text: str, **more: str) -> None:
    """Put a mail into the mailbox."""
    document = {"at": datetime.now(UTC).isoformat(), "to": address, "topic_arn": topic_arn, "subject": subject}
    with _writing, Path(os.environ[MAILBOX_VARIABLE]).open("a") as mailbox:
        mailbox.write(json.dumps({**document, "text": text, **more}) + "\n")


def _confirm_addresses() -> None:
    """Ask each new address to confirm, however it was subscribed."""
    subscribe, create, update = sns._subscribe, provisioners._sns_create, provisioners._sns_update
    create_one = provisioners._sns_sub_create

    def subscribe_and_ask(params: Json) -> Any:
        status, headers, body = subscribe(params)
        if status >= 400 or sns._p(params, "Protocol") not in _MAIL:
            return status, headers, body
        topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
        ask(topic)
        of = (one for one in topic["subscriptions"] if one["endpoint"] == sns._p(params, "Endpoint"))
        arn = next(one for one in of if one["protocol"] == sns._p(params, "Protocol"))
        if arn["confirmed"] or sns._p(params, "ReturnSubscriptionArn") == "true":
            return status, headers, body
        return status, headers, body.replace(arn["arn"].encode(), b"pending confirmation")

    def create_topic(logical_id: str, properties: Json, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        ask(sns._topics.get(created[0]))
        return created

    def update_topic(physical_id: str, old: Json, new: Json, stack: str, logical_id: str | None = None) -> Any:
        updated = update(physical_id, old, new, stack, logical_id)
        ask(sns._topics.get(updated[0]))
        return updated

    def create_subscription(logical_id: str, properties: Json, stack: str) -> Any:
        created = create_one(logical_id, properties, stack)
        ask(sns._topics.get(properties.get("TopicArn", "")))
        return created

    confirm = sns._confirm_subscription

    def confirm_again(params: Json) -> Any:
        # The emulator forgets a token once it was used.
        topic = sns._topic_by_arn_any_scope(sns._normalize_arn(sns._p(params, "TopicArn")))
        for one in topic["subscriptions"] if topic else ():
            if one.get("asked") == sns._p(params, "Token"):
                one["token"] = one["asked"]
        return confirm(params)

    sns._subscribe, sns._confirm_subscription = subscribe_and_ask, confirm_again
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::SNS::Topic"] |= {"create": create_topic, "update": update_topic}
    handlers["AWS::SNS::Subscription"]["create"] = create_subscription


def ask(topic: Json | None) -> None:
    """Ask the addresses of a topic that have not been asked yet."""
    if topic is None:
        return
    for one in topic["subscriptions"]:
        if one["protocol"] not in _MAIL or one.get("asked"):
            continue
        subject, token = "AWS Notification - Subscription Confirmation", new_uuid()
        one |= {"asked": token, "confirmed": False, "token": token}
        one["attributes"]["PendingConfirmation"] = "true"
        mail(one["endpoint"], topic["arn"], subject, f"To confirm {topic['arn']}, use the token {token}.", token=token)
    sns._refresh_subscription_counts(topic)


def _hide_pending_subscriptions() -> None:
    """List an address that has not confirmed as `PendingConfirmation`, as SNS does."""

    def hiding(lists: Any) -> Any:
        def listed(params: Json) -> Any:
            status, headers, body = lists(params)
            for topic in sns._topics.values():
                for one in topic["subscriptions"]:
                    if not one.get("confirmed"):
                        body = body.replace(f">{one['arn']}<".encode(), b">PendingConfirmation<")
            return status, headers, body

        return listed

    sns._list_subscriptions = hiding(sns._list_subscriptions)
    sns._list_subscriptions_by_topic = hiding(sns._list_subscriptions_by_topic)


def _check_messages() -> None:
    publish = sns.publish_internal

    def publish_checked(topic_arn: str, message: Any, subject: str = "", **more: Any) -> Any:
        problem = _problem(subject or "", more.get("message_attributes") or {})
        if more.get("message_structure") == "json" and not _has_default(message):
            problem = problem or "Message Structure - No default entry in JSON message body"
        if problem:
            raise sns.SnsPublishError("InvalidParameter", f"Invalid parameter: {problem}")
        return publish(topic_arn, message, subject, **more)

    sns.publish_internal = publish_checked


def _problem(subject: str, attributes: Json) -> str:
    if len(subject) >= _SUBJECT_CHARACTERS or any(unicodedata.category(one) == "Cc" for one in subject):
        return "Subject"
    for name, one in attributes.items():
        value = one.get("StringValue") or one.get("BinaryValue")
        if not name or not one.get("DataType") or not value:
            return f"The message attribute '{name}' must contain non-empty message attribute value."
        if one["DataType"] == "String.Array" and value.strip() == "[]" and switches().empty_string_array == "refused":
            return f"The message attribute '{name}' has an empty array."
    return ""


def _has_default(message: str) -> bool:
    try:
        document = json.loads(message)
    except ValueError:
        return False
    return isinstance(document, dict) and isinstance(document.get("default"), str)


def _keep_attributes_of_state_machines() -> None:
    publish = stepfunctions._invoke_sns_publish

    def publish_with_attributes(resource: str, arguments: Json) -> Any:
        flat = {name: value for name, value in arguments.items() if name != "MessageAttributes"}
        for number, (name, one) in enumerate((arguments.get("MessageAttributes") or {}).items(), 1):
            flat[f"MessageAttributes.entry.{number}.Name"] = name
            flat |= {f"MessageAttributes.entry.{number}.Value.{field}": value for field, value in one.items()}
        return publish(resource, flat)

    stepfunctions._invoke_sns_publish = publish_with_attributes
    for resource, invoke in list(stepfunctions._SERVICE_DISPATCH.items()):
        if invoke is publish:
            stepfunctions._SERVICE_DISPATCH[resource] = publish_with_attributes


def _deliver() -> None:
    fan_out, matches = sns._fanout, sns._matches_filter_policy

    def fan_out_and_mail(
        topic_arn: str,
        message_id: str,
        message: str,
        subject: str,
        structure: str = "",
        attributes: Json | None = None,
        **more: Any,
    ) -> None:
        seen, sent = _visible(structure, attributes or {})
        reset = _for_filters.set(seen)
        try:
            fan_out(topic_arn, message_id, message, subject, structure, sent, **more)
            topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
            for one in topic["subscriptions"]:
                if one["protocol"] in _MAIL and one.get("confirmed"):
                    text = sns._resolve_message_for_protocol(message, structure, one["protocol"])
                    if matches_visible(one, sent, text):
                        mail(one["endpoint"], topic_arn, subject or "AWS Notification Message", text)
        finally:
            _for_filters.reset(reset)

    def matches_visible(subscription: Json, attributes: Json, message: str = "") -> bool:
        seen = _for_filters.get()
        return bool(matches(subscription, attributes if seen is None else seen, message))

    sns._fanout = fan_out_and_mail
    sns._matches_filter_policy = matches_visible


def _visible(structure: str, attributes: Json) -> tuple[Json, Json]:
    """Return the attributes that filter policies see, and those that are delivered."""
    setting = "delivered" if structure != "json" else switches().attributes_with_json
    return ({} if setting == "neither" else attributes), (attributes if setting == "delivered" else {})
