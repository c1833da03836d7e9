"""Analyse the traffic of one batch of functions: read new metrics, store the history, summarise it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.aws import CloudWatchClient, at_once
from optimizer.core import minute_of
from optimizer.store import Documents, PingLog
from optimizer.traffic.by_alias import read_by_alias
from optimizer.traffic.chart_data import traffic_charts
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import History
from optimizer.traffic.hourly import spread_concurrency
from optimizer.traffic.own_pings import remove_pings
from optimizer.traffic.stored import history_key, stored_traffic
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
    has_alias: Callable[[str, str], bool] = lambda _name, _alias: True,
    hand_on: Callable[[Mapping[str, bytes]], None] = lambda _contents: None,
) -> BatchTraffic:
    """Update the history of each target up to `now`, store it and summarise it. targets: FunctionTarget documents.

    has_alias: of a function's name and alias; it is asked where no call through the alias is known. hand_on: takes the
    stored histories by name, for the steps that follow."""
    names = [str(target["function_name"]) for target in targets]
    aliases = [str(target["alias"]) for target in targets]
    known = at_once(lambda name: stored_traffic(documents, name), names)
    stored = {name: (one, alias) for name, one, alias in zip(names, known, aliases, strict=True)}
    read = read_by_alias(cloudwatch, stored, minute_of(now), has_alias)
    failed = {name: str(one.new) for name, one in read.items() if not isinstance(one.new, History)}
    fresh = {name: one.new for name, one in read.items() if isinstance(one.new, History)}
    pings = at_once(
        lambda name: list(log.between(name, read[name].window.first_minute, read[name].window.end_minute)), fresh
    )
    real = {name: spread_concurrency(remove_pings(fresh[name], own)) for name, own in zip(fresh, pings, strict=True)}
    merged = {name: read[name].merged(new) for name, new in real.items()}
    settled = settle(merged, min((one.window.since_minute for one in read.values()), default=0))

    def store(name: str) -> bytes:
        content = settled[name].to_bytes(read[name].alias)
        documents.write_bytes(history_key(name), content, "application/octet-stream")
        return content

    hand_on(dict(zip(settled, at_once(store, settled), strict=True)))
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
