"""Find indexes that statements of PostgreSQL need, from their generic plans.

With HypoPG each candidate is shown to the planner as a hypothetical index before it is proposed. No statement is
executed. But the planner evaluates the IMMUTABLE functions that a statement names, with the rights of this session, so
only statements of trusted roles are planned.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Finding, Kind, StatementStat, Table, about_table
from optimizer.indexes.postgresql.generic_plan import explain_generically, is_planned, run_one
from optimizer.indexes.postgresql.key_length import find_long_columns, most_entry_bytes
from optimizer.indexes.postgresql.plans import (
    PlannedTables,
    Wanted,
    find_wanted,
    index_names,
    names_without_schema,
    total_cost,
)
from optimizer.indexes.postgresql.reader import extension_schema, read_only_snapshot, sqlstate

# So many roles are named in one line.
_NAMED = 5
_DEFINITION = """
SELECT format(
  CASE WHEN CAST(:concurrently AS boolean)
    THEN 'CREATE INDEX CONCURRENTLY ON %I.%I (%s)'
    ELSE 'CREATE INDEX ON %I.%I (%s)'
  END,
  CAST(:schema AS text),
  CAST(:table AS text),
  (
    SELECT string_agg(quote_ident(c.name) || c.sort_order, ', ' ORDER BY c.number)
    FROM unnest(CAST(:columns AS text[]), CAST(:orders AS text[])) WITH ORDINALITY c(name, sort_order, number)
  )
)"""


@dataclass(frozen=True, slots=True)
class PostgresqlMissingLimits:
    """The limits from which a statement is planned and an index is proposed."""

    # So many statements are planned, those with the most time first.
    statements: int = 50
    # A statement must take this share of the time of all statements, so many calls and so long a call.
    least_share: float = 0.005
    least_calls: int = 20
    least_mean_ms: float = 1.0
    # The table must have so many rows.
    least_rows: float = 10_000
    # The index must reduce the cost of the plan by this share (0 to 1).
    least_gain: float = 0.5


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain of one statement from one index: the planner's costs without and with it."""

    statement: StatementStat
    cost: float
    cost_with: float | None
    share: float


def find_missing_indexes(
    connection: Connection,
    catalog: Catalog,
    limits: PostgresqlMissingLimits | None = None,
    *,
    statement_timeout_s: int = 10,
    within_s: float = 60.0,
) -> tuple[list[Finding], dict[str, str]]:
    """Return a finding for each index that statements need, and the reasons, by key, for statements without a plan.

    Without HypoPG people must decide (ASK), because nothing shows that the planner would use the index.
    """
    limits = limits or PostgresqlMissingLimits()
    gains: dict[Wanted, list[Gain]] = defaultdict(list)
    failed: dict[str, str] = {}
    total = sum(statement.total_ms for statement in catalog.statements) or 1.0
    deadline = time.monotonic() + within_s
    with read_only_snapshot(connection, statement_timeout_s):
        hypopg = extension_schema(connection, "hypopg")
    for statement in choose_statements(catalog.statements, limits, trusted=True)[: limits.statements]:
        if time.monotonic() > deadline:
            failed[statement.key] = f"not planned: the other statements took the whole {within_s:.0f} s"
            continue
        try:
            with read_only_snapshot(connection, statement_timeout_s):
                share = statement.total_ms / total
                found = _candidates(connection, catalog, statement, share, limits, hypopg)
        except DatabaseError as error:
            failed[statement.key] = sqlstate(error)
            # A prepared statement outlives the transaction; hypothetical indexes are reset before the next statement.
            connection.run("DEALLOCATE ALL")
            continue
        for want, gain in found:
            gains[want].append(gain)
    with read_only_snapshot(connection, statement_timeout_s):
        merged = _without_prefixes(gains).items()
        return [_finding(connection, catalog, want, want_gains) for want, want_gains in merged], failed


def choose_statements(
    statements: Sequence[StatementStat], limits: PostgresqlMissingLimits, *, trusted: bool
) -> list[StatementStat]:
    """Return the statements of trusted or of other roles that take the most time, are called often and have a plan."""
    total = sum(statement.total_ms for statement in statements) or 1.0
    return [
        statement
        for statement in sorted(statements, key=lambda each: -each.total_ms)
        if statement.is_trusted == trusted
        and statement.text is not None
        and is_planned(statement.text)
        and statement.total_ms / total >= limits.least_share
        and statement.calls >= limits.least_calls
        and statement.mean_ms >= limits.least_mean_ms
    ]


