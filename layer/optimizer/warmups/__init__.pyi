from optimizer.warmups.change import WarmupHooks as WarmupHooks
from optimizer.warmups.init_times import LearntFacts as LearntFacts, learn_from_reports as learn_from_reports
from optimizer.warmups.live_function import (
    read_calls as read_calls,
    read_concurrency as read_concurrency,
    read_target as read_target,
)
from optimizer.warmups.occasions import Occasions as Occasions, occasions_of as occasions_of
from optimizer.warmups.plan import (
    WarmupPlan as WarmupPlan,
    WarmupRequest as WarmupRequest,
    as_asked as as_asked,
    asked_environments as asked_environments,
    forecast_ahead as forecast_ahead,
    not_worth_it as not_worth_it,
    obstacle as obstacle,
    plan_from as plan_from,
    plan_warmups as plan_warmups,
    undecided as undecided,
)
from optimizer.warmups.plan_value import HOLD_MS as HOLD_MS, PingRates as PingRates, pings_usd as pings_usd
from optimizer.warmups.planner import plan_batch as plan_batch
from optimizer.warmups.propose import (
    WarmedFunction as WarmedFunction,
    WarmupFacts as WarmupFacts,
    adjust_policy as adjust_policy,
    propose_warmups as propose_warmups,
    worth_of_idle_minutes as worth_of_idle_minutes,
)
from optimizer.warmups.readiness import why_not_ready as why_not_ready
from optimizer.warmups.sending.deployed import (
    DEPLOYED as DEPLOYED,
    DeployedAlias as DeployedAlias,
    warmup_after_deploy as warmup_after_deploy,
)
from optimizer.warmups.sending.ping_rows import count_pings as count_pings
from optimizer.warmups.sending.room import read_room as read_room
from optimizer.warmups.sending.send_pings import ping_client as ping_client
from optimizer.warmups.sending.warm import warm_alias as warm_alias
from optimizer.warmups.simulation.backtest import (
    Strategy as Strategy,
    Subject as Subject,
    WarmupBacktest as WarmupBacktest,
    WarmupOutcome as WarmupOutcome,
    WarmupPlans as WarmupPlans,
    backtest_warmups as backtest_warmups,
    outcome_of as outcome_of,
    plan_starts as plan_starts,
    planned_warmups as planned_warmups,
    play_plans as play_plans,
    provisioned_usd as provisioned_usd,
    total_outcomes as total_outcomes,
)
from optimizer.warmups.simulation.play import TimedCalls as TimedCalls
