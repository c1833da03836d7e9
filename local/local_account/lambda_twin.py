"""Keep Lambda, Application Auto Scaling and EventBridge Scheduler in memory, one function at a time.

The twin follows the rules of the services that a change depends on. Every request and response is validated with
botocore's model of the service.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.validate import ParamValidator

from local_account.switches import Switches

_MODELS = {name: get_session().get_service_model(name) for name in ("lambda", "application-autoscaling", "scheduler")}
_OPERATIONS = {
    service: {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_"): operation
        for operation in model.operation_names
    }
    for service, model in _MODELS.items()
}


# Where nothing else is asked for, what is not certain is refused.
_REFUSING = Switches(weights_beside_provisioned="refused", at_in_the_past="refused")
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class NotLikeLambda(AssertionError):
    """A request or response that the service does not know, or a write that it would reject."""


class Twin:
    """One function behind an alias. `switches` says how the services answer where they answer in more than one way.

    `after_call(n)` runs after the n-th call of any kind, `on_route` after a change of the alias or its provisioned
    concurrency.
    """

    def __init__(
        self,
        name: str = "orders",
        memory_mb: int = 1024,
        alias: str = "live",
        switches: Switches = _REFUSING,
        region: str = "eu-west-1",
    ) -> None:
        self.name, self.alias_name = name, alias
        self.arn = f"arn:aws:lambda:{region}:123456789012:function:{name}"
        self.on_route: Callable[[], None] = _nothing
        self.calls: list[str] = []
        self.after_call: Callable[[int], None] = _nothing
        self.revision = 0
        self.updating = 0
        self.latest: dict[str, Any] = {"CodeSha256": "code-1", "MemorySize": memory_mb, "Timeout": 3, "Description": ""}
        self.versions: dict[str, dict[str, Any]] = {"1": dict(self.latest)}
        self.alias: dict[str, Any] = {"version": "1", "weights": {}, "revision": "a0"}
        self.provisioned: dict[str, Any] | None = None
        self.allocating = 0
        self.allocation_fails_from: int | None = None
        self.bounds: list[int] | None = None
        self.tracked = True
        self.actions: dict[str, dict[str, Any]] = {}
        self.schedules: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, str] = {}
        self.latest_revision = "l0"
        self.clock: Callable[[], datetime] = _now
        self.switches = switches
        # Provisioned concurrency held by other aliases and by versions: holder to environments.
        self.others: dict[str, int] = {}
        self.aliases_of_others: dict[str, str] = {}
        self._leaving: tuple[str, datetime] | None = None
        self._pending: dict[str, datetime] = {}

    def client(self, service: str) -> "TwinClient":
        """Return a stand-in for a boto3 client that serves this function alone."""
        return TwinClient({self.name: self}, service)

    def called(self, name: str) -> None:
        """Count a call of this name, including those of the store."""
        self.calls.append(name)
        self.after_call(len(self.calls))

    def touch(self) -> None:
        """Give $LATEST another revision."""
        self.revision += 1
        self.latest_revision = f"l{self.revision}"

    # What the team does.

    def team_updates_code(self) -> None:
        """Change code without releasing it."""
        self.latest["CodeSha256"] = "code-2"
        self.touch()

    def team_deploys(self) -> None:
        """Release a version, as a deployment of the team does."""
        self.team_updates_code()
        self.alias = {"version": self._publish(), "weights": {}, "revision": f"team{self.revision}"}

    def codedeploy_starts(self, share: float = 0.1) -> None:
        """Shift a share of the traffic to a new version, whatever the alias was given before."""
        self.team_updates_code()
        self.alias = {
            "version": self.alias["version"],
            "weights": {self._publish(): share},
            "revision": f"deploy{self.revision}",
        }
        self._leaving = None

    def codedeploy_ends(self) -> None:
        """Point the alias at the newest version with the team's code."""
        newest = max((v for v, c in self.versions.items() if c["CodeSha256"] == "code-2"), key=int)
        self.revision += 1
        self.alias = {"version": newest, "weights": {}, "revision": f"deploy{self.revision}"}

    def team_sets_timeout(self) -> None:
        """Change the configuration without releasing it."""
        self.latest["Timeout"] = 30
        self.touch()

    def _publish(self, description: str = "") -> str:
        newest = self.versions[max(self.versions, key=int)]
        content = {key: value for key, value in self.latest.items() if key != "Description"}
        if {key: value for key, value in newest.items() if key != "Description"} == content:
            return max(self.versions, key=int)
        version = str(len(self.versions) + 1)
        self.versions[version] = {**self.latest, "Description": description}
        self._pending[version] = self.clock() + timedelta(seconds=self._pending_s())
        return version

    def _pending_s(self) -> float:
        snap_start = self.latest.get("SnapStart", {}).get("ApplyOn", "None") != "None"
        return self.switches.snap_start_s if snap_start else 0.0

    # The service.

    def get_function_configuration(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:  # noqa: N803
        version = self.alias["version"] if Qualifier == self.alias_name else Qualifier
        values = self.latest if Qualifier == "$LATEST" else self.versions.get(version)
        if values is None:
            raise error("ResourceNotFoundException", "GetFunctionConfiguration")
        if Qualifier == "$LATEST" and self.updating:
            self.updating -= 1
            if not self.updating:
                self.touch()
        busy = Qualifier == "$LATEST" and self.updating
        pending = Qualifier != "$LATEST" and self.clock() < self._pending.get(version, _LONG_AGO)
        return {
            **values,
            "FunctionName": FunctionName,
            "FunctionArn": f"{self.arn}:{Qualifier}",
            "Version": version,
            "RevisionId": self.latest_revision if Qualifier == "$LATEST" else f"v{Qualifier}",
            "State": "Pending" if pending else "Active",
            "LastUpdateStatus": "InProgress" if busy else "Successful",
        }

    def get_function(self, FunctionName: str, Qualifier: str = "$LATEST") -> dict[str, Any]:  # noqa: N803
        try:
            configuration = self.get_function_configuration(FunctionName, Qualifier)
        except ClientError as missing:
            raise error("ResourceNotFoundException", "GetFunction") from missing
        return {"Configuration": configuration, "Tags": dict(self.tags)}

    def list_provisioned_concurrency_configs(self, **_: Any) -> dict[str, Any]:
        found = [_config(f"{self.arn}:{holder}", environments, "READY") for holder, environments in self.others.items()]
        if self.provisioned is not None:
            self._go_on_allocating()
            own = _config(f"{self.arn}:{self.alias_name}", self.provisioned["requested"], self.provisioned["status"])
            found.append(own)
        return {"ProvisionedConcurrencyConfigs": found}

    def list_aliases(self, **_: Any) -> dict[str, Any]:
        return {"Aliases": [{"Name": self.alias_name}] if self.alias_name else []}

    def get_alias(self, Name: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        if Name in self.aliases_of_others:
            return {"FunctionVersion": self.aliases_of_others[Name], "RevisionId": "other"}
        if not self.alias_name:
            raise error("ResourceNotFoundException", "GetAlias")
        self._end_transition()
        return {
            "FunctionVersion": self.alias["version"],
            "RevisionId": self.alias["revision"],
            "RoutingConfig": {"AdditionalVersionWeights": dict(self.alias["weights"])},
        }

    def get_provisioned_concurrency_config(self, **_: Any) -> dict[str, Any]:
        if self.provisioned is None:
            raise error("ProvisionedConcurrencyConfigNotFoundException", "GetProvisionedConcurrencyConfig")
        self._go_on_allocating()
        return {
            "RequestedProvisionedConcurrentExecutions": self.provisioned["requested"],
            "Status": self.provisioned["status"],
        }

    def _go_on_allocating(self) -> None:
        self._end_transition()
        if not self.allocating or self._leaving is not None or self.provisioned is None:
            return
        self.allocating -= 1
        if not self.allocating:
            limit = self.allocation_fails_from
            failed = limit is not None and self.provisioned["requested"] >= limit
            self.provisioned["status"] = "FAILED" if failed else "READY"

    def _end_transition(self) -> None:
        """Take Lambda's own weight off the alias once its environments are ready."""
        if self._leaving is None or self.clock() < self._leaving[1]:
            return
        self._leaving = None
        self.revision += 1
        self.alias |= {"weights": {}, "revision": f"moved{self.revision}"}
        if self.provisioned is not None:
            self.provisioned["status"], self.allocating = "READY", 0
        self.on_route()

    def list_tags(self, **_: Any) -> dict[str, Any]:
        return {"Tags": self.tags}

    def get_function_concurrency(self, **_: Any) -> dict[str, Any]:
        return {}

    def list_versions_by_function(self, **_: Any) -> dict[str, Any]:
        return {"Versions": [{"Version": v, "Description": c["Description"]} for v, c in self.versions.items()]}

    def update_function_configuration(self, MemorySize: int, RevisionId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._check(RevisionId, self.latest_revision, "UpdateFunctionConfiguration")
        if self.updating:
            raise error("ResourceConflictException", "UpdateFunctionConfiguration")
        self.latest["MemorySize"] = MemorySize
        self.updating = 2
        self.touch()
        return {}

    def publish_version(self, CodeSha256: str, RevisionId: str, Description: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._check(RevisionId, self.latest_revision, "PublishVersion")
        if self.updating:
            raise error("ResourceConflictException", "PublishVersion")
        if CodeSha256 != self.latest["CodeSha256"]:
            raise error("InvalidParameterValueException", "PublishVersion")
        return {"Version": self._publish(Description)}

    def update_alias(
        self,
        FunctionVersion: str,  # noqa: N803
        RevisionId: str,  # noqa: N803
        RoutingConfig: Mapping[str, Any],  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        self._check(RevisionId, self.alias["revision"], "UpdateAlias")
        moved = FunctionVersion != self.alias["version"]
        weights = dict(RoutingConfig["AdditionalVersionWeights"])
        if FunctionVersion in weights:
            raise error("InvalidParameterValueException", "UpdateAlias")
        if weights and self.provisioned and self.switches.weights_beside_provisioned == "refused":
            raise error("InvalidParameterValueException", "UpdateAlias")
        before, self._leaving = self.alias["version"], None
        self.revision += 1
        self.alias = {"version": FunctionVersion, "weights": weights, "revision": f"a{self.revision}"}
        if moved and self.provisioned:
            self.provisioned["status"], self.allocating = "IN_PROGRESS", 2
            if self.switches.alias_transition_minutes and not weights:
                until = self.clock() + timedelta(minutes=self.switches.alias_transition_minutes)
                self._leaving, self.alias["weights"] = (before, until), {before: 1.0}
        self.on_route()
        return {}

    def put_provisioned_concurrency_config(self, ProvisionedConcurrentExecutions: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._end_transition()
        if self.alias["weights"]:
            raise error("InvalidParameterValueException", "PutProvisionedConcurrencyConfig")
        version = self.alias["version"]
        if any(self.aliases_of_others.get(holder, holder) == version for holder in self.others):
            raise error("ResourceConflictException", "PutProvisionedConcurrencyConfig")
        self.provisioned = {"requested": ProvisionedConcurrentExecutions, "status": "IN_PROGRESS"}
        self.allocating = 2
        self.on_route()
        return {}

    def delete_provisioned_concurrency_config(self, **_: Any) -> dict[str, Any]:
        self.provisioned = None
        self.on_route()
        return {}

    def describe_scalable_targets(self, **_: Any) -> dict[str, Any]:
        if self.bounds is None:
            return {"ScalableTargets": []}
        target = {
            "ServiceNamespace": "lambda",
            "ResourceId": f"function:{self.name}:{self.alias_name}",
            "ScalableDimension": "lambda:function:ProvisionedConcurrency",
            "MinCapacity": self.bounds[0],
            "MaxCapacity": self.bounds[1],
            "RoleARN": "arn:aws:iam::123456789012:role/scaling",
            "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        }
        return {"ScalableTargets": [target]}

    def register_scalable_target(self, MinCapacity: int, MaxCapacity: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.switches.scalable_target_trial == "untagged":
            raise error("ValidationException", "RegisterScalableTarget")
        self.bounds = [MinCapacity, MaxCapacity]
        return {}

    def describe_scaling_policies(self, **_: Any) -> dict[str, Any]:
        return {"ScalingPolicies": [{"PolicyName": "utilisation"}] if self.tracked else []}

    def describe_scheduled_actions(self, **_: Any) -> dict[str, Any]:
        return {"ScheduledActions": [{"ScheduledActionName": name} for name in sorted(self.actions)]}

    def put_scheduled_action(self, ScheduledActionName: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        if self.bounds is None:
            raise error("ObjectNotFoundException", "PutScheduledAction")
        self.actions[ScheduledActionName] = request
        return {}

    def delete_scheduled_action(self, ScheduledActionName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.actions.pop(ScheduledActionName, None) is None:
            raise error("ObjectNotFoundException", "DeleteScheduledAction")
        return {}

    def list_schedules(self, NamePrefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"Schedules": [{"Name": name} for name in sorted(self.schedules) if name.startswith(NamePrefix)]}

    def get_schedule(self, Name: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Name not in self.schedules:
            raise error("ResourceNotFoundException", "GetSchedule")
        known = ("Name", "ScheduleExpression", "ScheduleExpressionTimezone", "Target")
        return {key: self.schedules[Name][key] for key in known}

    def create_schedule(self, Name: str, **request: Any) -> dict[str, Any]:  # noqa: N803
        if Name in self.schedules:
            raise error("ConflictException", "CreateSchedule")
        if self.switches.at_in_the_past == "refused" and has_passed(request, self.clock()):
            raise error("ValidationException", "CreateSchedule")
        self.schedules[Name] = {"Name": Name, **request}
        return {"ScheduleArn": f"arn:aws:scheduler:eu-west-1:123456789012:schedule/timetables/{Name}"}

    def delete_schedule(self, Name: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if self.schedules.pop(Name, None) is None:
            raise error("ResourceNotFoundException", "DeleteSchedule")
        return {}

    def _check(self, given: str, current: str, operation: str) -> None:
        if given != current:
            raise error("PreconditionFailedException", operation)


@dataclass(frozen=True, slots=True)
class TwinClient:
    """The used part of a boto3 client; the function is found by the request's name, ARN or resource."""

    twins: Mapping[str, Twin]
    service: str

    def __getattr__(self, name: str) -> Callable[..., Any]:
        model = _MODELS[self.service].operation_model(_OPERATIONS[self.service][name])

        def call(**request: Any) -> Any:
            if model.input_shape is None:
                raise NotLikeLambda(f"{name} takes no request")
            problems = ParamValidator().validate(request, model.input_shape)
            if problems.has_errors():
                raise NotLikeLambda(problems.generate_report())
            # The name of a schedule identifies the function by its first characters only.
            named = self.service != "scheduler"
            twin = self.twins[_function_name(request)] if named else next(iter(self.twins.values()))
            answer = getattr(twin, name)(**request)
            unknown = set(answer) - set(model.output_shape.members if model.output_shape else ())
            if unknown:
                raise NotLikeLambda(f"{name} answers {unknown}")
            twin.called(name)
            return answer

        return call

    def get_paginator(self, name: str) -> "_Paginator":
        """Return a paginator whose only page is the complete response."""
        return _Paginator(self, name)


@dataclass(frozen=True, slots=True)
class _Paginator:
    client: TwinClient
    name: str

    def paginate(self, **request: Any) -> list[Any]:
        return [getattr(self.client, self.name)(**request)]


def _nothing(*_: int) -> None:
    """Do nothing; a function of the module, so that a Twin can be copied and stored."""


def _now() -> datetime:
    return datetime.now(UTC)


def has_passed(schedule: Mapping[str, Any], now: datetime) -> bool:
    """Return True for a one-time schedule whose time is over."""
    expression = schedule["ScheduleExpression"]
    if not expression.startswith("at("):
        return False
    zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone", "UTC"))
    return datetime.fromisoformat(expression[3:-1]).replace(tzinfo=zone) <= now


def _config(arn: str, environments: int, status: str) -> dict[str, Any]:
    return {"FunctionArn": arn, "RequestedProvisionedConcurrentExecutions": environments, "Status": status}


def error(code: str, operation: str) -> ClientError:
    """Return the error that boto3 raises."""
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def _function_name(request: Mapping[str, Any]) -> str:
    if "FunctionName" in request:
        return str(request["FunctionName"])
    if "Resource" in request:
        return str(request["Resource"]).rpartition(":")[2]
    resource = request["ResourceIds"][0] if "ResourceIds" in request else request["ResourceId"]
    return str(resource).split(":")[1]
