"""Analyse the traffic of one batch of functions: read new metrics, store the history, summarise it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.aws import CloudWatchClient, at_once
from optimizer.core import minute_of
from optimizer.store import Documents, PingLog
from optimizer.traffic import cloudwatch_history
from optimizer.traffic.chart_data import traffic_charts
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import History
from optimizer.traffic.hourly import spread_concurrency
from optimizer.traffic.own_pings import remove_pings
from optimizer.traffic.stored import history_key, stored_history
from optimizer.traffic.summary import FunctionTraffic, summarise


@dataclass(frozen=True, slots=True)
class BatchTraffic:
    """The traffic of a batch of functions. Each function, by name, is either in `functions` and `pictures` or in
    `failed`."""

    functions: Mapping[str, FunctionTraffic]
    # One sentence that says why there is no traffic.
    failed: Mapping[str, str]
    # Chart data for the report.
    pictures: Mapping[str, Mapping[str, Any]]


def analyze_batch(
    cloudwatch: "CloudWatchClient",
    documents: Documents,
    log: PingLog,
    targets: Sequence[Mapping[str, Any]],
    now: datetime,
) -> BatchTraffic:
    """Update the history of each target up to `now`, store it and summarise it. targets: FunctionTarget documents."""
    names = [str(target["function_name"]) for target in targets]
    stored = dict(zip(names, at_once(lambda name: stored_history(documents, name), names), strict=True))
    windows = {name: cloudwatch_history.missing_window(history, minute_of(now)) for name, history in stored.items()}
    read = dict(cloudwatch_history.read_missing(cloudwatch, windows))
    failed = {name: str(result) for name, result in read.items() if not isinstance(result, History)}
    fresh = {name: new for name, new in read.items() if isinstance(new, History)}
    pings = at_once(lambda name: list(log.between(name, windows[name].first_minute, windows[name].end_minute)), fresh)
    real = {name: spread_concurrency(remove_pings(fresh[name], own)) for name, own in zip(fresh, pings, strict=True)}
    merged = {name: stored[name].merged(new) for name, new in real.items()}
    settled = settle(merged, min((window.since_minute for window in windows.values()), default=0))
    at_once(
        lambda name: documents.write_bytes(history_key(name), settled[name].to_bytes(), "application/octet-stream"),
        settled,
    )
    functions, pictures = {}, {}
    for target in targets:
        name = target["function_name"]
        if name not in settled:
            continue
        functions[name] = summarise(
            settled[name],
            function_name=name,
            function_arn=target["function_arn"],
            alias=target["alias"],
            timezone=target["timezone"],
            history_key=history_key(name),
        )
        pictures[name] = traffic_charts(settled[name], target["timezone"])
    return BatchTraffic(functions, failed, pictures)
