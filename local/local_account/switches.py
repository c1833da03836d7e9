"""Switches of the local account: where AWS answers in more than one way, or where no source says how it answers.

This is the one place where they are declared. `Switches()` is an ordinary account; `STRICTEST` is what end-to-end tests
run with. The emulator's adapters and the stand-in read them from a file, so that a test can change one while the
account runs. Rules, which have no switch, are always on. docs/development.md lists both, each with its test.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, Self

FILE_VARIABLE = "LOCAL_ACCOUNT_SWITCHES"

type Unreadable = Literal["InternalError", "PartialData", "Forbidden"]


class UnknownSwitch(ValueError):
    """No switch has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the local account answers."""

    # CloudFormation knows AWS::Lambda::Url; it does not in 14 Regions.
    function_urls: bool = True
    # Seconds after the end of a call until its lines are in its log group.
    late_log_lines_s: float = 0.0
    # Concurrent executions of the account; a new one has 10.
    account_concurrency: int = 1000
    # What becomes of message attributes where MessageStructure is json.
    attributes_with_json: Literal["delivered", "filter only", "neither"] = "delivered"
    # Publish accepts the String.Array `[]`.
    empty_string_array: Literal["accepted", "refused"] = "accepted"
    # A Distributed Map over no items.
    empty_map: Literal["succeeds", "fails"] = "succeeds"
    # Requests a second that Lambda's control plane but GetFunction (100) and Invoke shares: 15, or 0 for no limit.
    lambda_quota: int = 0
    # Status codes of metrics that GetMetricData could not read, by metric name.
    unreadable_metrics: Mapping[str, Unreadable] = field(default_factory=dict)
    # Minutes until a point of a metric can be read.
    late_metrics_minutes: float = 0.0
    # The partition whose resources state machines may name.
    partition: Literal["aws", "aws-cn", "aws-us-gov"] = "aws"
    # Seconds in which a published version with SnapStart is Pending.
    snap_start_s: float = 0.0
    # Minutes in which Lambda's own weights stand on an alias with provisioned concurrency after UpdateAlias.
    alias_transition_minutes: float = 0.0
    # UpdateAlias with weights where the alias has provisioned concurrency.
    weights_beside_provisioned: Literal["allowed", "refused"] = "allowed"
    # A trail records management events; without one, none of CloudTrail's events reaches EventBridge.
    management_trail: bool = True
    # RegisterScalableTarget's trial call names no tagged resource and is refused.
    scalable_target_trial: Literal["tagged", "untagged"] = "tagged"
    # CreateSchedule with an at() that has passed.
    at_in_the_past: Literal["accepted", "refused"] = "accepted"
    # The bytes that DescribeLogGroups reports, as a share of those that a query scans.
    stored_bytes_factor: float = 1.0

    def to_json(self) -> str:
        """Return the document that `from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the switches of a document; raise UnknownSwitch for a name that is none."""
        document = json.loads(text)
        if unknown := set(document) - {one.name for one in fields(cls)}:
            raise UnknownSwitch(f"no such switch: {', '.join(sorted(unknown))}")
        return cls(**document)


# Each switch at its stricter setting, as far as an application can be deployed and run with all of them at once.
# Strict to the exclusion of others, with focused tests of their own: function_urls (no pages, which most tests use),
# account_concurrency (10 environments for all functions at once), unreadable_metrics (nothing could be decided),
# scalable_target_trial (the twin alone shows it: bounds could not be changed at all),
# late_metrics_minutes (an observation that passes in seconds is judged by metrics of minutes that are yet to come),
# partition, management_trail (no event of a deploy).
STRICTEST = Switches(
    late_log_lines_s=1.0,
    attributes_with_json="neither",
    empty_string_array="refused",
    empty_map="fails",
    lambda_quota=15,
    snap_start_s=2.0,
    alias_transition_minutes=0.02,
    weights_beside_provisioned="refused",
    at_in_the_past="refused",
    stored_bytes_factor=0.15,
)


class SwitchFile:
    """The switches of a running account, read again whenever their file has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._switches = Switches()

    @classmethod
    def of_environment(cls) -> Self:
        """Return the file that this process' environment names."""
        return cls(Path(os.environ[FILE_VARIABLE]))

    def read(self) -> Switches:
        """Return the switches as they are set now."""
        found = self.path.stat()
        if (seen := (found.st_ino, found.st_mtime_ns)) != self._seen:
            self._switches = Switches.from_json(self.path.read_text())
            self._seen = seen
        return self._switches

    def write(self, switches: Switches) -> None:
        """Set the switches, for readers in every process at once."""
        partial = self.path.with_suffix(".partial")
        partial.write_text(switches.to_json())
        partial.replace(self.path)
