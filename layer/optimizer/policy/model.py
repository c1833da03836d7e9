"""The policy as frozen data. Every default is the safe one; zero means none allowed, never "no limit".

`optimizer.policy.check` checks a document (JSON Schema, every error with its path) when it is stored and when a run
starts. `Policy.from_document` only builds the policy, so that no other Lambda loads the schema library. schema.json
describes every key; the docstrings here describe the keys that code alone does not explain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, cast
from zoneinfo import ZoneInfo

from optimizer.core import OptimizerError, canonical_json


class Mode(StrEnum):
    """A mode of a tuner, the strictest first."""

    RECOMMEND = "recommend"
    APPROVE = "approve"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions to check: those with all the tags, whose name matches a pattern of `include` (shell wildcards) and
    none of `exclude`. They are called and changed through `alias`."""

    tags: Mapping[str, str] = field(default_factory=lambda: {"optimizer": "on"})
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    alias: str = "live"
    time_zone: str | None = None
    calendar: str | None = None


@dataclass(frozen=True, slots=True)
class Calendar:
    """Holidays at the callers' place, in each function's own time zone.

    `country`, `region`: ISO 3166 codes; start_run replaces them by `days`. `half_days`: holidays from noon on.
    `working_days`: holidays of the country on which the callers work."""

    country: str | None = None
    region: str | None = None
    days: tuple[date, ...] = ()
    half_days: tuple[date, ...] = ()
    working_days: tuple[date, ...] = ()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A setting of the functions whose name matches one of the patterns, and that have all the tags."""

    functions: tuple[str, ...] = ("*",)
    tags: Mapping[str, str] = field(default_factory=dict)

    def fits(self, name: str, tags: Mapping[str, str]) -> bool:
        """Return True if the setting is one of a function."""
        return _matches(name, self.functions) and all(tags.get(key) == value for key, value in self.tags.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Override(Chosen):
    """Settings of some functions. `mode`: of every tuner of functions that the entry names no mode for. `warmups`,
    `memory`, `provisioned_concurrency`: keys of these parts of the policy with other values."""

    name: str = ""
    calendar: str | None = None
    mode: Mode | None = None
    warmups: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    provisioned_concurrency: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WarmupBudget:
    """Limits of pings of some functions together; None: those of all functions alone."""

    max_environments_total: int | None = None
    max_usd_day: float | None = None
    max_usd_month: float | None = None


@dataclass(frozen=True, slots=True)
class ProvisionedBudget:
    """Limits of provisioned concurrency of some functions together; None: those of all functions alone."""

    max_total: int | None = None
    max_usd_day: float | None = None
    max_usd_month: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """Limit of what larger memory sizes of some functions add to the bill; None: that of all functions alone."""

    max_usd_month: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Chosen):
    """Limits of some functions together, beside those of all functions."""

    name: str = ""
    warmups: WarmupBudget = field(default_factory=WarmupBudget)
    memory: MemoryBudget = field(default_factory=MemoryBudget)
    provisioned_concurrency: ProvisionedBudget = field(default_factory=ProvisionedBudget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Chosen):
    """Environments to hold warm. `begin` (the key `from`), `until`: ISO 8601, without an offset in the policy's time
    zone."""

    begin: str = field(metadata={"key": "from"})
    until: str
    environments: int
    name: str = "event"

    def moments(self, time_zone: str) -> tuple[datetime, datetime]:
        """Return start and end, each with a zone."""
        zone = ZoneInfo(time_zone)
        begin, until = (datetime.fromisoformat(text) for text in (self.begin, self.until))
        return tuple(at if at.tzinfo else at.replace(tzinfo=zone) for at in (begin, until))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusualDay(Chosen):
    """A day unlike its weekday. `like`: the weekday that it resembles. `level`: its traffic as a multiple of such a
    day's."""

    on: date
    like: str | None = None
    level: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverWarm(Chosen):
    """Hours in which nothing is pinged; as in a Window."""

    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: str = "00:00"
    until: str = "24:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlwaysWarm(Chosen):
    """Hours in which environments are always warm; as in a Window."""

    environments: int
    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: str = "00:00"
    until: str = "24:00"


# INIT of an ordinary managed runtime with its dependencies. A cold start of this length is worth the policy's value.
USUAL_INIT_MS = 500.0


