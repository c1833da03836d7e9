"""Guardrails of one change of indexes, and what the policy says of its kind. Each rule gives a Refusal or None."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change, data_size
from optimizer.guardrails.verdict import MissingNumber, Refusal, number
from optimizer.policy import Indexes, Permission

MIB = 1 << 20
BUILDS = frozenset({"rebuild", "create_index", "optimize_table"})
DROPS = frozenset({"drop_index", "drop_leftover"})
# What alters the indexes of a table; statistics and dead rows are none of a table's structure.
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
    """The index or table as it is just before the change. `protected`: why it must not be touched; empty if nothing
    stands against it."""

    size_bytes: float
    protected: str = ""


def kind_of(change: Change) -> str:
    """Which field of the policy's `indexes.actions` decides on the change; MissingNumber where its evidence does not
    say."""
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
    """What the policy says of this kind of action; a build larger than may go by itself is asked about."""
    given: Permission = getattr(limits.actions, kind_of(change))
    large = change.action in BUILDS and number(change.before, "size_bytes") > limits.automatic_build_mb * MIB
    return Permission.ASK if given is Permission.AUTOMATIC and large else given


def allowed(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Not what the policy never allows."""
    if permission(change, limits) is Permission.NEVER:
        return Refusal("indexes.action", f"The policy never allows {kind_of(change)}.")
    return None


def protected(_change: Change, live: IndexState, _limits: Indexes) -> Refusal | None:
    """Nothing that a constraint, replication, an extension or the server itself needs."""
    return Refusal("indexes.protected", f"It must stay as it is: {live.protected}.") if live.protected else None


def size(change: Change, live: IndexState, limits: Indexes) -> Refusal | None:
    """Not larger than may be built at all."""
    if change.action in BUILDS and live.size_bytes > limits.max_build_mb * MIB:
        return Refusal(
            "indexes.size",
            f"{data_size(live.size_bytes)} are more than the {limits.max_build_mb} MiB that may be built.",
        )
    return None


def _is_bloated(change: Change) -> bool:
    return change.action == "rebuild" and change.evidence.get("finding") == "bloated"


def bloat(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """A rebuild frees enough to be worth its reading and writing."""
    if not _is_bloated(change):
        return None
    frees, share = number(change.evidence, "saves_bytes"), number(change.evidence, "bloat_share")
    if share < limits.min_bloat_share or frees < limits.min_bloat_mb * MIB:
        return Refusal(
            "indexes.bloat",
            f"It would free {data_size(frees)}, {share:.0%}; {limits.min_bloat_mb} MiB and "
            f"{limits.min_bloat_share:.0%} are the least worth a rebuild.",
        )
    return None


def seen_before(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """Bloat that was there in several runs: free pages are used again."""
    if not _is_bloated(change):
        return None
    runs = number(change.evidence, "runs_seen")
    if runs < limits.rebuild_after_runs:
        return Refusal(
            "indexes.seen_before", f"{runs:g} runs have found the bloat; {limits.rebuild_after_runs} are needed."
        )
    return None


def observation(change: Change, _live: IndexState, limits: Indexes) -> Refusal | None:
    """An index counts as unused only after it was watched long enough."""
    if change.action != "drop_index" or change.evidence.get("finding") != "unused":
        return None
    days = number(change.evidence, "observed_days")
    if days < limits.min_observation_days:
        return Refusal(
            "indexes.observation",
            f"Its use was watched for {days:.1f} days; {limits.min_observation_days} are needed.",
        )
    return None


def table_of(change: Change) -> str:
    """The table that a change is on, as one text with its database."""
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
    """What is left of a run's limits for each database while changes are admitted one after another."""

    def __init__(self, limits: Indexes) -> None:
        self._limits = limits
        self._tables: dict[str, str] = {}
        self._drops: dict[str, int] = {}
        self._built_bytes: dict[str, float] = {}

    def refusal(self, change: Change) -> Refusal | None:
        """Which limit the change does not fit in."""
        database = str(change.before.get("database"))
        if change.action in ALTERS and table_of(change) in self._tables:
            other = self._tables[table_of(change)]
            return Refusal(
                "indexes.one_per_table",
                f"{other} changes the same table in this run; the effects of both could not be told apart.",
            )
        if change.action in DROPS and self._drops.get(database, 0) + 1 > self._limits.max_drops:
            return Refusal(
                "indexes.max_drops", f"A run may drop {self._limits.max_drops} indexes of a database; others go first."
            )
        built = self._built_bytes.get(database, 0.0) + number(change.before, "size_bytes")
        if change.action in BUILDS and built > self._limits.max_build_mb_run * MIB:
            return Refusal(
                "indexes.max_build_mb_run",
                f"A run may build {self._limits.max_build_mb_run} MiB of a database; others go first.",
            )
        return None

    def take(self, change: Change) -> None:
        """Count the change."""
        database = str(change.before.get("database"))
        if change.action in ALTERS:
            self._tables[table_of(change)] = change.id
        if change.action in DROPS:
            self._drops[database] = self._drops.get(database, 0) + 1
        if change.action in BUILDS:
            self._built_bytes[database] = self._built_bytes.get(database, 0.0) + number(change.before, "size_bytes")
