"""The mail about a run or a change: short lines, the most important first, no mark-up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optimizer.core import Interval
from optimizer.guardrails import PASSES
from optimizer.report.lines import Line
from optimizer.report.summary import Report
from optimizer.report.wording import (
    capitalized,
    count,
    dollars,
    reason,
    saved,
    saves_or_costs,
    sentence,
    status_words,
    wrap,
)

# SNS takes 256 KiB, but nobody scrolls through that; the report has the rest.
LONGEST_SECTION = 20
_SUBJECT = 99


def subject(report: Report, unchanged: int = 0) -> str:
    """Return one ASCII line under 100 characters. `unchanged`: recommendations that people know already."""
    counts = [
        (len(report.changed), "applied"),
        (len(report.taken_back), "rolled back"),
        (len(report.waiting), "to approve"),
        (len(report.scheduled), "waiting to be applied"),
        (len(report.recommended), "newly recommended" if unchanged else "recommended"),
        (len(report.refused), "blocked"),
        (len(report.failed), "failed"),
        (len(report.unfinished), "unfinished"),
        (unchanged, "recommended as before"),
    ]
    words = [f"{number} {word}" for number, word in counts if number] or ["nothing to change"]
    functions = len({one.target for one in report.advice})
    words += [f"advice on {count(functions, 'function')}"] if functions else []
    return _ascii(f"Optimizer: {', '.join(words)} ({count(report.targets, 'function')} checked)")


def change_subject(shown: Line) -> str:
    """Return one ASCII line about the outcome of a single change."""
    return _ascii(f"Optimizer: {shown.tuner.replace('_', ' ')} of {shown.target} {status_words(shown.status)}")


def body(
    report: Report, url: str = "", ends: datetime | None = None, known: Sequence[str] = (), when: str = "in this run"
) -> str:
    """Return the text of the mail about a run.

    `url` leads to its report, which can be read until `ends`; without an end, it is the command that does. `known`:
    lines about all that people know already. `when`: the time of the applied changes.
    """
    proved = report.proved
    parts = [
        f"Run {report.run_id}, {report.started_at:%Y-%m-%d %H:%M} to {report.finished_at:%H:%M} UTC.",
        f"{count(report.targets, 'function')} checked; no change needed or possible in "
        f"{count(len(report.left_alone), 'case')}.",
    ]
    if report.changed:
        parts.append(
            f"Estimated savings of the changes applied {when}: {saved(report.expected_usd_month)} a month"
            f"{_cold_starts(report.expected_cold_starts_month)}."
        )
    if proved.measured:
        parts.append(
            f"Verified savings of {count(proved.measured, 'change')} whose observation ended in the last {proved.days} "
            f"days: {dollars(-proved.measured_usd_month)} a month (estimated: {dollars(-proved.claimed_usd_month)})."
        )
    if report.recommended:
        parts.append(f"Potential savings of the recommended changes: {saved(report.possible_usd_month)} a month.")
    if report.prices:
        parts.append(f"Prices: {'; '.join(report.prices)}.")
    if report.without_metrics:
        parts.append(f"No metrics at all (never called, or not for weeks): {_names(report.without_metrics)}.")
    parts += [*report.notes, *known]
    if url:
        parts += ["", f"Report with charts, {who_can_open(ends)}:", url]
    parts += _section("Applied (kept or under observation)", report.changed)
    parts += _section("Rolled back", report.taken_back)
    parts += _section("Failed", report.failed)
    parts += _section("Started and not finished; a message about each gives the reason", report.unfinished)
    parts += _section("Waiting for approval", report.waiting)
    parts += _section("Approved, and waiting to be applied", report.scheduled)
    parts += _section("Recommended (your policy does not apply these changes automatically)", report.recommended)
    parts += _section("Rejected", report.rejected)
    parts += _section("Blocked by a guardrail", report.refused)
    if report.advice:
        parts += ["", f"Advice (it changes nothing): {len(report.advice)}"]
        parts += _cut([f"- {one.target}, {one.subject.replace('_', ' ')}: {one.words}" for one in report.advice])
    notices = [f"- {item['target']}: {item['reason']}" for item in report.left_alone if _is_notice(item)]
    if notices:
        parts += ["", f"Not changed, and worth knowing: {len(notices)}", *_cut(notices)]
    if report.not_looked_at:
        failed = [f"- {target}: {reason}" for target, reason in sorted(report.not_looked_at.items())]
        parts += ["", f"Could not be checked: {len(failed)}", *_cut(failed)]
    # A command that is copied must not be broken.
    return "\n".join(part if part == url else wrap(part) for part in parts) + "\n"


def who_can_open(ends: datetime | None) -> str:
    """Return who can open a page and until when, as the end of a line above its address or its command."""
    if ends is None:
        return "with AWS credentials, from a terminal"
    return f"until {ends:%Y-%m-%d %H:%M} UTC for everybody who has this link"


def change_body(shown: Line) -> str:
    """Return the text of the mail about the outcome of a single change."""
    outcome = f"Outcome: {status_words(shown.status)}. {last_message(shown)}".rstrip()
    parts = [f"{shown.target}: {shown.what}.", sentence(reason(shown)), sentence(outcome)]
    prices = [f"Prices: {shown.prices}."] if shown.prices else []
    return "\n".join(wrap(part) for part in [*parts, *prices, f"Change {shown.change_id}."]) + "\n"


def approval_subject(report: Report, run_id: str) -> str:
    """Return one ASCII line about the end of an approval request. `report` has its changes only."""
    counts = [
        (len(report.changed), "applied"),
        (len(report.scheduled), "waiting to be applied"),
        (len(report.waiting) + len(report.unfinished), "approved, not applied yet"),
        (len(report.rejected), "rejected"),
        (len(report.refused), "blocked or outdated"),
        (len(report.taken_back), "rolled back"),
        (len(report.failed), "failed"),
    ]
    summary = ", ".join(f"{number} {word}" for number, word in counts if number)
    return _ascii(f"Optimizer: {summary} (approval request of run {run_id})")


def approval_body(report: Report, responses: str, url: str = "", ends: datetime | None = None) -> str:
    """Return the text of the mail about the end of an approval request. `responses`: who responded, and how."""
    parts = [f"The approval request of run {report.run_id} has ended.", sentence(responses)]
    if url and ends:
        parts += ["", f"Report with charts, {who_can_open(ends)}:", url]
    elif url:
        parts += ["", "Report with charts:", url]
    parts += _section("Applied (kept or under observation)", report.changed)
    parts += _section("Rolled back", report.taken_back)
    parts += _section("Failed", report.failed)
    parts += _section("Approved, and waiting to be applied", report.scheduled)
    parts += _section("Approved and not applied yet", (*report.waiting, *report.unfinished))
    parts += _section("Rejected", report.rejected)
    parts += _section("Blocked by a guardrail or outdated", report.refused)
    return "\n".join(part if part == url else wrap(part) for part in parts) + "\n"


def _cold_starts(number: Interval) -> str:
    if number.estimate == 0:
        return ""
    word = "fewer" if number.estimate < 0 else "more"
    return f", {abs(number.estimate):.0f} {word} cold starts a month"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - LONGEST_SECTION} more" if len(names) > LONGEST_SECTION else ""
    return f"{', '.join(names[:LONGEST_SECTION])}{more}"


def _section(title: str, lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    return ["", f"{title}: {len(lines)}", *_cut([_item(shown) for shown in lines])]


def _cut(lines: list[str]) -> list[str]:
    if len(lines) <= LONGEST_SECTION:
        return lines
    return [*lines[:LONGEST_SECTION], f"- and {len(lines) - LONGEST_SECTION} more, in the report"]


def _item(shown: Line) -> str:
    parts = [f"{shown.target}: {shown.what}"]
    parts += [f"Estimate: {saves_or_costs(shown.usd_month)} a month"] if shown.usd_month else []
    parts += [reason(shown), last_message(shown)]
    rule = f" [{shown.rule}]" if shown.rule and shown.rule != "mode" else ""
    return f"- {' '.join(sentence(part) for part in parts if part)}{rule}"


def last_message(shown: Line) -> str:
    """Return the last message about a change; that the policy allowed it is no news once it is applied."""
    # Records of an earlier version begin with the second text.
    is_news = not shown.message.startswith((PASSES, "Within every guardrail"))
    return capitalized(shown.message, shown.target) if is_news else ""


def _is_notice(no_change: Mapping[str, Any]) -> bool:
    return bool((no_change.get("evidence") or {}).get("notice"))


def _ascii(line: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in line)[:_SUBJECT]
