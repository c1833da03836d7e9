"""Reads the Lambda functions of the account, and makes the few writes that change them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from botocore.exceptions import ClientError

from optimizer.aws import ApplicationAutoScalingClient, LambdaClient, configuration_of, refuses_pings
from optimizer.capacity.live_function import (
    LATEST,
    SCALABLE_DIMENSION,
    USUAL_STORAGE_MB,
    LiveFunction,
    NoSuchAlias,
    NoSuchFunction,
    Placed,
    ProvisionedConfig,
    Scaling,
    Version,
)
from optimizer.core import OptimizerError, canonical_json, ping_advice

# The parts of a configuration that a version freezes and that people decide, without the memory size.
_CONTENT = (
    "CodeSha256", "Runtime", "Role", "Handler", "Timeout", "VpcConfig", "DeadLetterConfig", "Environment",
    "KMSKeyArn", "TracingConfig", "Layers", "PackageType", "ImageConfigResponse", "Architectures",
    "FileSystemConfigs", "EphemeralStorage", "LoggingConfig", "CapacityProviderConfig", "DurableConfig",
    "TenancyConfig",
)  # fmt: skip

# The most that DescribeScalableTargets takes, and the length of one page of its answer.
_RESOURCES_A_CALL = 50


class Raced(OptimizerError, RuntimeError):
    """Somebody else changed the function between reading and writing; nothing was written."""


class WriteRefused(OptimizerError, RuntimeError):
    """Lambda or Application Auto Scaling refused a write for good; the message has its reason."""


class TagsUnreadable(OptimizerError, RuntimeError):
    """The tags of a function, which tell its owner, could not be read."""


class Timetables(Protocol):
    """The place that timetables are put into."""

    def read(self, function_arn: str, alias: str, *, scaled: bool) -> Placed:
        """Return what is in place for an alias. scaled: Application Auto Scaling has a target for it."""


class LambdaAccount:
    """The Lambda functions of the account behind their alias; with `timetables`, those that are in place, too."""

    def __init__(
        self,
        functions: "LambdaClient",
        scaling: "ApplicationAutoScalingClient",
        timetables: Timetables | None = None,
    ) -> None:
        self._lambda = functions
        self._scaling = scaling
        self._timetables = timetables

    def read(
        self,
        function_name: str,
        alias: str,
        *,
        owners: bool = False,
        timetables: bool = False,
        routing: bool = True,
    ) -> LiveFunction:
        """Return the live state; raise NoSuchFunction or NoSuchAlias.

        alias: `$LATEST` for a function that is called without one. owners: the tags must be readable. timetables: read
        the timetables in place, too. routing: read the weights and the revision of the alias, which takes a call more
        of the quota that all callers of Lambda's control plane share; `with_routing` reads them later.
        """
        answer = self._function(function_name)
        configuration = configuration_of(answer)
        arn = configuration["FunctionArn"].removesuffix(f":{LATEST}")
        log_group = (configuration.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function_name}"
        latest = version_of(configuration)
        known = LiveFunction(
            function_name=function_name,
            alias=LATEST,
            alias_version=LATEST,
            alias_revision="",
            weights={},
            latest=latest,
            version=latest,
            tags=_tags(function_name, answer) if owners else {},
            reserved=(answer.get("Concurrency") or {}).get("ReservedConcurrentExecutions"),
            log_group=log_group,
            function_arn=arn,
        )
        if alias == LATEST:
            return known
        routed = self._routed(known, alias) if routing else self._at_alias(known, alias)
        # Read after the alias: while Lambda moves an alias, what is provisioned may be ready before its weights go.
        provisioned, elsewhere = self._provisioned(function_name, alias, routed.alias_version)
        scaling = self._bounds(function_name, alias)
        placed = None
        if timetables and self._timetables is not None:
            placed = self._timetables.read(known.function_arn, alias, scaled=scaling is not None)
        return replace(routed, provisioned=provisioned, scaling=scaling, placed=placed, held_elsewhere=elsewhere)

    def with_routing(self, live: LiveFunction) -> LiveFunction:
        """Return the function with the weights and the revision of its alias; raise NoSuchAlias if it is gone."""
        return self._routed(live, live.alias)

    def _routed(self, known: LiveFunction, alias: str) -> LiveFunction:
        answer = self._alias(known.function_name, alias)
        version = answer["FunctionVersion"]
        routing = answer.get("RoutingConfig") or {}
        return replace(
            known,
            alias=alias,
            alias_version=version,
            alias_revision=answer.get("RevisionId", ""),
            weights=dict(routing.get("AdditionalVersionWeights") or {}),
            version=known.version if known.version.name == version else self.version(known.function_name, version),
        )

    def _at_alias(self, known: LiveFunction, alias: str) -> LiveFunction:
        try:
            version = self.version(known.function_name, alias)
        except (NoSuchFunction, ClientError) as missing:
            # A right that is bound to a tag may not extend to what does not exist; the function itself was just read.
            if isinstance(missing, ClientError) and _code(missing) != "AccessDeniedException":
                raise
            raise NoSuchAlias(f"{known.function_name} has no alias {alias}") from missing
        return replace(known, alias=alias, alias_version=version.name, version=version)

    def has_aliases(self, function_name: str) -> bool:
        """Return True for a function with an alias; one without is called as $LATEST or by the number of a version."""
        return bool(self._lambda.list_aliases(FunctionName=function_name, MaxItems=1)["Aliases"])

    def version(self, function_name: str, version: str) -> Version:
        """Return one version; raise NoSuchFunction if it no longer exists."""
        return version_of(configuration_of(self._function(function_name, version)))

    def find_version(self, function_name: str, description: str) -> str | None:
        """Return the newest version published with this description, or None."""
        pages = self._lambda.get_paginator("list_versions_by_function").paginate(FunctionName=function_name)
        found = [
            int(version["Version"])
            for page in pages
            for version in page["Versions"]
            if version["Version"].isdigit() and version.get("Description") == description
        ]
        return str(max(found)) if found else None

    def set_memory(self, live: LiveFunction, memory_mb: int) -> None:
        """Set the memory size of $LATEST; raise Raced if it is no longer as it was read."""
        with _Racing(live.function_name):
            self._lambda.update_function_configuration(
                FunctionName=live.function_name, MemorySize=memory_mb, RevisionId=live.latest.revision
            )

    def publish(self, live: LiveFunction, description: str) -> str:
        """Publish $LATEST and return the version; raise Raced if it is no longer as it was read."""
        with _Racing(live.function_name):
            answer = self._lambda.publish_version(
                FunctionName=live.function_name,
                CodeSha256=live.latest.code_sha256,
                RevisionId=live.latest.revision,
                Description=description,
            )
        return answer["Version"]

    def route(self, live: LiveFunction, version: str, weights: Mapping[str, float]) -> None:
        """Point the alias at the version and weights; raise Raced if it is no longer as it was read."""
        with _Racing(live.function_name):
            self._lambda.update_alias(
                FunctionName=live.function_name,
                Name=live.alias,
                FunctionVersion=version,
                RoutingConfig={"AdditionalVersionWeights": dict(weights)},
                RevisionId=live.alias_revision,
            )

    def provision(self, live: LiveFunction, environments: int) -> None:
        """Set the provisioned concurrency of the alias; zero removes it."""
        with _Racing(live.function_name):
            if environments == 0:
                self._lambda.delete_provisioned_concurrency_config(
                    FunctionName=live.function_name, Qualifier=live.alias
                )
            else:
                self._lambda.put_provisioned_concurrency_config(
                    FunctionName=live.function_name,
                    Qualifier=live.alias,
                    ProvisionedConcurrentExecutions=environments,
                )

    def scale(self, live: LiveFunction, bounds: Scaling) -> None:
        """Set the bounds of the alias' scaling target."""
        # Application Auto Scaling first tries calls of Lambda with the caller's rights, and refuses where one fails.
        with _Racing(live.function_name):
            self._scaling.register_scalable_target(
                ServiceNamespace="lambda",
                ResourceId=f"function:{live.function_name}:{live.alias}",
                ScalableDimension=SCALABLE_DIMENSION,
                MinCapacity=bounds.minimum,
                MaxCapacity=bounds.maximum,
            )

    def _function(self, function_name: str, version: str = LATEST) -> Mapping[str, Any]:
        """Return configuration, tags and reserved concurrency in one call, which has a quota of its own."""
        qualifier = {} if version == LATEST else {"Qualifier": version}
        try:
            return self._lambda.get_function(FunctionName=function_name, **qualifier)
        except ClientError as error:
            if _code(error) == "ResourceNotFoundException":
                raise NoSuchFunction(f"{function_name} has no version {version}") from error
            raise

    def _alias(self, function_name: str, alias: str) -> Mapping[str, Any]:
        try:
            return self._lambda.get_alias(FunctionName=function_name, Name=alias)
        except ClientError as error:
            if _code(error) == "ResourceNotFoundException":
                raise NoSuchAlias(f"{function_name} has no alias {alias}") from error
            raise

    def _provisioned(
        self, function_name: str, alias: str, version: str
    ) -> tuple[ProvisionedConfig | None, tuple[str, ...]]:
        """Return what the alias holds, and who else holds provisioned concurrency of its version, in words."""
        own, elsewhere = None, []
        pages = self._lambda.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName=function_name)
        for page in pages:
            for found in page["ProvisionedConcurrencyConfigs"]:
                holder = found["FunctionArn"].rpartition(":")[2]
                if holder == alias:
                    own = ProvisionedConfig(
                        found["RequestedProvisionedConcurrentExecutions"],
                        found["Status"],
                        found.get("StatusReason", ""),
                    )
                elif holder == version:
                    elsewhere.append(f"version {version} itself")
                elif not holder.isdigit() and self._alias(function_name, holder)["FunctionVersion"] == version:
                    elsewhere.append(f"alias {holder}")
        return own, tuple(elsewhere)

    def scaled(self, aliases: Iterable[tuple[str, str]]) -> set[str]:
        """Return the names of the functions that have a scaling target. aliases: pairs of a name and an alias."""
        resources = [f"function:{name}:{alias}" for name, alias in aliases]
        found: set[str] = set()
        for at in range(0, len(resources), _RESOURCES_A_CALL):
            targets = self._scaling.describe_scalable_targets(
                ServiceNamespace="lambda",
                ResourceIds=resources[at : at + _RESOURCES_A_CALL],
                ScalableDimension=SCALABLE_DIMENSION,
            )["ScalableTargets"]
            found.update(target["ResourceId"].split(":")[1] for target in targets)
        return found

    def _bounds(self, function_name: str, alias: str) -> Scaling | None:
        targets = self._scaling.describe_scalable_targets(
            ServiceNamespace="lambda",
            ResourceIds=[f"function:{function_name}:{alias}"],
            ScalableDimension=SCALABLE_DIMENSION,
        )["ScalableTargets"]
        return Scaling(targets[0]["MinCapacity"], targets[0]["MaxCapacity"]) if targets else None


