"""The statements that apply a finding and roll it back, to be copied."""

import re
from dataclasses import dataclass

from optimizer.indexes import name_new_index
from optimizer.indexes.model import Action, Engine, Finding

_CREATE = re.compile("^CREATE (?:UNIQUE )?INDEX ")


@dataclass(frozen=True, slots=True)
class Statements:
    """A statement that applies a finding and the one that rolls it back; empty if there is none."""

    apply: str = ""
    undo: str = ""


def statements_for(finding: Finding, engine: Engine) -> Statements:
    """Return the statements for a finding, with names quoted as the engine needs it."""
    return _of_postgresql(finding) if engine is Engine.POSTGRESQL else _of_mysql(finding, engine)


def _of_postgresql(finding: Finding) -> Statements:
    table = f"{_quoted(finding.schema)}.{_quoted(finding.table)}"
    schema = finding.index_schema or finding.schema
    index = f"{_quoted(schema)}.{_quoted(finding.index or '')}"
    concurrently = "CONCURRENTLY " if finding.evidence.get("concurrently", True) else ""
    if _creates(finding):
        name, statement = name_new_index(finding)
        return Statements(statement, f"DROP INDEX CONCURRENTLY {_quoted(finding.schema)}.{_quoted(name)}")
    return {
        Action.DROP: Statements(
            f"DROP INDEX {concurrently}{index}",
            _CREATE.sub(rf"\g<0>{concurrently}", finding.statement or ""),
        ),
        Action.REINDEX: Statements(f"REINDEX INDEX CONCURRENTLY {index}"),
        Action.ANALYZE: Statements(f"ANALYZE {table}"),
        Action.VACUUM: Statements(f"VACUUM {table}"),
        Action.CLEAN_PENDING_LIST: Statements(f"SELECT gin_clean_pending_list({_literal(index)}::regclass)"),
    }.get(finding.action, Statements())


def _of_mysql(finding: Finding, engine: Engine) -> Statements:
    table = f"{_quoted(finding.schema, '`')}.{_quoted(finding.table, '`')}"
    index = _quoted(finding.index or "", "`")
    if _creates(finding):
        name, _ = name_new_index(finding)
        return Statements(finding.statement or "", f"ALTER TABLE {table} DROP INDEX {_quoted(name, '`')}")
    hidden, shown = ("IGNORED", "NOT IGNORED") if engine is Engine.MARIADB else ("INVISIBLE", "VISIBLE")
    return {
        Action.DROP: Statements(f"ALTER TABLE {table} DROP INDEX {index}", finding.statement or ""),
        Action.HIDE: Statements(
            f"ALTER TABLE {table} ALTER INDEX {index} {hidden}", f"ALTER TABLE {table} ALTER INDEX {index} {shown}"
        ),
        Action.ANALYZE: Statements(f"ANALYZE TABLE {table}"),
        Action.OPTIMIZE_TABLE: Statements(f"OPTIMIZE TABLE {table}"),
    }.get(finding.action, Statements())


def _creates(finding: Finding) -> bool:
    """Tell whether the statement of the finding creates an index, at once or after people have decided so."""
    return finding.action in (Action.CREATE, Action.ASK) and finding.index is None and bool(finding.statement)


def _quoted(name: str, mark: str = '"') -> str:
    return mark + name.replace(mark, mark * 2) + mark


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