@dataclass(frozen=True, slots=True)
class Warmups:
    """Limits of warm-up pings.

    `usd_per_cold_start`: value of one avoided cold start of half a second, apart from its price. A longer one is worth
    more in proportion. `idle_minutes_per_cold_start`: the same in minutes of an environment that pings hold warm.
    `keep_alive_minutes`: assumed if the function's own log lines do not show it. `exclude`: names (shell wildcards) of
    functions that get no pings. `include_consumers`: of those that get pings although a queue or stream calls them."""

    mode: Mode | None = None
    max_environments_per_function: int = 10
    max_environments_total: int = 100
    max_usd_day: float = 1.0
    max_usd_month: float = 20.0
    keep_alive_minutes: int = 10
    horizon_hours: int = 24
    usd_per_cold_start: float = 0.0003
    idle_minutes_per_cold_start: float | None = None
    ready_tag: str = "optimizer:warmup"
    watch_minutes: tuple[int, ...] = (60, 300)
    holidays: tuple[date, ...] = ()
    events: tuple[Event, ...] = ()
    days: tuple[UnusualDay, ...] = ()
    never: tuple[NeverWarm, ...] = ()
    always: tuple[AlwaysWarm, ...] = ()
    exclude: tuple[str, ...] = ()
    include_consumers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Limits of memory changes.

    `headroom`: minimum memory size as a multiple of the peak usage. `min_savings_usd_month`: minimum gain in US
    dollars, beside the share `min_gain`. `max_usd_month`: maximum that larger sizes add to the bill of all functions.
    `max_step_ratio`: largest factor up or down in one change. `min_gain`: minimum saving as a share of the price.
    `min_chance_kept`: minimum probability that a size that is tried will be kept. `max_slowdown`: largest mean and p95
    duration after a change, as a multiple of the duration before. `longest_watch_hours`: maximum observation if there
    are too few calls up to the last of `watch_minutes`. `latest_mode`: upper limit of the mode for functions that are
    only called as $LATEST. `unpriced_mode`: that for a larger size that is needed and whose price is not known."""

    mode: Mode | None = None
    goal: str = "cost_guarded"
    floor_mb: int = 128
    ceiling_mb: int = 3008
    sizes_mb: tuple[int, ...] = (128, 256, 512, 768, 1024, 1536, 1769, 2048, 3008)
    max_step_ratio: float = 2.0
    headroom: float = 1.3
    min_gain: float = 0.05
    min_savings_usd_month: float = 1.0
    min_chance_kept: float = 0.1
    max_slowdown: float = 1.1
    max_p95_ms: float | None = None
    max_usd_month: float = 20.0
    cool_down_days: int = 7
    canary_weight: float = 0.1
    watch_minutes: tuple[int, ...] = (15, 60, 360, 1440)
    longest_watch_hours: float = 72.0
    latest_mode: Mode = Mode.APPROVE
    unpriced_mode: Mode = Mode.APPROVE
    min_invocations: int = 200
    max_log_scan_mb: int | None = None


@dataclass(frozen=True, slots=True)
class ProvisionedConcurrency:
    """Limits of provisioned concurrency, for one function and for all together. `by_the_hour`: timetables are
    allowed. `min_utilisation`: None takes the break-even at the prices of the Region."""

    mode: Mode | None = None
    by_the_hour: bool = True
    max_per_function: int = 5
    max_total: int = 20
    max_usd_day: float = 5.0
    max_usd_month: float = 100.0
    account_concurrency_free: int = 100
    min_utilisation: float | None = None
    cool_down_days: int = 1


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of the account beside the list. `lambda_discount`: a share off it, of a private price or a Savings
    Plan."""

    lambda_discount: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyGoal(Chosen):
    """The longest INIT that one call in a hundred may wait for."""

    max_p99_init_ms: float


@dataclass(frozen=True, slots=True)
class AdviceLimits:
    """The limits beyond which a run gives advice on a function; shares are 0 to 1. `exclude`: patterns of names of
    functions without advice."""

    errors_share: float = 0.1
    new_errors_share: float = 0.01
    throttles_share: float = 0.01
    timeout_share: float = 0.95
    slowdown_ratio: float = 1.5
    concurrency_share: float = 0.9
    snap_start_init_ms: float = 1000.0
    arm64_savings_usd_month: float = 5.0
    exclude: tuple[str, ...] = ()
    latency_goals: tuple[LatencyGoal, ...] = ()

    def has_advice(self, name: str) -> bool:
        """Return True unless advice on a function is not wanted."""
        return not _matches(name, self.exclude)

    def goal_of(self, name: str, tags: Mapping[str, str]) -> LatencyGoal | None:
        """Return the first goal that fits a function, or None."""
        return next((goal for goal in self.latency_goals if goal.fits(name, tags)), None)


@dataclass(frozen=True, slots=True)
class Freeze:
    """A range of days, both ends included, in the policy's time zone, on which nothing is changed.

    `tuners`: the tuners that it stops; if empty, all but warm-ups, because pings change nothing of a function."""

    first: date
    last: date
    reason: str = "freeze"
    tuners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """Hours in which changes may start: weekday names, and local times HH:MM. `until` is not included; a window whose
    `until` is not after its `start` continues past midnight."""

    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    start: str = "00:00"
    until: str = "24:00"


