"""A message about a run or a change, before it is published."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.core import canonical_json
from optimizer.report.summary import SECTIONS, Line, Report

# Programs get JSON, mail gets text, and all other protocols of a topic get one line.
_PROGRAMS = ("sqs", "lambda", "http", "https", "firehose")
# SNS takes 256 KiB for all protocols together, and each of them contains the text.
LONGEST_TEXT = 16_000
_LARGEST_MESSAGE = 250_000


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the text for mail, and for programs `details` beside the fields that filters can use.

    `kind` is the detail type of its event, for example "Run finished". `link` is in the message and never on the bus.
    `approver` names the one person that the message is for, if it is for one only.
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
        """Return the message for programs; docs/architecture.md, Messages."""
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
        """Return the message with `MessageStructure` json: mail gets text, programs get JSON, the rest the subject."""
        document = self.document()
        program = json.dumps(document)
        if len(program) * len(_PROGRAMS) > _LARGEST_MESSAGE - LONGEST_TEXT * 2:
            # The report has all changes.
            program = json.dumps({**document, "changes": [], "changes_left_out": True})
        texts = {"default": self.subject, "email": document["text"], **dict.fromkeys(_PROGRAMS, program)}
        return json.dumps(texts)


def shortened(text: str) -> str:
    """Return the text, cut at a line if it is longer than a mail may be."""
    if len(text.encode()) <= LONGEST_TEXT:
        return text
    cut = text.encode()[:LONGEST_TEXT].decode(errors="ignore").rpartition("\n")[0]
    return f"{cut}\n\nThe rest is in the report.\n"


_MOST_CHANGES = 100


def run_details(report: Report) -> dict[str, Any]:
    """Return counts by section, the amounts of the report, and the first changes of each section."""
    lines = [line for name in SECTIONS for line in getattr(report, name)]
    return {
        "targets": report.targets,
        "counts": {name: len(getattr(report, name)) for name in SECTIONS},
        "left_alone": len(report.left_alone),
        "not_looked_at": len(report.not_looked_at),
        "expected_usd_month": canonical_json.plain(report.expected_usd_month),
        "possible_usd_month": canonical_json.plain(report.possible_usd_month),
        "changes": [change_details(line) for line in lines[:_MOST_CHANGES]],
        "changes_left_out": len(lines) > _MOST_CHANGES,
        "report_key": f"runs/{report.run_id}/report.json",
    }


def change_details(line: Line) -> dict[str, Any]:
    """Return the change, its status and its estimated effect a month (null: not known)."""
    return {
        "change_id": line.change_id,
        "tuner": line.tuner,
        "target": line.target,
        "status": line.status,
        "rule": line.rule,
        "usd_month": line.usd_month.estimate if line.usd_month else None,
        "cold_starts_month": line.cold_starts_month.estimate if line.cold_starts_month else None,
    }
