"""Get the generic plans of statements from pg_stat_statements, whose constants are replaced by parameters.

The statement is not executed and nothing is written: it is sent as one prepared statement in a read-only transaction.
But the planner evaluates IMMUTABLE functions, in the text and in the constraints, indexes and views of its tables, with
the rights of this session. Callers must therefore pass only statements of trusted roles (`read_roles`), and repeat only
the code of an error (`sqlstate`), because such a function may write its message. Only while a statement is prepared and
planned does the search path include its own schemas: the statements around it look up names in pg_catalog alone. This
module solves two problems that keep a text from being prepared. Where the grammar requires a constant
(`interval '1 day'`, `extract(epoch FROM ...)`) it accepts no parameter. And a constant has a type (text unless the
context decides) where a parameter may have none.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from optimizer.indexes.connect import search_path

# Atomic groups prevent backtracking: a text with many comments would take exponential time.
_PLANNED = re.compile(
    r"(?>[\s(]|/\*.*?\*/|--[^\n]*\n)*+(?:SELECT|UPDATE|DELETE|WITH|MERGE)\b", re.IGNORECASE | re.DOTALL
)
_EXTRACT = re.compile(r"\bEXTRACT\s*\(\s*(\$\d+)\s+FROM\b", re.IGNORECASE)
# A type before a parameter is the type of the constant in whose place the parameter stands.
_TYPED = re.compile(
    r"""(?<!["\w.$])(?P<type>
      (?:TIME|TIMESTAMP)(?:\s*\(\s*\d+\s*\))?(?:\s+WITH(?:OUT)?\s+TIME\s+ZONE)? | INTERVAL(?:\s*\(\s*\d+\s*\))?
      | DATE | TIMETZ | TIMESTAMPTZ | UUID | INET | CIDR | JSONB? | BYTEA | NUMERIC | DECIMAL | FLOAT8? | FLOAT4 | REAL
      | DOUBLE\s+PRECISION | BOOL(?:EAN)? | TEXT | VARCHAR | CHAR(?:ACTER)?(?:\s+VARYING)? | MONEY | XML | POINT | BOX
      | INT(?:EGER)? | INT[248] | BIGINT | SMALLINT | REGCLASS | (?:TS|INT4|INT8|NUM|TSTZ|DATE)RANGE
    )\s*(?P<parameter>\$\d+)
    (?:\s+(?:YEAR|MONTH|DAY|HOUR|MINUTE|SECOND)\b(?:\s+TO\s+(?:MONTH|HOUR|MINUTE|SECOND)\b)?(?:\s*\(\s*\d+\s*\))?)?""",
    re.IGNORECASE | re.VERBOSE,
)
# The planner takes a parameter as limit for a tenth of the rows.
_LIMIT = re.compile(r"""(?<!["\w.$])(LIMIT|OFFSET|FETCH\s+(?:FIRST|NEXT))\s+\$\d+""", re.IGNORECASE)
_LEAST_LIMIT = 10
_INDETERMINATE = "42P18"
_NAME = "optimizer_look"
# All names have their schema, operators too, because the search path is lent to the prepared text.
_PARAMETERS = """
SELECT coalesce(pg_catalog.cardinality(p.parameter_types), 0)
FROM pg_catalog.pg_prepared_statements p
WHERE p.name OPERATOR(pg_catalog.=) :name"""


def is_planned(text: str) -> bool:
    """Tell whether the statement is of a kind that has a plan."""
    return _PLANNED.match(text) is not None


def make_plannable(text: str) -> str:
    """Return the text with parameters only where the grammar accepts them."""
    # Versions before and after 14 implement EXTRACT by different functions, and all have date_part.
    return _TYPED.sub(r"CAST(\g<parameter> AS \g<type>)", _EXTRACT.sub(r"pg_catalog.date_part(\1,", text))


def with_limits(text: str, rows_a_call: float) -> str:
    """Return the text with a small number for each parameter of LIMIT, OFFSET and FETCH: the rows that a call returns.

    A limit is at least that number.
    """
    return _LIMIT.sub(rf"\g<1> {max(_LEAST_LIMIT, math.ceil(rows_a_call))}", text)


def explain_generically(
    connection: Connection, text: str, rows_a_call: float = 0.0, path: str | None = None
) -> Mapping[str, Any]:
    """Return the generic plan of a statement with parameters, as EXPLAIN (VERBOSE, FORMAT JSON) prints it.

    rows_a_call: the rows that a call returns; they stand for the parameter of LIMIT.
    path: the search path of the role that ran the statement; None: that of this session's role.

    It runs in the open transaction of `read_only_snapshot`, which an error ends. EXPLAIN (GENERIC_PLAN) would require a
    value for each parameter in the extended protocol; a prepared statement reports how many it has. Raise DatabaseError
    if the statement cannot be planned in this way.
    """
    connection.run("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.run(search_path.LEND, path=path)
    _prepare(connection, make_plannable(with_limits(text, rows_a_call)))
    counted = connection.run(_PARAMETERS, name=_NAME)
    nulls = ", ".join(["NULL"] * counted[0][0])
    arguments = f"({nulls})" if nulls else ""
    explained = run_one(connection, f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {_NAME}{arguments}")
    connection.run(search_path.CLOSE_IN_TRANSACTION)
    connection.run(f"DEALLOCATE {_NAME}")
    plan: Mapping[str, Any] = explained[0][0][0]
    return plan


def _prepare(connection: Connection, text: str) -> None:
    """Prepare the text; give type text, which the constant had, to each parameter that the server cannot type."""
    types: dict[int, str] = {}
    connection.run(f"SAVEPOINT {_NAME}")
    while True:
        listed = ", ".join(types.get(number, "pg_catalog.unknown") for number in range(1, max(types, default=0) + 1))
        try:
            run_one(connection, f"PREPARE {_NAME}{f'({listed})' if listed else ''} AS {text}")
        except DatabaseError as error:
            number = _indeterminate(error)
            if number is None or number in types:
                raise
            types[number] = "pg_catalog.text"
            # Not through `run`: there ROLLBACK ends the whole transaction of the Data API.
            run_one(connection, f"ROLLBACK TO SAVEPOINT {_NAME}")
        else:
            return


def _indeterminate(error: DatabaseError) -> int | None:
    """Return the number of the parameter that the server cannot type, or None; the message may be in any language."""
    fields = error.args[0]
    found = re.search(r"\$(\d+)", fields["M"]) if fields["C"] == _INDETERMINATE else None
    return int(found[1]) if found else None


def run_one(connection: Connection, text: str) -> Sequence[Sequence[Any]]:
    """Run a text as exactly one statement and return its rows.

    The extended protocol rejects a text with more than one statement.
    """
    return connection.execute_unnamed(text).rows or []