@dataclass(frozen=True, slots=True)
class RunWindow(Window):
    """A window of the whole run. `tuners`: the tuners that it holds for; if empty, all but warm-ups."""

    tuners: tuple[str, ...] = ()


class Permission(StrEnum):
    """Permission for one kind of index action in the mode `auto`. A stricter mode takes precedence."""

    AUTOMATIC = "automatic"
    ASK = "ask"
    RECOMMEND = "recommend"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Database:
    """A database (PostgreSQL) or schema (MySQL, MariaDB).

    `host`: the writer itself; builds connect to it, never through a proxy. `read_host`: an RDS Proxy for reading.
    `readers`: every replica, `host` or `host:port`; an index that one of them uses counts as used. `cluster`: its
    databases are handled one after another. Either `secret_arn`, or `user` for IAM authentication, is given. `ca_key`:
    certificates (PEM) in the application's bucket, in addition to the system's, if the stack trusts them.
    `rds_instance` or `rds_cluster`: identifier of the writer in CloudWatch, if `host` is not its endpoint.
    `data_api_arn`: the cluster, if it is reached through the RDS Data API instead of a connection."""

    name: str
    engine: str
    host: str
    database: str
    port: int | None = None
    cluster: str = ""
    read_host: str = ""
    readers: tuple[str, ...] = ()
    secret_arn: str = ""
    user: str = ""
    tls: str = "verify"
    ca_key: str = ""
    max_connections: int = 4
    rds_instance: str = ""
    rds_cluster: str = ""
    data_api_arn: str = ""


@dataclass(frozen=True, slots=True)
class IndexActions:
    """Permissions for each kind of index action. `rebuild_special`: unique, partial and expression indexes.
    `drop_own_leftover`: of a build that this application began and recorded."""

    analyze: Permission = Permission.AUTOMATIC
    vacuum: Permission = Permission.ASK
    rebuild: Permission = Permission.AUTOMATIC
    rebuild_special: Permission = Permission.ASK
    drop_own_leftover: Permission = Permission.AUTOMATIC
    drop_leftover: Permission = Permission.ASK
    drop_duplicate: Permission = Permission.ASK
    drop_redundant: Permission = Permission.ASK
    drop_unused: Permission = Permission.ASK
    create: Permission = Permission.ASK
    optimize: Permission = Permission.ASK


@dataclass(frozen=True, slots=True)
class Indexes:
    """Limits of index maintenance, sizes in MiB.

    `automatic_build_mb`: a larger rebuild needs approval. `max_build_mb`: a larger one is blocked. `max_build_mb_run`:
    all builds of a run on one database. `min_observation_days`: age of the usage counters on every node before an index
    counts as unused. `rebuild_after_runs`: number of runs that must have found the bloat. `hidden_days`: between hiding
    an index and dropping it. `max_transaction_s`: an older transaction delays a build. `max_cpu_percent`,
    `min_free_storage_mb` (in addition to twice the size of the build): of a server of RDS, from CloudWatch.
    `lock_attempts`: attempts of a statement that waits at most `lock_timeout_ms`."""

    mode: Mode | None = None
    databases: tuple[Database, ...] = ()
    actions: IndexActions = field(default_factory=IndexActions)
    automatic_build_mb: int = 20_480
    max_build_mb: int = 204_800
    max_build_mb_run: int = 102_400
    max_build_minutes: int = 240
    min_bloat_share: float = 0.5
    min_bloat_mb: int = 100
    rebuild_after_runs: int = 2
    min_observation_days: int = 35
    max_drops: int = 3
    hidden_days: float = 7.0
    max_replica_lag_s: float = 10.0
    max_transaction_s: float = 60.0
    max_lock_waiters: int = 0
    max_active_sessions: int = 32
    max_cpu_percent: float = 75.0
    min_free_storage_mb: int = 2048
    lock_timeout_ms: int = 3000
    lock_attempts: int = 3
    max_slowdown: float = 1.1
    watch_minutes: tuple[int, ...] = (30, 1440, 4320)
    cool_down_days: float = 1.0
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheNamespace:
    """One kind of value in a cache. `max_age_s`: maximum age of a value that may be served; None: `max_ttl_s`.
    `sliding`: reads prolong the entries, so that the TTL bounds no age and is never tuned."""

    name: str
    min_ttl_s: float
    max_ttl_s: float
    max_age_s: float | None = None
    target_hit_ratio: float | None = None
    sliding: bool = False


