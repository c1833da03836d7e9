"""Guardrails of one index change, and the policy's permission for its kind. Each rule returns a `Refusal` or None."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change, data_size
from optimizer.guardrails.verdict import MissingNumber, Refusal, number
from optimizer.policy import Indexes, Permission

MIB = 1 << 20
BUILDS = frozenset({"rebuild", "create_index", "optimize_table"})
DROPS = frozenset({"drop_index", "drop_leftover"})
# Actions on the structure of a table; statistics and dead rows are not part of it.
ALTERS = BUILDS | DROPS
_PLAIN = {
    "analyze": "analyze",
    "vacuum": "vacuum",
    "clean_pending_list": "vacuum",
    "create_index": "create",
    "optimize_table": "optimize",
}
_DROPPED_FOR = {"duplicate": "drop_duplicate", "redundant_prefix": "drop_redundant", "unused": "drop_unused"}


@dataclass(frozen=True, slots=True)
class IndexState:
    """The index or table just before the change. `protected`: why it must not be changed, or empty."""

    size_bytes: float
    protected: str = ""


def kind_of(change: Change) -> str:
    """Return the field of the policy's `indexes.actions` that applies to the change.

    Raise MissingNumber if neither its action nor its finding tells."""
    finding = change.evidence.get("finding")
    if change.action == "rebuild":
        plain = change.evidence.get("special") is False and finding == "bloated"
        return "rebuild" if plain else "rebuild_special"
    if change.action == "drop_leftover":
        return "drop_own_leftover" if change.evidence.get("own") is True else "drop_leftover"
    if change.action == "drop_index" and finding in _DROPPED_FOR:
        return _DROPPED_FOR[finding]
    if change.action in _PLAIN:
        return _PLAIN[change.action]
    raise MissingNumber(f"the guardrails do not know the action {change.action!r} for {finding!r}")


def permission(change: Change, limits: Indexes) -> Permission:
    """Return the policy's permission for this kind of action; a build above `automatic_build_mb` needs approval."""
    given: Permission = getattr(limits.actions, kind_of(change))
    large = change.action in BUILDS and number(change.before, "size_bytes") > limits.automatic_build_mb * MIB
    return Permission.ASK if given is Permission.AUTOMATIC and large else given


def allowed(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Block an action that the policy never allows."""
    if permission(change, limits) is Permission.NEVER:
        return Refusal("indexes.action", f"Blocked: indexes.actions.{kind_of(change)} is never.")
    return None


def protected(_change: Change, live: IndexState, _limits: Indexes) -> Refusal | None:
    """Block to touch an index that a constraint, replication, an extension or the server itself needs."""
    return Refusal("indexes.protected", f"It is protected: {live.protected}.") if live.protected else None


def size(change: Change, live: IndexState, limits: Indexes) -> Refusal | None:
    """Block a build that is larger than allowed."""
    if change.action in BUILDS and live.size_bytes > limits.max_build_mb * MIB:
        return Refusal(
            "indexes.size",
            f"It has {data_size(live.size_bytes)}; indexes.max_build_mb allows builds of {limits.max_build_mb} MiB.",
        )
    return None


def _is_bloated(change: Change) -> bool:
    return change.action == "rebuild" and change.evidence.get("finding") == "bloated"


def bloat(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Block a rebuild that frees too little for what it reads and writes."""
    if not _is_bloated(change):
        return None
    frees, share = number(change.evidence, "saves_bytes"), number(change.evidence, "bloat_share")
    if share < limits.min_bloat_share or frees < limits.min_bloat_mb * MIB:
        return Refusal(
            "indexes.bloat",
            f"A rebuild would free {data_size(frees)} ({share:.0%}); indexes.min_bloat_mb requires "
            f"{limits.min_bloat_mb} MiB and indexes.min_bloat_share {limits.min_bloat_share:.0%}.",
        )
    return None


def seen_before(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Block to rebuild for bloat that too few runs have found: free pages are used again."""
    if not _is_bloated(change):
        return None
    runs = number(change.evidence, "runs_seen")
    if runs < limits.rebuild_after_runs:
        return Refusal(
            "indexes.seen_before",
            f"{runs:g} runs have found the bloat; indexes.rebuild_after_runs requires {limits.rebuild_after_runs}.",
        )
    return None


def observation(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Block to drop an unused index before its use was observed long enough."""
    if change.action != "drop_index" or change.evidence.get("finding") != "unused":
        return None
    days = number(change.evidence, "observed_days")
    if days < limits.min_observation_days:
        return Refusal(
            "indexes.observation",
            f"Its use was observed for {days:.1f} days; indexes.min_observation_days requires "
            f"{limits.min_observation_days}.",
        )
    return None


def table_of(change: Change) -> str:
    """Return the table of a change as `database/schema.table`."""
    return f"{change.before.get('database')}/{change.before.get('schema')}.{change.before.get('table')}"


RULES: tuple[Callable[[Change, IndexState, Indexes], Refusal | None], ...] = (
    allowed,
    protected,
    size,
    bloat,
    seen_before,
    observation,
)


class IndexRunLimits:
    """The rest of a run's limits for each database while changes are admitted one after another."""

    def __init__(self, limits: Indexes) -> None:
        self._limits = limits
        self._tables: dict[str, str] = {}
        self._drops: dict[str, int] = {}
        self._built_bytes: dict[str, float] = {}

    def refusal(self, change: Change) -> Refusal | None:
        """Return the limit that the change exceeds, or None."""
        database = str(change.before.get("database"))
        if change.action in ALTERS and table_of(change) in self._tables:
            other = self._tables[table_of(change)]
            return Refusal(
                "indexes.one_per_table",
                f"{other} changes the same table in this run; their effects could not be told apart.",
            )
        if change.action in DROPS and self._drops.get(database, 0) + 1 > self._limits.max_drops:
            return Refusal(
                "indexes.max_drops",
                f"Blocked: indexes.max_drops allows {self._limits.max_drops} drops in {database}; "
                f"{self._drops.get(database, 0)} with a higher benefit come first.",
            )
        built = self._built_bytes.get(database, 0.0) + number(change.before, "size_bytes")
        if change.action in BUILDS and built > self._limits.max_build_mb_run * MIB:
            return Refusal(
                "indexes.max_build_mb_run",
                f"Blocked: indexes.max_build_mb_run allows {self._limits.max_build_mb_run} MiB of builds in "
                f"{database}; this one would make it {data_size(built)}.",
            )
        return None

    def take(self, change: Change) -> None:
        """Count the change against the limits."""
        database = str(change.before.get("database"))
        if change.action in ALTERS:
            self._tables[table_of(change)] = change.id
        if change.action in DROPS:
            self._drops[database] = self._drops.get(database, 0) + 1
        if change.action in BUILDS:
            self._built_bytes[database] = self._built_bytes.get(database, 0.0) + number(change.before, "size_bytes")
