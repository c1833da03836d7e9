"""Asks PostgreSQL's planner for plans without an index, which HypoPG hides in this session only."""

from collections.abc import Mapping
from typing import Any

from pg8000.exceptions import DatabaseError

from optimizer.indexes.postgresql import (
    explain_generically,
    is_planned,
    read_only_snapshot,
    read_roles,
    run_one,
    total_cost,
)

_STATEMENTS = 20
_WITHIN_S = 20
# The function must belong to the extension, because any user may create one of the same name.
_HYPOPG = """
SELECT quote_ident(n.nspname)
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'hypopg'
  AND EXISTS (
    SELECT
    FROM pg_depend d
    JOIN pg_proc p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass
      AND d.refclassid = 'pg_extension'::regclass
      AND d.refobjid = e.oid
      AND d.deptype = 'e'
      AND p.pronamespace = n.oid
      AND p.proname = 'hypopg_hide_index'
  )
"""


def missed(connection: Any, oid: int, texts: Mapping[str, str], max_slowdown: float) -> str:
    """Name, in one sentence, the statement that would suffer most without the index.

    Only statements whose estimated cost would grow by more than the factor `max_slowdown` count; `texts` are in the
    order of their total time, with the oid of the role and the query id as key. Statements of roles that are not
    trusted are left out, because planning runs functions that they name. Return an empty string if no statement
    suffers, or if HypoPG cannot hide indexes here.
    """
    with read_only_snapshot(connection, _WITHIN_S):
        can_hide = connection.run(_HYPOPG)
        roles = read_roles(connection, {_role(key) for key in texts}) if can_hide else {}
    if not can_hide:
        return ""
    hypopg = str(can_hide[0][0])
    worst, ratio_of_worst = "", max_slowdown
    trusted = {role for role, row in roles.items() if row["is_trusted"]}
    planned = [
        (text, roles[_role(key)]["search_path"])
        for key, text in texts.items()
        if _role(key) in trusted and is_planned(text)
    ]
    for text, path in planned[:_STATEMENTS]:
        try:
            with read_only_snapshot(connection, _WITHIN_S):
                run_one(connection, f"SELECT {hypopg}.hypopg_unhide_all_indexes()")
                cost = total_cost(explain_generically(connection, text, path=path))
                run_one(connection, f"SELECT {hypopg}.hypopg_hide_index(CAST({int(oid)} AS oid))")
                without = total_cost(explain_generically(connection, text, path=path))
        except DatabaseError:
            # It cannot be planned without its values; the observation covers it anyway. The prepared statement
            # outlives the error.
            connection.run("DEALLOCATE ALL")
            continue
        finally:
            _show_all(connection, hypopg)
        if cost > 0 and without / cost > ratio_of_worst:
            ratio_of_worst = without / cost
            worst = (
                f"The planner estimates {ratio_of_worst:.1f} times as much cost without the index for: "
                f"{' '.join(text.split())[:120]}"
            )
    return worst


def _role(key: str) -> int:
    """Return the oid of the role that ran the statement with this key."""
    return int(key.partition("/")[0])


def _show_all(connection: Any, hypopg: str) -> None:
    """Make all indexes visible again, because the connection is reused and would keep them hidden."""
    with read_only_snapshot(connection, _WITHIN_S):
        run_one(connection, f"SELECT {hypopg}.hypopg_unhide_all_indexes()")
