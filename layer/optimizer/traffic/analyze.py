"""One batch of functions: read what is new, keep it, summarise it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optimizer.aws import at_once
from optimizer.core import minute_of
from optimizer.store import Documents, NoSuchDocument, PingLog
from optimizer.traffic import cloudwatch_history
from optimizer.traffic.chart_data import traffic_charts
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import History, UnreadableHistory
from optimizer.traffic.hourly import spread_concurrency
from optimizer.traffic.own_pings import remove_pings
from optimizer.traffic.summary import FunctionTraffic, summarise

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BatchTraffic:
    """What became of a batch: the traffic of each function by name and what it looks like, or in one sentence why there
    is none."""

    functions: Mapping[str, FunctionTraffic]
    failed: Mapping[str, str]
    pictures: Mapping[str, Mapping[str, Any]]


def history_key(function_name: str) -> str:
    """Where a function's history is kept between runs."""
    return f"history/{function_name}.npz"


def stored_history(documents: Documents, function_name: str) -> History:
    """The history kept so far; an empty one if there is none or it cannot be read."""
    try:
        return History.from_bytes(documents.read_bytes(history_key(function_name)))
    except NoSuchDocument:
        return History.empty()
    except UnreadableHistory as error:
        _log.warning("history of %s is read anew: %s", function_name, error)
        return History.empty()


def analyze_batch(
    cloudwatch: "CloudWatchClient",
    documents: Documents,
    log: PingLog,
    targets: Sequence[Mapping[str, Any]],
    now: datetime,
) -> BatchTraffic:
    """Bring the history of each target up to `now` and summarise it. targets: FunctionTarget documents."""
    names = [str(target["function_name"]) for target in targets]
    known = dict(zip(names, at_once(lambda name: stored_history(documents, name), names), strict=True))
    windows = {name: cloudwatch_history.missing_window(history, minute_of(now)) for name, history in known.items()}
    read = dict(cloudwatch_history.read_missing(cloudwatch, windows))
    failed = {name: str(result) for name, result in read.items() if not isinstance(result, History)}
    fresh = {name: new for name, new in read.items() if isinstance(new, History)}
    pings = at_once(lambda name: list(log.between(name, windows[name].first_minute, windows[name].end_minute)), fresh)
    real = {name: spread_concurrency(remove_pings(fresh[name], own)) for name, own in zip(fresh, pings, strict=True)}
    merged = {name: known[name].merged(new) for name, new in real.items()}
    settled = settle(merged, min((asked.since_minute for asked in windows.values()), default=0))
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
