"""Write REPORT lines as Lambda does, from the traffic and behaviour of a target."""

import contextlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from local_account.fleet import TargetFunction
from local_account.seeds import generator
from local_account.traces import MINUTE, Counts, Numbers
from local_account.workload import LATEST, Part, Routing, Share, Workload

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

MOST_LINES = 1500
# With more calls in the history, a reader who adds lines up finds some in each hour; before, the newest are all.
_MANY_CALLS = 10_000
_LINES_AN_HOUR = 2
# Lambda ends an environment that was not called for so long.
KEEP_ALIVE = timedelta(minutes=10)
_HISTORY = timedelta(days=14)
_AFTER_CHANGE = timedelta(days=2)
_LINES_AFTER_CHANGE = 300
_MOST_IN_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Line:
    """One REPORT line and the log stream it belongs to."""

    time: datetime
    stream: str
    message: str


@dataclass(frozen=True, slots=True)
class _Call:
    time: datetime
    request_id: str
    duration_ms: float
    init_ms: float | None
    memory_mb: int
    used_mb: int


def history_lines(target: TargetFunction, now: datetime) -> list[Line]:
    """Return a line for every call of the last 14 days before `now`, but at most 1,500.

    These are the newest ones; of a busy function half are, and the others are two of each hour before.
    """
    share = Share("1" if target.alias else LATEST, 1.0, target.memory_mb)
    routing = Routing(target.traffic.start, (share,))
    start = now - _HISTORY
    calls = sum(int(part.invocations.sum()) for part in Workload(target).parts((routing,), start, now))
    if calls <= _MANY_CALLS:
        return _lines(target, routing, start, now, MOST_LINES, _newest, _stream)
    newest = _lines(target, routing, start, now, MOST_LINES // 2, _newest, _stream)
    before = newest[0].time.replace(second=0, microsecond=0)
    return [*_lines(target, routing, start, before, _LINES_AN_HOUR, _of_each_hour, _hour_stream), *newest]


def lines_after_change(target: TargetFunction, routing: Routing) -> list[Line]:
    """Return lines of the two days after a change of routing, a few hundred for each version."""
    return _lines(target, routing, routing.since, routing.since + _AFTER_CHANGE, _LINES_AFTER_CHANGE, _spread, _stream)


def put_lines(client: "CloudWatchLogsClient", target: TargetFunction, lines: Sequence[Line]) -> None:
    """Write lines to the target's log group; make the group and its streams where they do not exist yet."""
    group = f"/aws/lambda/{target.name}"
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
    for stream in sorted({line.stream for line in lines}):
        with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [
            {"timestamp": int(line.time.timestamp() * 1000), "message": line.message}
            for line in lines
            if line.stream == stream
        ]
        for first in range(0, len(events), _MOST_IN_BATCH):
            batch = events[first : first + _MOST_IN_BATCH]
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)  # type: ignore[arg-type]


def _lines(
    target: TargetFunction,
    routing: Routing,
    start: datetime,
    end: datetime,
    most: int,
    choose: Callable[[Counts, int], Counts],
    stream_of: Callable[[Share, datetime], str],
) -> list[Line]:
    lines: list[Line] = []
    for part in Workload(target).parts((routing,), start, end):
        calls, inits = choose(part.invocations, most), _environments_started(part)
        random = generator(target.name, part.share.version, "lines", start.isoformat())
        for minute in np.flatnonzero(calls).tolist():
            time = target.traffic.start + (part.first + minute) * MINUTE
            stream = stream_of(part.share, time)
            made = _calls(target, part, minute, time, int(calls[minute]), int(inits[minute]), random)
            lines += [Line(call.time, stream, _text(target, call)) for call in made]
    return sorted(lines, key=lambda line: line.time)


def _stream(share: Share, time: datetime) -> str:
    return f"{time:%Y/%m/%d}/[{share.version}]{uuid.uuid5(uuid.NAMESPACE_OID, f'{share} {time:%Y%m%d}').hex}"


def _hour_stream(share: Share, time: datetime) -> str:
    """Return a stream of this hour alone, so that lines left out are not taken for an environment that idles."""
    return f"{time:%Y/%m/%d}/[{share.version}]{uuid.uuid5(uuid.NAMESPACE_OID, f'{share} {time:%Y%m%d%H}').hex}"