def describe_untrusted(catalog: Catalog, limits: PostgresqlMissingLimits | None = None) -> str:
    """Say in one line which statements are not planned for the sake of safety, or return an empty string."""
    left_out = choose_statements(catalog.statements, limits or PostgresqlMissingLimits(), trusted=False)
    if not left_out:
        return ""
    counted = Counter(statement.role for statement in left_out).most_common()
    named = [f"{number} of {'a dropped role' if role is None else _quote(role)}" for role, number in counted[:_NAMED]]
    others = sum(number for _, number in counted[_NAMED:])
    named += [f"{others} of other roles"] if others else []
    return (
        f"statements not planned: {', '.join(named)}; planning runs the functions that a statement names with the "
        "optimizer's rights, so only statements of its own role and of roles that it is a member of are planned, and "
        "only its own if it is a superuser; `GRANT role TO optimizer` adds a role, whose members must all be trusted "
        "with the optimizer's rights"
    )


def _quote(role: str) -> str:
    """Return a role's name as an SQL identifier, with Unicode escapes if it is not printable."""
    quoted = role.replace('"', '""')
    if role.isprintable():
        return f'"{quoted}"'
    escaped = ("\\\\" if char == "\\" else char if char.isprintable() else f"\\+{ord(char):06x}" for char in quoted)
    return f'U&"{"".join(escaped)}"'


def _candidates(
    connection: Connection,
    catalog: Catalog,
    statement: StatementStat,
    share: float,
    limits: PostgresqlMissingLimits,
    hypopg: str,
) -> list[tuple[Wanted, Gain]]:
    """Return the index that gains most for the statement, if it gains enough. `hypopg` is the schema of HypoPG.

    Without HypoPG (empty schema) return the candidate with the most columns.
    """
    text = statement.text or ""
    if hypopg:
        run_one(connection, f"SELECT {hypopg}.hypopg_reset()")
    rows_a_call = statement.rows / max(statement.calls, 1)
    plan = explain_generically(connection, text, rows_a_call, statement.search_path)
    known = PlannedTables(
        {table.qualified: table for table in catalog.tables},
        {(index.schema, index.name): index for index in catalog.indexes},
        limits.least_rows,
        is_proved=bool(hypopg),
        random_page_cost=float(catalog.server.settings.get("random_page_cost", 4.0)),
    )
    cost = total_cost(plan)
    wants = [want for want in find_wanted(plan, known) if not _exists(catalog, want)]
    if not hypopg:
        # The widest index shows most of the conditions of the statement.
        return [(want, Gain(statement, cost, None, share)) for want in sorted(wants, key=_width)[-1:]]
    tried = []
    for want in wants:
        name = _add_hypothetical(connection, want, hypopg)
        with_it = explain_generically(connection, text, rows_a_call, statement.search_path)
        run_one(connection, f"SELECT {hypopg}.hypopg_reset()")
        if name in index_names(with_it) and total_cost(with_it) <= cost * (1 - limits.least_gain):
            tried.append((want, Gain(statement, cost, total_cost(with_it), share)))
    # If two indexes gain about the same, the narrower one is cheaper to maintain.
    tried.sort(key=lambda pair: (round((pair[1].cost_with or 0.0) / cost, 1), len(pair[0].keys)))
    return tried[:1]


def _add_hypothetical(connection: Connection, want: Wanted, hypopg: str) -> str:
    definition = _definition(connection, want, concurrently=False)
    # The cast selects the function: one of the same name may accept the type of an uncast value.
    query = f"SELECT indexname FROM {hypopg}.hypopg_create_index(CAST(:definition AS text))"  # noqa: S608 - quoted
    rows = connection.run(query, definition=definition)
    return str(rows[0][0])


def _definition(connection: Connection, want: Wanted, *, concurrently: bool) -> str:
    columns, orders = list(want.columns), list(want.orders)
    place = {"schema": want.schema, "table": want.table}
    rows = connection.run(_DEFINITION, concurrently=concurrently, columns=columns, orders=orders, **place)
    return str(rows[0][0])


