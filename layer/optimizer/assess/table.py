"""An assessment for programs: one JSON object, or a line of CSV for each function, database and cache. Pure."""

import csv
import io
from typing import Any

from optimizer.assess.model import Assessment
from optimizer.assess.totals import finding_of, totals_of
from optimizer.core import Tuner, plain

_COLUMNS = (
    "kind", "name", "owner", "alias", "runtime_or_engine", "architecture", "memory_mb_or_size", "calls_day", "mean_ms",
    "bill_usd_month", "saved_usd_month", "saved_low", "saved_high", "memory", "provisioned_concurrency",
    "cold_starts_fewer_month", "warmups_usd_month", "hindrances", "advice",
)  # fmt: skip


def document(assessment: Assessment) -> dict[str, Any]:
    """Return the JSON object."""
    totals = totals_of(assessment)
    return {
        **plain(assessment),
        "totals": {
            "functions": totals.functions,
            "idle": totals.idle,
            "assessed": totals.assessed,
            "bill_usd_month": totals.bill_usd_month,
            "saved_usd_month": plain(totals.saved),
            "cold_starts_fewer_month": plain(totals.cold_starts),
            "warmups_usd_month": totals.warmups_usd_month,
            "hindrances": {group.rule: len(group.functions) for group in totals.groups},
        },
    }


def csv_text(assessment: Assessment) -> str:
    """Return the lines with a heading; the most expensive functions first."""
    file = io.StringIO()
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for row in sorted(assessment.functions, key=lambda one: (-(one.bill_usd_month or 0.0), one.name)):
        memory, held = finding_of(row, Tuner.MEMORY.value), finding_of(row, Tuner.PROVISIONED_CONCURRENCY.value)
        warmups, saved = finding_of(row, Tuner.WARMUPS.value), row.saved_usd_month
        cold, cost = (warmups.cold_starts_month, warmups.usd_month) if warmups else (None, None)
        writer.writerow(
            {
                "kind": "function",
                "name": row.name,
                "owner": _cell(row.owner),
                "alias": row.alias,
                "runtime_or_engine": row.runtime,
                "architecture": row.architecture,
                "memory_mb_or_size": row.memory_mb,
                "calls_day": _number(row.calls_day),
                "mean_ms": _number(row.mean_ms),
                "bill_usd_month": _number(row.bill_usd_month),
                "saved_usd_month": _number(saved.estimate) if row.is_assessed else "",
                "saved_low": _number(saved.low) if row.is_assessed else "",
                "saved_high": _number(saved.high) if row.is_assessed else "",
                "memory": memory.what if memory else "",
                "provisioned_concurrency": held.what if held else "",
                "cold_starts_fewer_month": _number(-cold.estimate) if cold else "",
                "warmups_usd_month": _number(cost.estimate) if cost else "",
                "hindrances": " ".join(one.rule for one in row.hindrances),
                "advice": " ".join(words for _, words in row.advice),
            }
        )
    for server in assessment.servers:
        writer.writerow(
            {
                "kind": server.kind,
                "name": server.name,
                "owner": _cell(server.owner),
                "runtime_or_engine": server.engine,
                "memory_mb_or_size": server.size,
                "advice": "; ".join(server.advice),
            }
        )
    return file.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _cell(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula: tags are written by anybody."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
