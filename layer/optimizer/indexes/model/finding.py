"""What was found in a database: a record for each thing that is wrong, or looks wrong and is kept for a reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optimizer.core import Risk


class Kind(StrEnum):
    """What is the matter."""

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
    """What would put it right. NONE: nothing is to be done, `kept_because` or `reason` says why."""

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
    """One thing found, on one table or index (`index` None: the table as a whole, or an index that does not exist).

    `reason` is a sentence for a person. `kept_because` is set where an index that looks droppable is kept; `action` is
    then NONE. `covered_by` names the index (of the same table) that serves instead. `saves_bytes` is what the action is
    expected to free, `size_bytes` what the index or table takes now. `statement` is the definition of the index to be
    made (CREATE), or the stored undo (DROP, HIDE). ASK is for a person: the choice is in `reason`.
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
