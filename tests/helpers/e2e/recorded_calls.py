"""Read the API calls that the local account recorded, and find writes to what the application does not own.

The emulator's CloudTrail holds the calls of every Lambda, by access key. It lacks two kinds of calls: those to
CloudWatch and Application Auto Scaling, which the stand-in records, and those of the state machines, which the emulator
makes inside itself; the definition and the history tell these.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local_account.account import LocalAccount

from tests.helpers.e2e.running import Running

# Queries of logs leave nothing behind but their results, and a signature by a key changes nothing.
_READS = re.compile(r"(Get|List|Describe|Head|BatchGet|Query|Scan|FilterLogEvents|StartQuery|StopQuery|GenerateMac)")
_NAMES = frozenset({"TableName", "TopicArn"})
_STAND_IN_KEY = "test"
_SCHEDULED = ("warm_function", "provision_function")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of the application's Lambdas; `on` are the tables, buckets and topics that it names."""

    access_key: str
    service: str
    operation: str
    on: frozenset[str]

    @property
    def writes(self) -> bool:
        """Return whether the call may write: every call that is not known to read counts."""
        return _READS.match(self.operation) is None

    def owned(self, running: Running) -> bool:
        """Return whether it names only the application's own table, bucket and topic, or sends an event to the bus."""
        if (self.service, self.operation) == ("events", "PutEvents"):
            return True
        application = running.application
        own = {
            "dynamodb": {application.table},
            "s3": {application.bucket},
            "sns": {application.topic_arn, application.programs_topic_arn},
        }
        return bool(self.on) and self.on <= own.get(self.service, set())


def configuration(account: LocalAccount, function: str) -> Mapping[str, Any]:
    """Return the configuration of one of the application's functions."""
    found: Mapping[str, Any] = account.session.client("lambda").get_function_configuration(
        FunctionName=f"optimizer-{function}"
    )
    return found


def access_key(account: LocalAccount, function: str) -> str:
    """Return the access key that the emulator gives the environments of a function."""
    known = "{FunctionArn}:{Role}".format(**configuration(account, function))
    return f"ASIA{hashlib.sha256(known.encode()).hexdigest()[:16].upper()}"


def calls_since(account: LocalAccount, since: datetime) -> list[Call]:
    """Return every call of the Lambdas of runs from `since` until now.

    Calls of a test, of the stand-in, or of Lambdas with a schedule of their own are left out, because pings that an
    earlier run has planned come due at any minute.
    """
    others = {account.environment()["AWS_ACCESS_KEY_ID"], _STAND_IN_KEY}
    others |= {access_key(account, function) for function in _SCHEDULED}
    found = [_of_event(event) for event in events_since(account, since)]
    found += [
        Call(made["access_key"], made["service"], made["operation"], frozenset())
        for made in account.stand_in_calls()
        if datetime.fromisoformat(made["at"]) >= since
    ]
    return [call for call in found if call.access_key not in others]


def writes_outside(running: Running, calls: Iterable[Call]) -> set[tuple[str, str]]:
    """Return service and operation of each write outside the application's own resources."""
    return {(call.service, call.operation) for call in calls if call.writes and not call.owned(running)}


def tasks_entered(running: Running, machine: str, entered: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    """Return the Task states of the deployed definition that were entered, by name."""
    definition = json.loads(running.sfn.describe_state_machine(stateMachineArn=machine)["definition"])
    names = set(entered)
    return {name: state for name, state in _states(definition) if state["Type"] == "Task" and name in names}


def _states(machine: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, state in machine["States"].items():
        yield name, state
        for inner in [*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")])]:
            yield from _states(inner)


def events_since(account: LocalAccount, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Return all events that CloudTrail recorded, although LookupEvents returns the newest fifty and no token.

    Each request ends where the last one did. The SDK would cut its times to seconds.
    """
    cloudtrail = account.session.client("cloudtrail")
    asked: dict[str, float] = {"StartTime": since.timestamp()}

    def exactly(params: dict[str, Any], **_: Any) -> None:
        params["body"] = json.dumps({**json.loads(params["body"]), **asked})

    cloudtrail.meta.events.register("before-call.cloudtrail.LookupEvents", exactly)
    seen: set[str] = set()
    while True:
        events = cloudtrail.lookup_events()["Events"]
        new = [event for event in events if event["EventId"] not in seen]
        if not new:
            return
        seen.update(event["EventId"] for event in new)
        yield from new
        asked["EndTime"] = (events[-1]["EventTime"] + timedelta(microseconds=1)).timestamp()


def _of_event(event: Mapping[str, Any]) -> Call:
    service = event["EventSource"].removesuffix(".amazonaws.com")
    parameters = json.loads(event["CloudTrailEvent"])["requestParameters"]
    resources = event.get("Resources", [])
    # For objects that are put into a bucket the content is recorded as parameters; the bucket is the first resource.
    named = {resources[0]["ResourceName"]} if service == "s3" and resources else set(_named(parameters))
    operation = parameters.get("Action") if event["EventName"].startswith("POST.") else None
    return Call(event["AccessKeyId"], service, operation or event["EventName"], frozenset(named))


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _NAMES and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
