"""Asks PostgreSQL's planner what it would do without an index, with HypoPG: only this session sees the index hidden."""

from collections.abc import Iterable
from typing import Any

from pg8000.exceptions import DatabaseError

from optimizer.indexes.postgresql_generic import generic_plan, is_planned
from optimizer.indexes.postgresql_missing import SEARCH_PATH
from optimizer.indexes.postgresql_plans import total_cost
from optimizer.indexes.postgresql_reader import looking

_STATEMENTS = 20
_WITHIN_S = 20


def missed(connection: Any, oid: int, texts: Iterable[str], max_slowdown: float) -> str:
    """Which of the statements, the most expensive first, would cost more than `max_slowdown` times as much by the
    planner's own reckoning, in one sentence; empty if none, or if the server has no HypoPG that can hide indexes."""
    can_hide = "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'hypopg_hide_index')"
    if not connection.run(can_hide)[0][0]:
        return ""
    worst, ratio_of_worst = "", max_slowdown
    for text in list(filter(is_planned, texts))[:_STATEMENTS]:
        try:
            with looking(connection, _WITHIN_S):
                connection.run(SEARCH_PATH)
                connection.run("SELECT hypopg_unhide_all_indexes()")
                cost = total_cost(generic_plan(connection, text))
                connection.run("SELECT hypopg_hide_index(CAST(:oid AS oid))", oid=oid)
                without = total_cost(generic_plan(connection, text))
        except DatabaseError:
            # It cannot be planned without its values; the watch sees it anyway. What was prepared outlives the error.
            connection.run("DEALLOCATE ALL")
            continue
        finally:
            _show_all(connection)
        if cost > 0 and without / cost > ratio_of_worst:
            ratio_of_worst = without / cost
            worst = f"The planner would need {ratio_of_worst:.1f} times as much for: {' '.join(text.split())[:120]}"
    return worst


def _show_all(connection: Any) -> None:
    """The connection is used again, and what is hidden stays hidden for as long as it lives."""
    with looking(connection, _WITHIN_S):
        connection.run(SEARCH_PATH)
        connection.run("SELECT hypopg_unhide_all_indexes()")
