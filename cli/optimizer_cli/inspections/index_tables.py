"""The findings in a database as text."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.core import data_size, harmless, printable
from optimizer.indexes.model import Action, Catalog, Engine, Finding, Kind
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from optimizer_cli.inspections.index_statements import statements_for

_WORDS = {Action.ASK: "decide", Action.OPTIMIZE_TABLE: "optimize", Action.CLEAN_PENDING_LIST: "clean"}
_RANKS = (
    (Kind.WRAPAROUND, Kind.WRONG_COLLATION_VERSION, Kind.INVALID),
    (Kind.MISSING_INDEX, Kind.FOREIGN_KEY_WITHOUT_INDEX),
    (Kind.DUPLICATE, Kind.REDUNDANT_PREFIX, Kind.UNUSED, Kind.BLOATED, Kind.BUILD_LEFTOVER, Kind.HIDDEN),
    (Kind.PENDING_LIST, Kind.STALE_STATISTICS, Kind.VACUUM_DUE),
)
_COLOUR = {"low": "green", "medium": "yellow", "high": "red"}
_NOT_READ = {
    "usage": "how often indexes are used",
    "statements": "statements",
    "sizes": "sizes and statistics of indexes",
    "table_statistics": "how much tables have changed",
    "column_statistics": "statistics of columns",
    "foreign_keys_of_other_databases": "foreign keys of other databases",
    "builds": "builds that are running",
    "stored_code": "views and routines",
    "plans": "plans of statements",
    "plans_of_other_roles": "plans of other roles' statements",
}


@dataclass(frozen=True, slots=True)
class SortedFindings:
    """The findings in the order in which they are shown.

    todo: what is to be done or decided, the most urgent first.
    kept: indexes that look superfluous and are kept.
    not_known: indexes without a counted use, counted for too short a time.
    """

    todo: list[Finding]
    kept: list[Finding]
    not_known: list[Finding]


def sort_out(findings: Sequence[Finding]) -> SortedFindings:
    """Return the findings by what a reader does with them."""
    rest = [finding for finding in findings if finding.action is Action.NONE]
    return SortedFindings(
        todo=sorted((finding for finding in findings if finding.action is not Action.NONE), key=_rank),
        kept=[finding for finding in rest if "unknown_because" not in finding.evidence],
        not_known=[finding for finding in rest if "unknown_because" in finding.evidence],
    )


def _rank(finding: Finding) -> tuple[int, float, int]:
    """Return what decides about the place: what may be wrong or stop, then time, then space, then upkeep."""
    share = finding.evidence.get("share_of_time", finding.evidence.get("load_share", 0.0))
    group = next(number for number, kinds in enumerate(_RANKS) if finding.kind in kinds)
    return group, -float(share), -(finding.saves_bytes or finding.size_bytes or 0)


def show(nodes: Sequence[Catalog], findings: Sequence[Finding], out: Console, *, kept: bool = False) -> None:
    """Print findings with their statements, the number of kept indexes, and facts that could not be read.

    kept: print each kept index with the reason.
    """
    server = nodes[0].server
    version = ".".join(map(str, server.version))
    count = f"{len(nodes[0].indexes):,} indexes of {len(nodes[0].tables):,} tables"
    place = server.database or "all databases"
    _line(out, f"{server.engine.value} {version} at {server.node}, {place}: {count}")
    sorted_out = sort_out(findings)
    if sorted_out.todo:
        freed = sum(finding.saves_bytes or 0 for finding in sorted_out.todo if finding.action is not Action.CREATE)
        _line(out, f"To do: {len(sorted_out.todo)}" + (f", {size(freed)} to be freed" if freed else ""))
        for number, finding in enumerate(sorted_out.todo, 1):
            _show_finding(number, finding, server.engine, out)
    else:
        _line(out, "Nothing to do.")
    if kept:
        _show_kept([*sorted_out.kept, *sorted_out.not_known], out)
    else:
        _count_kept(sorted_out, out)
    for node in nodes:
        for name, why in node.not_read.items():
            what = _NOT_READ.get(name, name)
            _line(out, harmless(f"Not read on {node.server.node}: {what} ({why})."))


def _show_finding(number: int, finding: Finding, engine: Engine, out: Console) -> None:
    what = _WORDS.get(finding.action, finding.action.value)
    facts = ", ".join(filter(None, (size(finding.size_bytes), f"{finding.risk.value} risk")))
    colour = _COLOUR[finding.risk.value]
    out.print(f"\n{number}. {what} [bold]{escape(_where(finding))}[/] ([{colour}]{facts}[/])", highlight=False)
    out.print(Padding(Text(harmless(finding.reason)), (0, 0, 0, 3)))
    statements = statements_for(finding, engine)
    if statements.apply:
        _line(out, f"   {printable(statements.apply)};")
    if statements.undo:
        _line(out, f"   -- roll back: {printable(statements.undo)};")


def _show_kept(kept: Sequence[Finding], out: Console) -> None:
    if not kept:
        return
    _line(out, f"\nKept: {len(kept)}")
    for finding in kept:
        kind = finding.kind.value.replace("_", " ")
        _line(out, f"{_where(finding)} ({kind}): {harmless(finding.kept_because or finding.reason)}")


def _count_kept(sorted_out: SortedFindings, out: Console) -> None:
    """Print one line for indexes of which too little is known, and one for those that are kept."""
    if sorted_out.not_known:
        days = max(float(finding.evidence.get("days", 0.0)) for finding in sorted_out.not_known)
        _line(
            out,
            f"\nNot known for long enough: {len(sorted_out.not_known):,} indexes without a counted use, "
            f"{days:.0f} days counted at most.",
        )
    if sorted_out.kept:
        _line(out, f"Kept: {len(sorted_out.kept):,} that look superfluous; --kept shows the reasons.")


def _line(out: Console, text: str) -> None:
    """Print a line that is not wrapped, so that a name or a statement in it can be copied."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _where(finding: Finding) -> str:
    place = f"{finding.schema}.{finding.table}"
    return harmless(f"{place}: {finding.index}" if finding.index else place)


def size(count: int | None) -> str:
    """Return a size as text, empty if it is not known."""
    return "" if count is None else data_size(count)
