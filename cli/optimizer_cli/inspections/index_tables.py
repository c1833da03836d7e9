"""The findings in a database as tables."""

from collections.abc import Sequence

from optimizer.core import data_size, harmless, printable
from optimizer.indexes.model import Action, Catalog, Finding
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WORDS = {Action.ASK: "decide", Action.OPTIMIZE_TABLE: "optimize", Action.CLEAN_PENDING_LIST: "clean"}
_COLOUR = {"low": "green", "medium": "yellow", "high": "red"}
_NOT_READ = {
    "usage": "how often indexes are used",
    "statements": "statements",
    "sizes": "sizes and statistics of indexes",
    "table_statistics": "how much tables have changed",
    "column_statistics": "statistics of columns",
    "builds": "builds that are running",
    "stored_code": "views and routines",
    "plans": "plans of statements",
    "plans_of_other_roles": "plans of other roles' statements",
}


def show(nodes: Sequence[Catalog], findings: Sequence[Finding], out: Console) -> None:
    """Print proposed changes, kept indexes with the reason, and facts that could not be read."""
    server = nodes[0].server
    version = ".".join(map(str, server.version))
    count = f"{len(nodes[0].indexes):,} indexes of {len(nodes[0].tables):,} tables"
    place = server.database or "all databases"
    out.print(f"{server.engine.value} {version} at {server.node}, {place}: {count}", markup=False, highlight=False)
    todo = [finding for finding in findings if finding.action is not Action.NONE]
    if todo:
        freed = sum(finding.saves_bytes or 0 for finding in todo if finding.action is not Action.CREATE)
        title = f"To do: {len(todo)}" + (f", {size(freed)} to be freed" if freed else "")
        table = Table("change", "table and index", "size", "risk", "reason", title=title, title_justify="left")
        for finding in todo:
            risk = f"[{_COLOUR[finding.risk.value]}]{finding.risk.value}[/]"
            what = _WORDS.get(finding.action, finding.action.value)
            table.add_row(what, escape(_where(finding)), size(finding.size_bytes), risk, escape(_why(finding)))
        out.print(table)
    else:
        out.print("Nothing to do.")
    kept = [finding for finding in findings if finding.action is Action.NONE]
    if kept:
        table = Table(
            "finding", "table and index", "size", "reason to keep it", title=f"Kept: {len(kept)}", title_justify="left"
        )
        for finding in kept:
            words = finding.kept_because or finding.reason
            kind = finding.kind.value.replace("_", " ")
            table.add_row(kind, escape(_where(finding)), size(finding.size_bytes), escape(harmless(words)))
        out.print(table)
    for node in nodes:
        for name, why in node.not_read.items():
            what = _NOT_READ.get(name, name)
            out.print(harmless(f"Not read on {node.server.node}: {what} ({why})."), markup=False, highlight=False)


def _where(finding: Finding) -> str:
    place = f"{finding.schema}.{finding.table}"
    return harmless(f"{place}: {finding.index}" if finding.index else place)


def _why(finding: Finding) -> str:
    wanted = finding.action in (Action.CREATE, Action.ASK) and finding.index is None and finding.statement
    reason = harmless(finding.reason)
    return f"{reason}\n{printable(finding.statement or '')}" if wanted else reason


def size(count: int | None) -> str:
    """Return a size as text, empty if it is not known."""
    return "" if count is None else data_size(count)
