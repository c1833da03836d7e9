"""Make a run and its resources as the report shows them, with every picture, for tests and for people to look at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from optimizer.core import canonical_json
from optimizer.core.change import Change, Effect, Interval, Risk, Status, StoredChange, Tuner
from optimizer.core.clock import minute_of
from optimizer.report.resource_document import cache_document, database_document, function_document
from optimizer.report.savings import Facts, verify_savings
from optimizer.report.summary import Report, summarise
from optimizer.traffic.chart_data import traffic_charts
from optimizer.traffic.history import MINUTE_METRICS, History, Series, hours_from_minutes
from optimizer.traffic.summary import summarise as summarise_traffic

from tests.helpers.rates import PRICED

NOW = datetime(2026, 11, 16, 4, 2, tzinfo=UTC)
RUN = {"run_id": "monday-0400", "started_at": NOW - timedelta(minutes=7), "targets": 42}
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"


def stored(
    tuner: Tuner,
    target: str,
    status: Status,
    before: dict[str, Any],
    after: dict[str, Any],
    usd: tuple[float, float, float] | None,
    reason: str,
    **more: Any,
) -> StoredChange:
    change = Change(
        run_id=RUN["run_id"],  # type: ignore[arg-type]
        tuner=tuner,
        action=more.pop("action", "set"),
        target=target,
        before=before,
        after=after,
        reason=reason,
        undo=before,
        risk=Risk.LOW,
        evidence=more.pop("evidence", {}),
        effect=Effect(usd_month=Interval(*usd) if usd else None),
    )
    times = {status.value: NOW - timedelta(days=2)}
    known: dict[str, Any] = {"progress": {}, "verdict": "", "rule": "", "message": "", "times": times}
    return StoredChange(change, status, **{**known, **more})


SIZES = {
    "architecture": "arm64",
    "sizes": {
        str(mb): {
            "calls": calls,
            "mean_ms": mean,
            "mean_interval_ms": [mean * 0.97, mean * 1.04],
            "p95_ms": mean * 1.9,
            "max_memory_used_mb": 212,
        }
        for mb, calls, mean in ((512, 4_210, 231.4), (1024, 183_201, 118.7), (1536, 950, 104.2))
    },
}
ORDERS = [
    stored(
        Tuner.MEMORY,
        f"{ARN}orders",
        Status.WATCHING,
        {"memory_mb": 1024, "version": "7"},
        {"memory_mb": 768},
        (-14.31, -19.2, -8.05),
        "768 MB should cost 17.2% less at 1.09 times the duration.",
        evidence={**SIZES, "duration_ratio": 1.09},
    ),
    stored(
        Tuner.PROVISIONED_CONCURRENCY,
        f"{ARN}orders",
        Status.REFUSED,
        {"environments": 10},
        {"environments": 4},
        (-31.9, -33.5, -30.2),
        "10 environments are provisioned and never more than 4 were needed.",
        rule="run.one_change_a_function",
        message="Another change of orders acts in this run.",
        evidence={"usd_month_before": 53.2, "usd_month": 21.3, "utilisation": 0.61, **PRICED},
    ),
]
CHANGES = [
    *ORDERS,
    stored(
        Tuner.WARMUPS,
        f"{ARN}checkout",
        Status.RECOMMENDED,
        {"schedules": 0, "plans": []},
        {"pings": 96, "most_environments": 3, "usd_day": 0.0021},
        (0.064, 0.05, 0.08),
        "About 12.4 cold starts a day are avoided.",
    ),
    stored(
        Tuner.MEMORY,
        f"{ARN}thumbnails-of-everything-that-anyone-has-ever-uploaded",
        Status.REVERTED,
        {"memory_mb": 512},
        {"memory_mb": 256},
        (-3.2, -4.1, -2.3),
        "256 MB should cost 31.0% less.",
        message="the mean duration is 2.31 times that before, 1.1 is allowed",
    ),
    stored(
        Tuner.INDEXES,
        "shop/public.orders.orders_old_idx",
        Status.AWAITING_APPROVAL,
        {"schema": "public", "table": "orders", "size_bytes": 734_003_200, "index": "orders_old_idx"},
        {},
        None,
        "Nothing has read it for 93 days.",
        action="drop_index",
    ),
    stored(
        Tuner.INDEXES,
        "shop/public.orders.orders_customer_idx",
        Status.AWAITING_APPROVAL,
        {"schema": "public", "table": "orders", "size_bytes": 1_468_006_400, "index": "orders_customer_idx"},
        {"size_bytes": 555_745_280},
        None,
        "Two thirds of its pages are empty.",
        action="rebuild",
        evidence={"saves_bytes": 912_261_120},
    ),
    stored(
        Tuner.CACHE_TTLS,
        "cache/sessions",
        Status.RECOMMENDED,
        {"version": 3, "ttl_s": {"product": 300}},
        {"version": 4, "ttl_s": {"product": 900}},
        None,
        "product: a TTL of 900 s instead of 300 s is predicted to hit 87.1% instead of 71.0%.",
        evidence={
            "namespaces": {
                "product": {
                    "knee_s": 900.0,
                    "curve": [
                        [60, 0.41, 9],
                        [120, 0.55, 20],
                        [300, 0.71, 44],
                        [600, 0.82, 80],
                        [900, 0.871, 119],
                        [1800, 0.88, 230],
                        [3600, 0.884, 410],
                    ],
                }
            }
        },
    ),
]
ALONE = [
    {"tuner": "warmups", "target": f"{ARN}orders", "reason": "Calls keep it warm by themselves."},
    {"tuner": "memory", "target": f"{ARN}mailer", "reason": "12 calls were seen with 256 MB; 50 are needed."},
]


def report() -> Report:
    """Return a run with something in every section that matters."""
    kept = replace(ORDERS[0], status=Status.KEPT, times={"kept": NOW - timedelta(days=20)})
    kept = replace(kept, change=replace(kept.change, run_id="earlier", after={"memory_mb": 1536}))
    facts = {f"{ARN}orders": Facts(64_000.0, {"memory": SIZES})}
    return summarise(
        RUN,
        CHANGES,
        ALONE,
        {"legacy-import": "function legacy-import has no alias live; create it, or tag the function optimizer:alias"},
        NOW,
        without_metrics=["cleanup-2024"],
        proved=verify_savings([kept, CHANGES[3]], facts, NOW),
    )


def traffic() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a function's traffic and its picture: busy on working days, and more so at noon."""
    end = minute_of(NOW)
    minutes = np.arange(end - 63 * 1440, end)
    hour, day = minutes / 60 % 24, (minutes // 1440 + 3) % 7
    rate = (3 + 60 * np.exp(-(((hour - 12.5) / 3.2) ** 2))) * np.where(day < 5, 1.0, 0.3)
    calls = np.random.default_rng(4).poisson(rate).astype(float)
    calls[-90 * 60 : -89 * 60] = np.nan
    arrays = (calls, np.full(len(calls), 1180.0), np.full(len(calls), np.nan))
    series = Series(int(minutes[0]), dict(zip(MINUTE_METRICS, arrays, strict=True)))
    hours = hours_from_minutes(series)
    more = {name: np.zeros(len(hours)) for name in ("p95_duration_ms", "errors", "throttles")}
    history = History(series.window(end - 15 * 1440, end), Series(hours.start, {**hours.values, **more}))
    summary = summarise_traffic(
        history,
        function_name="orders",
        function_arn=f"{ARN}orders",
        alias="live",
        timezone="Europe/Berlin",
        history_key="history/orders.npz",
    )
    return canonical_json.plain(summary), traffic_charts(history, "Europe/Berlin")


def documents() -> dict[str, dict[str, Any]]:
    """Return the documents of a function, a database and a cache, by the places of their pages."""
    run_id = str(RUN["run_id"])
    of = {kind: [c for c in CHANGES if c.change.tuner is kind] for kind in Tuner}
    return {
        "functions/orders": function_document(run_id, "orders", *traffic(), ORDERS, ALONE[:1], []),
        "databases/shop": database_document(run_id, "shop", of[Tuner.INDEXES], [], []),
        "caches/sessions": cache_document(run_id, "sessions", of[Tuner.CACHE_TTLS], [], []),
    }
