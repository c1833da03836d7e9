"""Read the calls through the alias that is looked after: not those of $LATEST, of other aliases, or by version."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from optimizer.aws import CloudWatchClient, at_once
from optimizer.traffic.cloudwatch_history import (
    MetricsUnavailable,
    MetricWindow,
    metric_resource,
    missing_window,
    read_missing,
)
from optimizer.traffic.gaps import first_known_minute, settle
from optimizer.traffic.history import History, Series
from optimizer.traffic.hourly import spread_concurrency
from optimizer.traffic.stored import StoredTraffic

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class AliasReading:
    """The new points of a function's calls, and what they are added to.

    alias: whose calls these are; `$LATEST` stands for all calls of a function without the alias. cleaned: an earlier
    history of all calls of the function, without pings; None if there is none.
    """

    alias: str
    before: History
    window: MetricWindow
    new: History | MetricsUnavailable
    cleaned: History | None = None

    def merged(self, new: History) -> History:
        """Return the history with the new points. Pings of days that have no records any more are taken out as far as
        an earlier history tells: an alias has no more calls than its function."""
        merged = self.before.merged(new)
        if self.cleaned is None or not len(self.cleaned.hours):
            return merged
        hours = merged.hours
        known = self.cleaned.hours.window(hours.start, hours.end).values
        calls, all_calls = hours.values["invocations"], known["invocations"]
        # An hour with pings has no known concurrency.
        is_pinged = (all_calls < calls) & np.isnan(known["concurrency"])
        values = {
            **hours.values,
            "invocations": np.where(is_pinged, all_calls, calls),
            "concurrency": np.where(is_pinged, np.nan, hours.values["concurrency"]),
        }
        return replace(merged, hours=Series(hours.start, values))


def read_by_alias(
    cloudwatch: "CloudWatchClient",
    stored: Mapping[str, tuple[StoredTraffic, str]],
    now_minute: int,
    has_alias: Callable[[str, str], bool],
) -> dict[str, AliasReading]:
    """Return the new points of each function by name.

    stored: its history and the alias that is looked after. has_alias: is asked with name and alias where no call came
    through the alias as far as is known. All calls of a function without the alias are read. A history of other calls
    is no history of these: it is read anew.
    """
    without = {name for name, (known, _) in stored.items() if known.alias == LATEST}
    appeared = _those(without, stored, has_alias)
    first = {name: LATEST if name in without and name not in appeared else alias for name, (_, alias) in stored.items()}
    found = _read(cloudwatch, stored, first, now_minute)
    silent = {name for name, one in found.items() if one.alias != LATEST and not _is_called(one)} - appeared
    absent = silent - _those(silent, stored, has_alias)
    return found | _read(cloudwatch, stored, dict.fromkeys(absent, LATEST), now_minute)


def read_anew(
    cloudwatch: "CloudWatchClient", aliases: Mapping[str, str], now_minute: int, has_alias: Callable[[str, str], bool]
) -> dict[str, History | MetricsUnavailable]:
    """Return the history of the calls through each function's alias, or why there is none; nothing is stored.

    aliases: by function name. has_alias: as for `read_by_alias`."""
    nothing = {name: (StoredTraffic(History.empty()), alias) for name, alias in aliases.items()}
    found = read_by_alias(cloudwatch, nothing, now_minute, has_alias)
    known = {name: spread_concurrency(one.new) for name, one in found.items() if isinstance(one.new, History)}
    since = min((one.window.since_minute for one in found.values()), default=0)
    return {name: one.new for name, one in found.items()} | settle(known, since)


def _those(
    names: Iterable[str], stored: Mapping[str, tuple[StoredTraffic, str]], has_alias: Callable[[str, str], bool]
) -> set[str]:
    asked = sorted(names)
    answers = at_once(lambda name: has_alias(name, stored[name][1]), asked) if asked else []
    return {name for name, is_there in zip(asked, answers, strict=True) if is_there}


def _is_called(one: AliasReading) -> bool:
    """Return True if a call through the alias is known, or may be because its metrics could not be read."""
    return not isinstance(one.new, History) or first_known_minute(one.before.merged(one.new)) is not None


def _read(
    cloudwatch: "CloudWatchClient",
    stored: Mapping[str, tuple[StoredTraffic, str]],
    aliases: Mapping[str, str],
    now_minute: int,
) -> dict[str, AliasReading]:
    before = {
        name: stored[name][0].history if stored[name][0].alias == alias else History.empty()
        for name, alias in aliases.items()
    }
    windows = {name: missing_window(history, now_minute) for name, history in before.items()}
    resources = {metric_resource(name, alias): name for name, alias in aliases.items()}
    found = {}
    for resource, new in read_missing(cloudwatch, {one: windows[name] for one, name in resources.items()}):
        name = resources[resource]
        known = stored[name][0]
        cleaned = known.history if not known.alias else None
        found[name] = AliasReading(aliases[name], before[name], windows[name], new, cleaned)
    return found
