"""Collect the facts about a run or a change, store the report and publish the message."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from optimizer.aws import at_once
from optimizer.core import Status
from optimizer.report import text
from optimizer.report.message import Message, change_details, run_details
from optimizer.report.pages import run_page
from optimizer.report.publish import Channels, publish_once
from optimizer.report.savings import Facts, VerifiedSavings, verify_savings
from optimizer.report.summary import Report, line, summarise
from optimizer.store import Documents, NoSuchDocument, RunStore

# The message in the JSON in which Lambda says how a function failed, cut after 300 characters.
_ERROR_MESSAGE = re.compile(r'"errorMessage": ?"((?:[^"\\]|\\.)*)')
_MOST_ENDED = 500
HTML = "text/html; charset=utf-8"
_SEVERITY = {Status.KEPT: "info", Status.FAILED: "error"}


_COUNTED = {
    Status.KEPT: "ChangesKept",
    Status.REVERTED: "ChangesTakenBack",
    Status.FAILED: "ChangesFailed",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A published message: its id, and metrics to count; none if it had been sent before."""

    message_id: str
    counts: Mapping[str, float]


def counted(report: Report) -> dict[str, float]:
    """Return the metrics of a run."""
    return {
        "RunsSucceeded": 1.0,
        "ChangesMade": float(len(report.changed)),
        "GuardrailsHit": float(len(report.refused)),
        "TargetsNotLookedAt": float(len(report.not_looked_at)),
    }


def publish_run(
    store: RunStore,
    documents: Documents,
    channels: Channels,
    run_id: str,
    failed_batches: Sequence[Mapping[str, Any]],
    now: datetime,
    link: Callable[[str], tuple[str, datetime]] | None = None,
) -> Published:
    """Write the report, publish the message and record the run's end.

    `link` returns the address of a run's report and until when it can be read. Called again, this sends no second
    message and does not write the report again.
    """
    findings = read_findings(documents, run_id)
    ended = store.ended_since(now - timedelta(days=VerifiedSavings().days), _MOST_ENDED)
    run = store.run(run_id)
    report = summarise(
        run,
        store.changes_of(run_id),
        findings.no_changes,
        {**run.get("left_out", {}), **findings.failed},
        now,
        without_metrics=findings.without_metrics,
        notes=[_batch(failed) for failed in failed_batches],
        proved=verify_savings(ended, findings.facts(), now),
    )
    published = store.start_publication(f"RUN#{run_id}", now)
    found = link(run_id) if link else None
    message = text.body(report, *(found or ()))
    if not published.message_id:
        documents.write(f"runs/{run_id}/report.json", report)
        # Nobody may find a link in the bucket: it would give others the right to read the report.
        kept = text.body(report).encode()
        documents.write_bytes(f"runs/{run_id}/report.txt", kept, "text/plain; charset=utf-8")
        documents.write_bytes(f"runs/{run_id}/report/index.html", run_page(report).encode(), HTML)
    finished = Message(
        "Run finished",
        text.subject(report),
        message,
        run_id,
        "succeeded",
        report.severity,
        report.tuners,
        {**run_details(report), **(link_details(*found) if found else {})},
    )
    message_id = publish_once(channels, store, f"RUN#{run_id}", finished, now)
    store.finish_run(run_id, "succeeded", now, message_id=message_id)
    return Published(message_id, {} if published.message_id else counted(report))


def link_details(url: str, ends: datetime) -> dict[str, str]:
    """Return the fields of a link for programs."""
    return {"report_url": url, "report_url_expires_at": ends.isoformat()}


def publish_change(store: RunStore, channels: Channels, change_id: str, now: datetime) -> Published:
    """Publish the outcome of a change."""
    stored = store.change(change_id)
    shown = line(stored)
    severity = _SEVERITY.get(stored.status, "warning")
    message = Message(
        "Change finished",
        text.change_subject(shown),
        text.change_body(shown),
        stored.change.run_id,
        stored.status.value,
        severity,
        (stored.change.tuner.value,),
        change_details(shown),
    )
    # A change that was kept may be rolled back later, which is a message of its own.
    again = "#REVERTED" if stored.status is Status.REVERTED and Status.KEPT in stored.times else ""
    about = f"CHANGE#{change_id}{again}"
    sent_before = bool(store.start_publication(about, now).message_id)
    message_id = publish_once(channels, store, about, message, now)
    counts = _COUNTED.get(stored.status)
    return Published(message_id, {counts: 1.0} if counts and not sent_before else {})


@dataclass(slots=True)
class _Findings:
    """Findings of a run's analysis and planners.

    `no_changes`: where no change was proposed. `failed`: resources that could not be checked, with the reason.
    `evidence`: by target and tuner. `calls_day`: by function.
    """

    no_changes: list[Mapping[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    without_metrics: list[str] = field(default_factory=list)
    evidence: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    calls_day: dict[str, float | None] = field(default_factory=dict)

    def facts(self) -> dict[str, Facts]:
        """Return the facts by target."""
        return {target: Facts(self.calls_day.get(target), found) for target, found in self.evidence.items()}


def read_findings(documents: Documents, run_id: str) -> _Findings:
    """Read the findings of a run's analysis and planners."""
    findings = _Findings()
    for folder in ("traffic", "proposals"):
        for document in at_once(documents.read, documents.keys(f"runs/{run_id}/{folder}/")):
            findings.no_changes += document.get("no_changes", [])
            findings.failed |= {_name(target): reason for target, reason in document.get("failed", {}).items()}
            for item in (*document.get("no_changes", []), *document.get("changes", [])):
                findings.evidence.setdefault(item["target"], {})[item["tuner"]] = item.get("evidence") or {}
            for target, only_seen in document.get("evidence", {}).items():
                findings.evidence.setdefault(target, {}).update(only_seen)
            functions = document.get("functions", {})
            findings.without_metrics += [name for name, traffic in functions.items() if not traffic["days"]]
            findings.calls_day |= {found["function_arn"]: found["invocations_day"] for found in functions.values()}
    findings.no_changes += read_postponed(documents, run_id)
    return findings


def read_postponed(documents: Documents, run_id: str) -> list[Mapping[str, Any]]:
    """Return the proposals that check_guardrails left to a later run, in the form of resources without a change."""
    try:
        return list(documents.read(f"runs/{run_id}/plan.json").get("postponed", []))
    except NoSuchDocument:
        return []


def _name(target: str) -> str:
    return target.rsplit(":function:", 1)[-1]


def _batch(failed: Mapping[str, Any]) -> str:
    where = f" in {failed['state']}" if failed.get("state") else ""
    message = _ERROR_MESSAGE.search(str(failed.get("cause") or ""))
    why = ": " + message[1].replace("\\n", " ").replace('\\"', '"') if message else "."
    return f"Batch {failed.get('batch', '?')} failed{where}: {failed.get('error') or 'unknown error'}{why}"
