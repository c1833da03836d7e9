"""A message about a run or a change, before it is published."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.core import canonical_json

# Programs read JSON; everything else that a topic can deliver to gets one line.
_PROGRAMS = ("sqs", "lambda", "http", "https", "firehose")
# SNS takes 256 KiB for all protocols together; the text is there for each program and for mail.
LONGEST_TEXT = 16_000
_LARGEST_MESSAGE = 250_000


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


def shortened(text: str) -> str:
    """The text, cut at a line where it would be longer than a mail may be."""
    if len(text.encode()) <= LONGEST_TEXT:
        return text
    cut = text.encode()[:LONGEST_TEXT].decode(errors="ignore").rpartition("\n")[0]
    return f"{cut}\n\nThe rest is in the report.\n"