def _exists(catalog: Catalog, want: Wanted) -> bool:
    return any(
        index.is_valid
        and index.method == "btree"
        and index.predicate is None
        and index.qualified_table == (want.schema, want.table)
        and want.is_served_by(index)
        for index in catalog.indexes
    )


def _without_prefixes(gains: Mapping[Wanted, list[Gain]]) -> dict[Wanted, list[Gain]]:
    """Merge an index into a wider one that is also proposed and serves both."""
    merged: dict[Wanted, list[Gain]] = {}
    for want in sorted(gains, key=_width, reverse=True):
        wider = next((other for other in merged if want.leads(other)), None)
        merged.setdefault(wider or want, []).extend(gains[want])
    return merged


def _width(want: Wanted) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    # Of two that differ in a key that may have any order, the one with an order comes first when reversed.
    return len(want.keys), want.columns, tuple("ordered" if key.order else "" for key in want.keys)


def _describe_others(want: Wanted, schemas: Sequence[str]) -> str:
    """Return the sentence that the statement may read a table of the same name elsewhere, or an empty string."""
    if not schemas:
        return ""
    return (
        f" {want.schema} is not certain: {', '.join(schemas)} has a table {want.table} too, the statement does not "
        "name the schema, and neither the role nor the database sets a search_path."
    )


def find_other_places(catalog: Catalog, want: Wanted, statement: StatementStat) -> list[str]:
    """Return the other schemas whose table of the same name the statement may read instead."""
    if statement.is_path_known:
        return []
    schemas = [
        table.schema for table in catalog.tables if table.name == want.table and table.schema not in (want.schema, "")
    ]
    return schemas if schemas and names_without_schema(statement.text or "", want.table) else []


def _describe_long(catalog: Catalog, want: Wanted, columns: Sequence[str]) -> str:
    """Return the sentence that values may be too long for the index, or an empty string."""
    if not columns:
        return ""
    limit = most_entry_bytes(catalog.server.block_bytes)
    sizes = " + ".join(f"pg_column_size({column})" for column in columns)
    other = " A hash index serves = at any length." if len(want.keys) == 1 else ""
    return (
        f" Check the largest {sizes} first: an entry holds {limit:,} bytes, and the build fails "
        f"at a longer value.{other}"
    )


def _finding(connection: Connection, catalog: Catalog, want: Wanted, gains: Sequence[Gain]) -> Finding:
    tables = {table.qualified: table for table in catalog.tables}
    table = tables.get((want.schema, want.table)) or Table(want.schema, want.table)
    worst = max(gains, key=lambda gain: gain.statement.total_ms)
    share = sum(gain.share for gain in gains)
    is_proved = worst.cost_with is not None
    proof = (
        f"It reduces the planner's cost of the longest one from {worst.cost:,.0f} to {worst.cost_with:,.0f}"
        if is_proved
        else "HypoPG is not installed, so it is not proved that the planner would use it"
    )
    keys = ", ".join(f"{column}{order}" for column, order in zip(want.columns, want.orders, strict=True))
    long = find_long_columns(catalog, table, want.columns)
    others = sorted({place for gain in gains for place in find_other_places(catalog, want, gain.statement)})
    reason = (
        f"{len(gains)} {'statement reads' if len(gains) == 1 else 'statements read'} many rows of {want.table} only to "
        f"drop or to sort them, in {share:.0%} of the time of all statements; an index on {keys} can serve. {proof}."
        f"{_describe_long(catalog, want, long)}{_describe_others(want, others)}"
    )
    evidence = {
        "columns": list(want.columns),
        "long_columns": long,
        "other_places": others,
        "share_of_time": round(share, 4),
        "total_ms": sum(gain.statement.total_ms for gain in gains),
        "calls": sum(gain.statement.calls for gain in gains),
        "statements": [
            {
                "key": gain.statement.key,
                "text": (gain.statement.text or "")[:500],
                "mean_ms": gain.statement.mean_ms,
                "cost": gain.cost,
                "cost_with": gain.cost_with,
            }
            for gain in gains
        ],
    }
    return about_table(
        catalog,
        table,
        Kind.MISSING_INDEX,
        Action.CREATE if is_proved and not long and not others else Action.ASK,
        reason,
        Risk.MEDIUM,
        evidence=evidence,
        statement=_definition(connection, want, concurrently=table.kind != "partitioned"),
    )
