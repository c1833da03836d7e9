"""A report in plain words, for mail: short lines, the most important first, no mark-up."""

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from optimizer.core import Interval
from optimizer.report.summary import Line, Report

# SNS takes 256 KiB; a mail nobody scrolls through is shorter, and the report has the rest.
LONGEST_SECTION = 20
_WIDTH = 78
_SUBJECT = 99


def subject(report: Report) -> str:
    """One ASCII line under 100 characters."""
    counts = [
        (len(report.changed), "changed"),
        (len(report.taken_back), "taken back"),
        (len(report.waiting), "waiting"),
        (len(report.recommended), "recommended"),
        (len(report.refused), "refused"),
        (len(report.failed), "failed"),
        (len(report.unfinished), "unfinished"),
    ]
    said = ", ".join(f"{number} {word}" for number, word in counts if number) or "nothing to change"
    return _ascii(f"Optimizer: {said} ({report.targets} functions looked at)")


def change_subject(shown: Line) -> str:
    """One ASCII line about how a single change ended."""
    return _ascii(f"Optimizer: {shown.tuner.replace('_', ' ')} of {shown.target} {shown.status}")


def body(report: Report, url: str = "", ends: datetime | None = None) -> str:
    """The whole message about a run. `url`: of its report, which can be read until `ends`."""
    parts = [
        f"Run {report.run_id}, {report.started_at:%Y-%m-%d %H:%M} to {report.finished_at:%H:%M} UTC.",
        f"{report.targets} functions looked at, {len(report.left_alone)} decisions to leave something as it is.",
    ]
    if report.changed:
        parts.append(
            f"Expected from what was changed: {usd(report.expected_usd_month)} a month"
            f"{_cold_starts(report.expected_cold_starts_month)}."
        )
    if report.proved.measured:
        proved = report.proved
        parts.append(
            f"Measured, of {proved.measured} change{'' if proved.measured == 1 else 's'} whose watch ended in the last "
            f"{proved.days} days: "
            f"{proved.measured_usd_month:+.2f} USD a month; claimed were {proved.claimed_usd_month:+.2f} USD."
        )
    if report.recommended:
        parts.append(f"Possible, if you agree: {usd(report.possible_usd_month)} a month.")
    if report.without_metrics:
        parts.append(f"No metrics at all (never called, or not for weeks): {_names(report.without_metrics)}.")
    parts += report.notes
    if url and ends:
        parts += ["", f"With pictures, until {ends:%Y-%m-%d %H:%M} UTC for whoever has this link:", url]
    parts += _section("Changed, and now watched", report.changed)
    parts += _section("Taken back", report.taken_back)
    parts += _section("Failed", report.failed)
    parts += _section("Started and not finished; a message about each says why", report.unfinished)
    parts += _section("Waiting for an answer", report.waiting)
    parts += _section("Recommended (your policy lets nothing of this happen by itself)", report.recommended)
    parts += _section("Rejected", report.rejected)
    parts += _section("Refused by a guardrail", report.refused)
    notices = [f"- {item['target']}: {item['reason']}" for item in report.left_alone if _is_notice(item)]
    if notices:
        parts += ["", f"Left as it is, and worth knowing: {len(notices)}", *_cut(notices)]
    if report.not_looked_at:
        failed = [f"- {target}: {reason}" for target, reason in sorted(report.not_looked_at.items())]
        parts += ["", f"Could not be looked at: {len(failed)}", *_cut(failed)]
    return "\n".join(wrap(part) for part in parts) + "\n"


def change_body(shown: Line) -> str:
    """The message about how a single change ended."""
    outcome = f"Outcome: {shown.status}. {message(shown)}".rstrip()
    parts = [f"{shown.target}: {shown.what}.", sentence(reason(shown)), outcome]
    return "\n".join(wrap(part) for part in [*parts, f"Change {shown.change_id}."]) + "\n"


def usd(amount: Interval) -> str:
    """`-3.20 USD (-4.10 to -2.30)`."""
    if amount.low == amount.high:
        return f"{amount.estimate:+.2f} USD"
    return f"{amount.estimate:+.2f} USD ({amount.low:+.2f} to {amount.high:+.2f})"


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
    parts += [f"{usd(shown.usd_month)} a month"] if shown.usd_month else []
    parts += [reason(shown), message(shown)]
    rule = f" [{shown.rule}]" if shown.rule and shown.rule != "mode" else ""
    return f"- {' '.join(sentence(part) for part in parts if part)}{rule}"


def reason(shown: Line) -> str:
    """The reason without the name of its target, with which the line begins."""
    said = shown.reason.removeprefix(f"{shown.target}: ")
    # A name is written as it is.
    is_word = said.partition(" ")[0].strip(",;:").isalpha()
    return said[:1].upper() + said[1:] if is_word else said


def message(shown: Line) -> str:
    """What was said of the change last; that the policy allowed it is no news once it was made."""
    return "" if shown.message.startswith("Within every guardrail") else shown.message


def sentence(part: str) -> str:
    """The part with a full stop, unless it ends with a mark of its own."""
    return part if part.endswith((".", "!", "?")) else f"{part}."


def _is_notice(no_change: Mapping[str, Any]) -> bool:
    return bool((no_change.get("evidence") or {}).get("notice"))


def wrap(part: str) -> str:
    """The part in lines for mail."""
    return textwrap.fill(
        part,
        _WIDTH,
        subsequent_indent="  " if part.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _ascii(line: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in line)[:_SUBJECT]
