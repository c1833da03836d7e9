"""Results as tables for people."""

from collections.abc import Mapping
from typing import Any

from optimizer.core import Change, data_size
from optimizer.report import change_phrase
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from optimizer_cli.demo_run import Result


def result(demo: Result, out: Console) -> None:
    """Print what was proposed, blocked and changed, the messages, and the path of the report."""
    proposals = [dict(item) for item in demo.plan.get("proposals", [])]
    allowed = [item for item in proposals if item["verdict"] != "refused"]
    blocked = [item for item in proposals if item["verdict"] == "refused"]
    _table(
        out,
        f"Proposed: {len(allowed)}",
        ("resource", "change and reason"),
        [
            (_words(item["change"], item["verdict"]), _what(item["change"], item["change"]["reason"]))
            for item in allowed
        ],
    )
    _table(
        out,
        f"Blocked by a guardrail: {len(blocked)}",
        ("resource", "change and reason for the block"),
        [(_words(item["change"], item["rule"]), _what(item["change"], item["message"])) for item in blocked],
    )
    _table(
        out,
        f"Memory changed: {len(demo.memory_mb)}",
        ("function", "before", "now"),
        [(name, f"{before} MB", f"{after} MB") for name, (before, after) in demo.memory_mb.items()],
    )
    _table(
        out,
        f"TTLs published: {len(demo.ttls)}",
        ("cache", "version", "now", "before"),
        [
            (name, ttls["version"], _ttls(ttls["ttl_s"]), _ttls(ttls.get("previous", {}).get("ttl_s", {})))
            for name, ttls in demo.ttls.items()
        ],
    )
    before, after = demo.indexes
    changed = [name for name in sorted(before | after) if before.get(name) != after.get(name)]
    _table(
        out,
        f"Indexes changed: {len(changed)}",
        ("index", "before", "now"),
        [(name, _index(before.get(name)), _index(after.get(name))) for name in changed],
    )
    out.print(f"Warm-up schedules in the account: {len(demo.schedules)}")
    if demo.timetables:
        out.print("Schedules of provisioned concurrency in the account:")
        for schedule in demo.timetables:
            out.print(f"  {schedule}", markup=False)
    for message in demo.messages:
        out.rule(message["subject"])
        out.print(message["message"], markup=False)
    out.rule()
    out.print(f"Report and evidence: {demo.folder}/")
    out.print(f"Page with charts: {demo.folder}/report/index.html")


def running(environment: Mapping[str, str], out: Console) -> None:
    """Print how to reach the account that keeps running."""
    out.print("\nThe account runs until Ctrl-C. In another terminal:")
    for name, value in environment.items():
        out.print(f"  export {name}={value}", markup=False, soft_wrap=True)


def _table(out: Console, title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    out.print()
    if not rows:
        out.print(title)
        return
    ruled = any("\n" in row[0] for row in rows)
    table = Table(*columns, title=title, title_justify="left", show_lines=ruled)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    out.print(table)


def _words(change: Mapping[str, Any], verdict: str) -> str:
    """Return the resource, the verdict or rule, and the id of the change."""
    return f"{_short(change['target'])}\n{verdict.replace('_', ' ')}\n{change['id']}"


def _what(change: Mapping[str, Any], why: str) -> str:
    return f"{change_phrase(Change.from_document(change))}\n{why}"


def _ttls(ttl_s: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {seconds:g} s" for name, seconds in ttl_s.items())


def _index(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "none"
    return "invalid" if size_bytes < 0 else data_size(size_bytes)


def _short(target: str) -> str:
    """Return the last part of an ARN."""
    return target.rsplit(":function:", 1)[-1]
