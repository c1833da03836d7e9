"""A message about a run or a change, before it is published: text for people, JSON for programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.core import canonical_json

# SNS and EventBridge take 256 KiB: the body as it is escaped in the notification around it, and the attributes.
LARGEST = 262_144
LONGEST_TEXT = 16_000
# Nobody reads more in a mail. It is far more than an approval request takes in any script, so that no link is cut off.
LONGEST_MAIL = 100_000
# What SNS adds to the body for a queue: ids, times, the signature, and the names of everything.
_ENVELOPE = 2_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the text for people, and for programs `details` beside the fields that filters can use.

    `kind` is the detail type of its event, for example "Run finished". `link` is in the message and never on the bus.
    `approver` names the one person that the message is for: nobody else gets its text and its link. `mail_text` and
    `mail_subject` are those for people if they differ. `unreached` names approvers whom no topic of their own reaches.
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
    mail_text: str = ""
    mail_subject: str = ""
    unreached: tuple[str, ...] = ()

    def for_people(self) -> str:
        """Return the text for people."""
        return encodable(shortened(self.mail_text or self.text, LONGEST_MAIL))

    def document(self) -> dict[str, Any]:
        """Return the message for programs; docs/architecture.md, Messages.

        Other people's links are no program's business: neither the link of an approver nor a text with it is there.
        """
        is_private = bool(self.approver)
        return {
            "version": 1,
            "kind": self.kind,
            "run_id": self.run_id,
            "outcome": self.outcome,
            "severity": self.severity,
            "tuners": list(self.tuners),
            "subject": self.subject,
            **({} if is_private else {"text": shortened(self.text)}),
            **({"link": self.link} if self.link and not is_private else {}),
            **({"approver": self.approver} if self.approver else {}),
            **canonical_json.plain(self.details),
        }

    def for_programs(self) -> dict[str, Any]:
        """Return the document, without its last changes if it would be larger than a message may be."""
        document = self.document()
        room = LARGEST - _ENVELOPE - _attribute_bytes(self.attributes())
        changes = list(document.get("changes") or ())
        if len(sent_bytes(document)) <= room or not changes:
            return document
        # The report has all changes.
        document |= {"changes": [], "changes_left_out": True}
        room -= len(sent_bytes(document))
        kept = 0
        for change in changes:
            room -= len(sent_bytes(change)) + len(", ")
            if room < 0:
                break
            kept += 1
        return document | {"changes": changes[:kept]}

    def attributes(self) -> dict[str, Any]:
        """Return the attributes by which a subscription can choose; none is empty, because SNS may not take it."""
        texts = {"run": self.run_id, "outcome": self.outcome, "severity": self.severity}
        lists = {"tuner": self.tuners, "approver": self.unreached}
        return {
            **{name: {"DataType": "String", "StringValue": value} for name, value in texts.items() if value},
            **{
                name: {"DataType": "String.Array", "StringValue": json.dumps(values)}
                for name, values in lists.items()
                if values
            },
        }


def program_text(document: Mapping[str, Any]) -> str:
    """Return a document for programs as JSON text, in its own script."""
    return encodable(json.dumps(document, ensure_ascii=False))


def sent_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as it is sent: JSON, escaped once more in the notification around it."""
    return json.dumps(program_text(document), ensure_ascii=False).encode()


def encodable(text: str) -> str:
    """Return the text with a mark instead of characters that no encoding has, such as half of a pair."""
    return text.encode(errors="replace").decode()


def _attribute_bytes(attributes: Mapping[str, Mapping[str, str]]) -> int:
    return sum(
        len(name.encode()) + sum(len(part.encode()) for part in one.values()) for name, one in attributes.items()
    )


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the text, cut at a line if it has more bytes than allowed."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= longest:
        return text
    cut = encoded[:longest].decode(errors="ignore").rpartition("\n")[0]
    return f"{cut}\n\nThe rest is in the report.\n"