def version_of(configuration: Mapping[str, Any]) -> Version:
    """Return the Version of an answer of GetFunctionConfiguration."""
    content = {name: configuration[name] for name in _CONTENT if configuration.get(name)}
    # The rest of SnapStart is set by Lambda at publishing time and says nothing about what the team released.
    snap_start = (configuration.get("SnapStart") or {}).get("ApplyOn", "None")
    content["SnapStart"] = snap_start
    if "Error" in (configuration.get("Environment") or {}):
        # Variables that cannot be read (their key is not ours) cannot be compared with any others.
        content["Unreadable"] = configuration["Version"]
    state, update = configuration.get("State", "Active"), configuration.get("LastUpdateStatus", "Successful")
    return Version(
        name=configuration["Version"],
        memory_mb=configuration["MemorySize"],
        code_sha256=configuration["CodeSha256"],
        content=hashlib.sha256(canonical_json.dumps(content).encode()).hexdigest(),
        revision=configuration.get("RevisionId", ""),
        settled=update == "Successful" and state in ("Active", "Inactive"),
        failed=update == "Failed" or state == "Failed",
        architecture=(configuration.get("Architectures") or ["x86_64"])[0],
        storage_mb=(configuration.get("EphemeralStorage") or {}).get("Size", USUAL_STORAGE_MB),
        package_type=configuration.get("PackageType", "Zip"),
        snap_start=snap_start != "None",
        managed_instances=bool(configuration.get("CapacityProviderConfig")),
        durable=bool(configuration.get("DurableConfig")),
        tenant_isolation=bool(configuration.get("TenancyConfig")),
        refuses_pings=refuses_pings(configuration),
        ping_advice=ping_advice(configuration),
        timeout_s=configuration.get("Timeout"),
        runtime=configuration.get("Runtime") or "",
        has_file_system=bool(configuration.get("FileSystemConfigs")),
    )


def _tags(function_name: str, answer: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the tags of an answer of GetFunction, which leaves them out where lambda:ListTags is missing."""
    problem = answer.get("TagsError")
    if problem:
        raise TagsUnreadable(f"the tags of {function_name} cannot be read: {problem.get('Message') or problem}")
    return answer.get("Tags") or {}


_RACED = frozenset({"PreconditionFailedException", "ResourceConflictException"})
_REFUSED = frozenset({"InvalidParameterValueException", "ValidationException"})


class _Racing:
    """Turns the rejection of an outdated or colliding write into Raced, and that of an impossible one into
    WriteRefused."""

    def __init__(self, function_name: str) -> None:
        self._function_name = function_name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, ClientError):
            return
        if _code(error) in _RACED:
            raise Raced(f"{self._function_name} was changed by somebody else at the same moment") from error
        if _code(error) in _REFUSED:
            message = error.response["Error"].get("Message", "")
            raise WriteRefused(f"AWS refused {error.operation_name} of {self._function_name}: {message}") from error


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]
