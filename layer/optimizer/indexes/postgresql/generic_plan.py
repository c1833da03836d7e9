"""Generic plans of statements as pg_stat_statements has them: with parameters where their constants were. Nothing is
executed and nothing is written.

A statement's text is somebody else's: it goes to the server as one prepared statement in a read-only transaction, so
that nothing that it holds can run. Only while it is prepared and planned is the search path its own: the statements
around it look names up in pg_catalog alone. Two things keep such a text from being prepared as it is, and are mended
here. Where the grammar wants a constant (`interval '1 day'`, `extract(epoch FROM ...)`) it takes no parameter. And a
constant has a type of its own (text, if nothing else says otherwise) where a parameter may have none.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from optimizer.indexes.connect import search_path

# Without going back: comments that are looked at in every way they could end would take for ever.
_PLANNED = re.compile(
    r"(?>[\s(]|/\*.*?\*/|--[^\n]*\n)*+(?:SELECT|UPDATE|DELETE|WITH|MERGE)\b", re.IGNORECASE | re.DOTALL
)
_EXTRACT = re.compile(r"\bEXTRACT\s*\(\s*(\$\d+)\s+FROM\b", re.IGNORECASE)
# Before a parameter these can only be the type of the constant that was there.
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
_INDETERMINATE = "42P18"
_NAME = "optimizer_look"
# Qualified throughout, operators as well: the path is lent to the text that was prepared.
_PARAMETERS = """
SELECT coalesce(pg_catalog.cardinality(p.parameter_types), 0)
FROM pg_catalog.pg_prepared_statements p WHERE p.name OPERATOR(pg_catalog.=) :name"""


def is_planned(text: str) -> bool:
    """Whether a statement is of the kinds that have a plan."""
    return _PLANNED.match(text) is not None


def make_plannable(text: str) -> str:
    """The text with parameters only where the grammar takes them."""
    # The function of EXTRACT has another name before version 14, and both know this one.
    return _TYPED.sub(r"CAST(\g<parameter> AS \g<type>)", _EXTRACT.sub(r"pg_catalog.date_part(\1,", text))


def explain_generically(connection: Connection, text: str) -> Mapping[str, Any]:
    """The generic plan of a statement with parameters, as EXPLAIN (VERBOSE, FORMAT JSON) gives it; in the transaction
    that `looking` has open, which an error ends. EXPLAIN (GENERIC_PLAN) would want a value for each parameter in the
    extended protocol; a prepared statement says itself how many it has. DatabaseError if the statement cannot be
    planned so."""
    connection.run("SET LOCAL plan_cache_mode = force_generic_plan")
    connection.run(search_path.LEND)
    _prepare(connection, make_plannable(text))
    counted = connection.run(_PARAMETERS, name=_NAME)
    nulls = ", ".join(["NULL"] * counted[0][0])
    arguments = f"({nulls})" if nulls else ""
    explained = run_one(connection, f"EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE {_NAME}{arguments}")
    connection.run(search_path.CLOSE_IN_TRANSACTION)
    connection.run(f"DEALLOCATE {_NAME}")
    plan: Mapping[str, Any] = explained[0][0][0]
    return plan


def _prepare(connection: Connection, text: str) -> None:
    """A parameter that could be of any type is one of text, as the constant was; the server names them one by one."""
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
            # As one statement: to the Data API the word is the end of the transaction.
            run_one(connection, f"ROLLBACK TO SAVEPOINT {_NAME}")
        else:
            return


def _indeterminate(error: DatabaseError) -> int | None:
    """The number of the parameter whose type the server could not tell, in whatever language it says so."""
    says = error.args[0]
    found = re.search(r"\$(\d+)", says["M"]) if says["C"] == _INDETERMINATE else None
    return int(found[1]) if found else None


def run_one(connection: Connection, text: str) -> Sequence[Sequence[Any]]:
    """Run a text as exactly one statement, and return its rows: the extended protocol takes no more, whatever the text
    holds."""
    return connection.execute_unnamed(text).rows or []
