"""Collect the facts about a run or a change, store the report and publish the message."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from optimizer.aws import at_once
from optimizer.core import Status, StoredChange, Tuner
from optimizer.report import last_known, news, text
from optimizer.report.advice_lines import AdviceLine, advice_lines
from optimizer.report.details import change_details, run_details
from optimizer.report.digest import compose_mail
from optimizer.report.last_known import LastKnown
from optimizer.report.lines import line
from optimizer.report.message import Message
from optimizer.report.pages import run_page
from optimizer.report.publish import Channels, publish_once
from optimizer.report.savings import VerifiedSavings, verify_savings
from optimizer.report.summary import Report, summarise
from optimizer.store import Documents, NoSuchDocument, RunStore, read_postponed

# The message in the JSON in which Lambda says how a function failed, cut after 300 characters.
_ERROR_MESSAGE = re.compile(r'"errorMessage": ?"((?:[^"\\]|\\.)*)')
_MOST_ENDED = 500
# Others appear on no bill, and one of them ends every few hours.
_VERIFIED = (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)
HTML = "text/html; charset=utf-8"
_SEVERITY = {Status.KEPT: "info", Status.FAILED: "error"}


# What went well is in the next mail about a run.
_MAILED = (Status.REVERTED, Status.FAILED)
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
    link: Callable[[str], tuple[str, datetime | None]] | None = None,
) -> Published:
    """Write the report, publish the message and record the run's end.

    `link` returns the address of a run's report and until when it can be read, or a command and None. Called again,
    this sends no second message and does not write the report again.
    """
    findings = read_findings(documents, run_id)
    ended = ended_since(store, now - timedelta(days=VerifiedSavings().days), _MOST_ENDED)
    run, own = store.run(run_id), list(store.changes_of(run_id))
    known = _look(read_last_known(documents), findings, ended, run, now, is_whole=not failed_batches)
    report = summarise(
        run,
        own,
        findings.no_changes,
        {**run.get("left_out", {}), **findings.failed},
        now,
        without_metrics=findings.without_metrics,
        notes=[*_next_step(run), *(_batch(failed) for failed in failed_batches)],
        proved=verify_savings(ended, known.facts(), now),
        advice=findings.advice,
    )
    published = store.start_publication(f"RUN#{run_id}", now)
    found = link(run_id) if link else None
    message = text.body(report, *(found or ()))
    if not published.message_id:
        documents.write(last_known.KEY, known.document())
        write_report(documents, report)
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
    # What people know is written after the message: an attempt that died before it decides the same again.
    mail = compose_mail(store, documents, run, report, own, found, now)
    finished = replace(finished, mail_subject=mail.subject, mail_text=mail.text)
    message_id = publish_once(channels, store, f"RUN#{run_id}", finished, now, mail=mail.is_due)
    documents.write(news.KEY, mail.told.document())
    store.finish_run(run_id, "succeeded", now, message_id=message_id)
    return Published(message_id, {} if published.message_id else counted(report))


def write_report(documents: Documents, report: Report) -> None:
    """Write the report of a run as JSON, as text and as a page."""
    folder = f"runs/{report.run_id}"
    documents.write(f"{folder}/report.json", report)
    # Nobody may find a link in the bucket: it would give others the right to read the report.
    documents.write_bytes(f"{folder}/report.txt", text.body(report).encode(), "text/plain; charset=utf-8")
    documents.write_bytes(f"{folder}/report/index.html", run_page(report).encode(), HTML)


def link_details(url: str, ends: datetime | None) -> dict[str, str]:
    """Return the fields of a link for programs."""
    if ends is None:
        return {"report_command": url}
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
    message_id = publish_once(channels, store, about, message, now, mail=stored.status in _MAILED)
    counts = _COUNTED.get(stored.status)
    return Published(message_id, {counts: 1.0} if counts and not sent_before else {})


@dataclass(slots=True)
class _Findings:
    """Findings of a run's analysis and planners.

    `no_changes`: where no change was proposed. `failed`: resources that could not be checked, with the reason.
    `evidence`: by target and tuner. `traffic`: of each function. `advice`: on functions.
    """

    no_changes: list[Mapping[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    without_metrics: list[str] = field(default_factory=list)
    evidence: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    traffic: list[Mapping[str, Any]] = field(default_factory=list)
    advice: list[AdviceLine] = field(default_factory=list)


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
            for target, given in document.get("advice", {}).items():
                findings.advice += advice_lines(target, given)
            functions = document.get("functions", {})
            findings.without_metrics += [name for name, traffic in functions.items() if not traffic["days"]]
            findings.traffic += functions.values()
    findings.no_changes += read_postponed(documents, run_id)
    return findings


def ended_since(store: RunStore, since: datetime, limit: int) -> list[StoredChange]:
    """Return the changes that ended since then, the newest `limit` of all and of each tuner whose savings show."""
    found = [store.ended_since(since, limit), *(store.ended_since(since, limit, tuner) for tuner in _VERIFIED)]
    return list({stored.change.id: stored for some in found for stored in some}.values())


def read_last_known(documents: Documents) -> LastKnown:
    """Return what was last known of each function."""
    try:
        return LastKnown.from_document(documents.read(last_known.KEY))
    except NoSuchDocument:
        return LastKnown()


def _look(
    known: LastKnown,
    findings: _Findings,
    ended: Iterable[StoredChange],
    run: Mapping[str, Any],
    now: datetime,
    *,
    is_whole: bool,
) -> LastKnown:
    """Return what is known after a run. `is_whole`: none of its batches failed."""
    request = run.get("request") or {}
    asked_for_all = request.get("functions") is None and request.get("databases") is None
    complete = is_whole and asked_for_all and not findings.failed
    with_traffic = known.with_traffic(findings.traffic, now, is_complete=complete)
    return with_traffic.with_evidence(findings.evidence, {stored.change.target for stored in ended}, now)


def _name(target: str) -> str:
    return target.rsplit(":function:", 1)[-1]


def _next_step(run: Mapping[str, Any]) -> list[str]:
    """Return what to do if nothing is set up yet; people read it once."""
    if not run.get("untagged"):
        return []
    return [
        f"No function has the tag {run['untagged']}, and the policy names no database and no cache. Next step: tag a "
        f"function with `aws lambda tag-resource --resource FUNCTION_ARN --tags {run['untagged']}`. `optimizer policy "
        "put` stores a policy; without one, runs only recommend."
    ]


def _batch(failed: Mapping[str, Any]) -> str:
    where = f" in {failed['state']}" if failed.get("state") else ""
    message = _ERROR_MESSAGE.search(str(failed.get("cause") or ""))
    why = ": " + message[1].replace("\\n", " ").replace('\\"', '"') if message else "."
    return f"Batch {failed.get('batch', '?')} failed{where}: {failed.get('error') or 'unknown error'}{why}"
