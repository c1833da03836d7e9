"""Read the deployed versions of the targets from the emulator's Lambda API, with the time since when they serve."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local_account.fleet import TargetFunction
from local_account.timetables_ahead import TimetablesAhead
from local_account.workload import LATEST, Routing, Share

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_GONE = "ResourceNotFoundException"
_NONE_PROVISIONED = "ProvisionedConcurrencyConfigNotFoundException"


class DeployedVersions:
    """The routing of every target over time; a change is dated to the minute in which it was first seen.

    `on_change(target, routing)` is called for every routing after the first. `ahead` gives the changes that timetables
    will make.
    """

    def __init__(
        self,
        client: "LambdaClient",
        targets: Sequence[TargetFunction],
        on_change: Callable[[TargetFunction, Routing], None],
        max_age_s: float = 1.0,
        ahead: TimetablesAhead | None = None,
    ) -> None:
        self._lambda = client
        self._timetables = ahead
        self._ahead: dict[str, list[Routing]] = {}
        self._targets = {target.name: target for target in targets}
        self._on_change = on_change
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._looked = dict.fromkeys(self._targets, float("-inf"))
        self._memory_mb: dict[tuple[str, str], int] = {}
        self._routings = {
            target.name: [
                Routing(target.traffic.start, (Share("1" if target.alias else LATEST, 1.0, target.memory_mb),))
            ]
            for target in targets
        }

    def routings(self, name: str) -> tuple[Routing, ...]:
        """Return every routing of the target so far, the oldest first, and those that a timetable will make."""
        self.look(name)
        return (*self._routings[name], *self._ahead.get(name, ()))

    def look(self, name: str) -> None:
        """Ask the emulator again if its last response is old; a target that does not exist (yet) keeps its routing."""
        target = self._targets[name]
        changed: Routing | None = None
        with self._lock:
            if time.monotonic() - self._looked[name] < self._max_age_s:
                return
            self._looked[name] = time.monotonic()
            try:
                shares, provisioned = self._shares(target), self._provisioned(target)
            except ClientError as error:
                if error.response["Error"]["Code"] == _GONE:
                    return
                raise
            if self._timetables is not None:
                now = datetime.now(UTC)
                self._ahead[name] = [Routing(at, shares, n) for at, n in self._timetables.of(name, now)]
            last = self._routings[name][-1]
            if (shares, provisioned) != (last.shares, last.provisioned):
                since = datetime.now(UTC).replace(second=0, microsecond=0)
                changed = Routing(max(since, last.since), shares, provisioned)
                self._routings[name].append(changed)
        if changed is not None:
            self._on_change(target, changed)

    def _shares(self, target: TargetFunction) -> tuple[Share, ...]:
        if not target.alias:
            memory_mb = self._lambda.get_function_configuration(FunctionName=target.name)["MemorySize"]
            return (Share(LATEST, 1.0, memory_mb),)
        alias = self._lambda.get_alias(FunctionName=target.name, Name=target.alias)
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        own = Share(
            alias["FunctionVersion"], 1.0 - sum(weights.values()), self._memory(target, alias["FunctionVersion"])
        )
        others = (Share(version, weight, self._memory(target, version)) for version, weight in weights.items())
        return (own, *(share for share in others if share.share > 0))

    def _memory(self, target: TargetFunction, version: str) -> int:
        """Return the memory of a version; read it once, because a published version never changes."""
        key = (target.name, version)
        if key not in self._memory_mb:
            found = self._lambda.get_function_configuration(FunctionName=target.name, Qualifier=version)
            if version == LATEST:
                return found["MemorySize"]
            self._memory_mb[key] = found["MemorySize"]
        return self._memory_mb[key]

    def _provisioned(self, target: TargetFunction) -> int:
        if not target.alias:
            return 0
        try:
            found = self._lambda.get_provisioned_concurrency_config(FunctionName=target.name, Qualifier=target.alias)
        except ClientError as error:
            if error.response["Error"]["Code"] == _NONE_PROVISIONED:
                return 0
            raise
        return found["RequestedProvisionedConcurrentExecutions"]
