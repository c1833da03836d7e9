"""The warm-up tuner: plans pings before peaks of traffic, schedules them and observes their effect."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "change": ("WarmupHooks",),
        "init_times": (
            "LearntFacts",
            "learn_from_reports",
        ),
        "live_function": (
            "read_calls",
            "read_concurrency",
            "read_target",
        ),
        "occasions": (
            "Occasions",
            "occasions_of",
        ),
        "plan": (
            "WarmupPlan",
            "WarmupRequest",
            "as_asked",
            "asked_environments",
            "forecast_ahead",
            "not_worth_it",
            "obstacle",
            "plan_from",
            "plan_warmups",
            "undecided",
        ),
        "plan_value": (
            "HOLD_MS",
            "PingRates",
            "pings_usd",
        ),
        "planner": ("plan_batch",),
        "propose": (
            "WarmedFunction",
            "WarmupFacts",
            "adjust_policy",
            "propose_warmups",
            "worth_of_idle_minutes",
        ),
        "readiness": ("why_not_ready",),
        "sending.deployed": ("DEPLOYED", "DeployedAlias", "warmup_after_deploy"),
        "sending.ping_rows": ("count_pings",),
        "sending.room": ("read_room",),
        "sending.send_pings": ("ping_client",),
        "sending.warm": ("warm_alias",),
        "simulation.backtest": (
            "Strategy",
            "Subject",
            "WarmupBacktest",
            "WarmupOutcome",
            "WarmupPlans",
            "backtest_warmups",
            "outcome_of",
            "plan_starts",
            "planned_warmups",
            "play_plans",
            "provisioned_usd",
            "total_outcomes",
        ),
        "simulation.play": ("TimedCalls",),
    },
)
