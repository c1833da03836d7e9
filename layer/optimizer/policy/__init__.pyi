from optimizer.policy.check import (
    InvalidPolicy as InvalidPolicy,
    find_errors as find_errors,
    policy_schema as policy_schema,
    read_policy as read_policy,
)
from optimizer.policy.country_days import with_country_days as with_country_days
from optimizer.policy.errors import PolicyError as PolicyError
from optimizer.policy.log_scans import log_scan_mb as log_scan_mb
from optimizer.policy.model import (
    USUAL_INIT_MS as USUAL_INIT_MS,
    WEEKDAYS as WEEKDAYS,
    AdviceLimits as AdviceLimits,
    AlwaysWarm as AlwaysWarm,
    AppConfigProfile as AppConfigProfile,
    Budget as Budget,
    Cache as Cache,
    CacheNamespace as CacheNamespace,
    CacheTtls as CacheTtls,
    Chosen as Chosen,
    Database as Database,
    Indexes as Indexes,
    LatencyGoal as LatencyGoal,
    Memory as Memory,
    Mode as Mode,
    NeverWarm as NeverWarm,
    Override as Override,
    Permission as Permission,
    Policy as Policy,
    ProvisionedConcurrency as ProvisionedConcurrency,
    RunLimits as RunLimits,
    UnusualDay as UnusualDay,
    Warmups as Warmups,
    Window as Window,
)
from optimizer.policy.override_errors import contradictions_of as contradictions_of
from optimizer.policy.override_words import with_overrides_named as with_overrides_named
from optimizer.policy.overrides import (
    modes_of as modes_of,
    settings_of_change as settings_of_change,
    settings_of_function as settings_of_function,
    without_promises as without_promises,
)
from optimizer.policy.windows import window_errors as window_errors, window_warnings as window_warnings