def _of_each_hour(calls: Counts, most: int) -> Counts:
    """Return some calls of the busiest minute of each hour."""
    kept = np.zeros(len(calls), np.int64)
    for first in range(0, len(calls), 60):
        busiest = first + int(np.argmax(calls[first : first + 60]))
        kept[busiest] = min(most, int(calls[busiest]))
    return kept


def _newest(calls: Counts, most: int) -> Counts:
    """Return all calls of the last minutes, as a reader who asks for the newest lines of a log group expects them."""
    later = np.cumsum(calls[::-1])[::-1] - calls
    kept: Counts = np.clip(most - later, 0, calls)
    return kept


def _spread(calls: Counts, most: int) -> Counts:
    """Return all calls, or those of some evenly spread minutes."""
    busy = np.flatnonzero(calls)
    if int(calls.sum()) <= most:
        return calls
    kept = np.zeros(len(calls), np.int64)
    a_minute = max(1, min(5, most // max(len(busy), 1)))
    chosen = busy[np.linspace(0, len(busy) - 1, min(len(busy), most // a_minute)).astype(np.intp)]
    kept[chosen] = np.minimum(calls[chosen], a_minute)
    return kept


def _environments_started(part: Part) -> Counts:
    """Return how many environments each minute had to start.

    These are the ones above the most that were busy within the keep-alive before it.
    """
    keep = KEEP_ALIVE // MINUTE
    busy = part.concurrency
    padded = np.r_[np.zeros(keep, np.int64), busy]
    warm = np.lib.stride_tricks.sliding_window_view(padded, keep)[: len(busy)].max(axis=1)
    started: Counts = np.maximum(busy - warm, 0)
    return started


def _calls(
    target: TargetFunction,
    part: Part,
    minute: int,
    time: datetime,
    wanted: int,
    inits: int,
    random: np.random.Generator,
) -> list[_Call]:
    """Return `wanted` of the minute's calls; the share of cold starts among them is that among all its calls."""
    behaviour = target.behaviour
    cold = inits if wanted == part.invocations[minute] else random.binomial(wanted, inits / part.invocations[minute])
    durations = _durations(float(part.duration_ms[minute]), behaviour.shape, wanted, random)
    seconds: Numbers = np.sort(random.uniform(0, 60, wanted))
    calls = []
    for place in range(wanted):
        used_mb = behaviour.used_memory_mb * float(random.uniform(0.85, 1.0))
        calls.append(
            _Call(
                time=time.astimezone(UTC) + timedelta(seconds=float(seconds[place])),
                request_id=str(uuid.UUID(bytes=random.bytes(16), version=4)),
                duration_ms=min(float(durations[place]), target.timeout_s * 1000.0),
                init_ms=behaviour.init_ms * float(random.lognormal(0.0, 0.1)) if place < cold else None,
                memory_mb=part.share.memory_mb,
                used_mb=min(int(used_mb), part.share.memory_mb),
            )
        )
    return calls


def _durations(mean_ms: float, shape: float, count: int, random: np.random.Generator) -> Numbers:
    """Return `count` draws of the log-logistic distribution; a single draw is moved to have exactly this mean."""
    if count == 1:
        return np.array([mean_ms])
    median = mean_ms * np.sin(np.pi / shape) / (np.pi / shape)
    level = random.uniform(0.0, 1.0, count)
    drawn: Numbers = median * (level / (1.0 - level)) ** (1.0 / shape)
    return drawn


def _text(target: TargetFunction, call: _Call) -> str:
    billed_ms = int(np.ceil(call.duration_ms + (call.init_ms or 0.0)))
    if target.json_logs:
        measured: dict[str, float] = {
            "durationMs": round(call.duration_ms, 3),
            "billedDurationMs": billed_ms,
            "memorySizeMB": call.memory_mb,
            "maxMemoryUsedMB": call.used_mb,
        }
        if call.init_ms is not None:
            measured["initDurationMs"] = round(call.init_ms, 3)
        record = {"requestId": call.request_id, "metrics": measured, "status": "success"}
        stamp = call.time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return json.dumps({"time": stamp, "type": "platform.report", "record": record})
    init = "" if call.init_ms is None else f"Init Duration: {call.init_ms:.2f} ms\t"
    return (
        f"REPORT RequestId: {call.request_id}\tDuration: {call.duration_ms:.2f} ms\tBilled Duration: {billed_ms} ms\t"
        f"Memory Size: {call.memory_mb} MB\tMax Memory Used: {call.used_mb} MB\t{init}\n"
    )
