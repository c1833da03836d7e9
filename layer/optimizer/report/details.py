"""A run and a change as a message tells them to programs."""

from typing import Any

from optimizer.core import canonical_json
from optimizer.report.lines import Line
from optimizer.report.summary import SECTIONS, Report

_MOST_CHANGES = 100
_MOST_ADVICE = 20


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
        "advice_given": len(report.advice),
        "advice": [canonical_json.plain(one) for one in report.advice[:_MOST_ADVICE]],
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
        **({"owner_line": line.message} if line.rule.startswith(("owner.", "kind.image")) else {}),
        "usd_month": line.usd_month.estimate if line.usd_month else None,
        "cold_starts_month": line.cold_starts_month.estimate if line.cold_starts_month else None,
    }
