"""Findings about a database: a record for each problem, and for each index that looks superfluous and is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optimizer.core import Risk


class Kind(StrEnum):
    """The kind of problem."""

    DUPLICATE = "duplicate"
    REDUNDANT_PREFIX = "redundant_prefix"
    INVALID = "invalid"
    BUILD_LEFTOVER = "build_leftover"
    BLOATED = "bloated"
    UNUSED = "unused"
    FOREIGN_KEY_WITHOUT_INDEX = "foreign_key_without_index"
    MISSING_INDEX = "missing_index"
    STALE_STATISTICS = "stale_statistics"
    VACUUM_DUE = "vacuum_due"
    WRAPAROUND = "wraparound"
    PENDING_LIST = "pending_list"
    WRONG_COLLATION_VERSION = "wrong_collation_version"
    HIDDEN = "hidden"


class Action(StrEnum):
    """The action that solves the problem.

    NONE: nothing is to be done; `kept_because` or `reason` says why. ASK: people must choose; `reason` names the
    choice.
    """

    DROP = "drop"
    HIDE = "hide"
    REINDEX = "reindex"
    CREATE = "create"
    ANALYZE = "analyze"
    VACUUM = "vacuum"
    CLEAN_PENDING_LIST = "clean_pending_list"
    OPTIMIZE_TABLE = "optimize_table"
    ASK = "ask"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one index or table (`index` is None for the whole table and for an index that does not exist yet).

    `reason` is a sentence for people. `kept_because` is set where an index looks superfluous and is kept; `action` is
    then NONE. `covered_by` names the index of the same table that serves the queries instead. `saves_bytes` is the size
    that the action is expected to free, `size_bytes` the present size of the index or table. `statement` creates the
    index (CREATE), or restores it when a DROP or HIDE is rolled back.
    """

    kind: Kind
    action: Action
    database: str
    schema: str
    table: str
    index: str | None
    reason: str
    risk: Risk
    evidence: Mapping[str, Any] = field(default_factory=dict)
    covered_by: str | None = None
    kept_because: str | None = None
    size_bytes: int | None = None
    saves_bytes: int | None = None
    statement: str | None = None
    index_schema: str | None = None