@dataclass(frozen=True, slots=True)
class AppConfigProfile:
    """Ids of the AppConfig resources that publish the TTLs."""

    application: str
    environment: str
    profile: str
    strategy: str


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache whose TTLs are published in an SSM `parameter` or with AppConfig, and whose client logs to `log_groups`.
    `memory_mb` (MiB): maximum for the entries of all its namespaces. `endpoint`: server to read INFO from, or empty."""

    name: str
    memory_mb: float
    log_groups: tuple[str, ...]
    namespaces: tuple[CacheNamespace, ...]
    parameter: str = ""
    app_config: AppConfigProfile | None = None
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class RestDays:
    """Days on which callers rest: whole days, and days from noon on."""

    holidays: frozenset[date] = frozenset()
    half_days: frozenset[date] = frozenset()


class NoSuchCache(OptimizerError, LookupError):
    """The policy has no cache of this name."""


@dataclass(frozen=True, slots=True)
class CacheTtls:
    """Limits of TTL changes.

    `watch_minutes`: minimum of an observation, which always lasts at least twice the longest TTL.
    `max_hit_ratio_drop`: a share (0.03: three percentage points). `max_miss_load_ratio`: of the origin's time for each
    read. Savings without a price (None) are not part of the USD."""

    mode: Mode | None = None
    caches: tuple[Cache, ...] = ()
    max_step_ratio: float = 2.0
    cool_down_days: float = 1.0
    observe_hours: float = 24.0
    max_log_mb: int = 100
    watch_minutes: float = 10.0
    max_hit_ratio_drop: float = 0.03
    max_miss_load_ratio: float = 1.2
    usd_gb_month: float | None = None
    usd_million_misses: float | None = None

    def cache(self, name: str) -> Cache | None:
        """Return the cache of this name, or None."""
        return next((cache for cache in self.caches if cache.name == name), None)

    def named(self, name: str) -> Cache:
        """Return the cache of this name. Raise NoSuchCache, which names those that exist."""
        found = self.cache(name)
        if found is None:
            raise NoSuchCache(f"the policy has no cache {name}, only {[cache.name for cache in self.caches]}")
        return found


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Limits of a whole run. Without windows changes may start at any hour."""

    max_changes: int = 10
    max_changes_share: float = 0.25
    max_changes_at_once: int = 3
    freezes: tuple[Freeze, ...] = ()
    windows: tuple[RunWindow, ...] = ()
    approval_hours: float = 24.0


@dataclass(frozen=True, slots=True)
class Approver:
    """A person with a link of their own. The name is written into the record, and is part of the name of the topic that
    gets the link."""

    name: str


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvers. Without any, everybody who gets the topic's messages gets the same link. `needed`: number of
    approvers who must approve a change; one of them alone rejects it."""

    approvers: tuple[Approver, ...] = ()
    needed: int = 1


@dataclass(frozen=True, slots=True)
class Policy:
    """The whole policy. `Policy()` is the policy of a team that stores nothing but `{"version": 1}`."""

    version: int = 1
    time_zone: str = "UTC"
    mode: Mode = Mode.RECOMMEND
    functions: Functions = field(default_factory=Functions)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    budgets: tuple[Budget, ...] = ()
    warmups: Warmups = field(default_factory=Warmups)
    memory: Memory = field(default_factory=Memory)
    provisioned_concurrency: ProvisionedConcurrency = field(default_factory=ProvisionedConcurrency)
    indexes: Indexes = field(default_factory=Indexes)
    cache_ttls: CacheTtls = field(default_factory=CacheTtls)
    prices: Prices = field(default_factory=Prices)
    advice: AdviceLimits = field(default_factory=AdviceLimits)
    run: RunLimits = field(default_factory=RunLimits)
    approvals: Approvals = field(default_factory=Approvals)

    def mode_of(self, tuner: str) -> Mode:
        """Return the tuner's own mode, or else the policy's."""
        return getattr(self, tuner).mode or self.mode

    def calendar_of(self, function_name: str, tags: Mapping[str, str]) -> str | None:
        """Return the name of a function's calendar, or None."""
        chosen = (one.calendar for one in self.overrides if one.calendar and one.fits(function_name, tags))
        return next(chosen, self.functions.calendar)

    def rest_days(self, function_name: str, tags: Mapping[str, str]) -> RestDays:
        """Return the holidays of a function: those of its calendar, and `warmups.holidays`."""
        calendar = self.calendars.get(self.calendar_of(function_name, tags) or "", Calendar())
        return RestDays(frozenset({*self.warmups.holidays, *calendar.days}), frozenset(calendar.half_days))

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Policy":
        """Build the policy from a document that the schema accepts. Raise KeyError for unknown or missing names."""
        return cast("Policy", canonical_json.read(cls, document, strict=True))
