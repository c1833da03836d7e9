"""Obstacles to changing a function's capacity: another owner, another deployment, an unfit kind. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.capacity.live_function import LATEST, LiveFunction
from optimizer.core import Replaced, Tuner

_STACK_TAG = "aws:cloudformation:stack-name"
_LOGICAL_ID_TAG = "aws:cloudformation:logical-id"
_TERRAFORM_TAGS = ("terraform", "tf:workspace", "tfc:workspace")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason that a change cannot be applied. owner: another place decides, and `message` names the line there."""

    rule: str
    message: str
    owner: bool = False


def obstacle(tuner: Tuner, live: LiveFunction, memory_mb: int | None = None) -> Obstacle | None:
    """Return the first obstacle, or None. memory_mb: the wanted size, for the template line."""
    checks = _MEMORY if tuner is Tuner.MEMORY else _PROVISIONED
    return next((found for check in checks if (found := check(live, memory_mb))), None)


def scheduling_hindrance(live: LiveFunction) -> Obstacle | None:
    """Return the obstacle to a timetable, or None."""
    if live.placed is None:
        return Obstacle("timetable.unknown", "The schedules in place for the alias were not read.")
    if live.placed.team_actions:
        names = ", ".join(live.placed.team_actions)
        return Obstacle(
            "timetable.actions", f"Scheduled actions of the team move its provisioned concurrency: {names}."
        )
    if live.scaling is not None and not live.placed.tracked:
        return Obstacle(
            "timetable.untracked", "Its scaling target has no scaling policy that gives environments back; add one."
        )
    return None


def _cloudformation(live: LiveFunction, memory_mb: int | None) -> Obstacle | None:
    resource = live.tags.get(_LOGICAL_ID_TAG, live.function_name)
    line = f"MemorySize: {memory_mb}" if memory_mb else "MemorySize"
    return _stack_owner(live, "memory size", f"{line} of {resource}")


def _stack_owner(live: LiveFunction, setting: str, line: str) -> Obstacle | None:
    stack = live.tags.get(_STACK_TAG)
    if stack is None:
        return None
    message = f"Stack {stack} owns the {setting} and would overwrite it; change {line} in its template."
    return Obstacle("owner.cloudformation", message, owner=True)


def _terraform(live: LiveFunction, memory_mb: int | None) -> Obstacle | None:
    line = f"memory_size = {memory_mb}" if memory_mb else "memory_size"
    return _terraform_owner(live, "memory size", f"{line} of the aws_lambda_function")


def _terraform_owner(live: LiveFunction, setting: str, line: str) -> Obstacle | None:
    by = [f"{k}={v}" for k, v in live.tags.items() if k.lower() in _TERRAFORM_TAGS or v.lower() == "terraform"]
    if not by:
        return None
    message = f"Terraform owns the {setting} (tag {by[0]}) and would overwrite it; change {line} in its configuration."
    return Obstacle("owner.terraform", message, owner=True)


def set_elsewhere(live: LiveFunction, replaced: Replaced | None, memory_mb: int) -> Obstacle | None:
    """Return the obstacle that somebody deploys a size again that we have replaced, or None.

    A deployment that is rolled back to an earlier version brings its size with it, and tells nothing."""
    if replaced is None or str(live.version.memory_mb) not in replaced.values:
        return None
    name, planned_on = live.version.name, str(replaced.change.before["version"])
    if name.isdigit() and planned_on.isdigit() and int(name) <= int(planned_on):
        return None
    return Obstacle(
        "owner.elsewhere",
        f"{live.version.memory_mb} MB is set again, though {replaced.change.after['memory_mb']} MB was kept on "
        f"{replaced.at:%Y-%m-%d}: another tool or team owns the memory size; set {memory_mb} MB there.",
        owner=True,
    )


def _provisioned_owner(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    # A scaling target's bounds are what the tool changes instead; without one, only what a template already set.
    # A timetable in place was applied by us.
    if live.scaling is not None or live.provisioned is None or live.plans:
        return None
    setting = "provisioned concurrency of the alias"
    return _stack_owner(live, setting, "ProvisionedConcurrencyConfig") or _terraform_owner(
        live, setting, "aws_lambda_provisioned_concurrency_config"
    )


def _shifting(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if live.leaving:
        return Obstacle(
            "deploy.environments",
            f"Lambda is moving alias {live.alias} from version {live.leaving} to {live.alias_version} and prepares its "
            f"provisioned environments; the next run looks again.",
        )
    if not live.weights:
        return None
    versions = ", ".join(sorted(live.weights))
    return Obstacle("deploy.weights", f"A deployment is shifting traffic of alias {live.alias} to version {versions}.")


def _latest_alias(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if live.alias == LATEST or live.alias_version != LATEST:
        return None
    return Obstacle("alias.latest", f"Alias {live.alias} points at $LATEST; point it at a version.")


def _unreleased(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    latest, version = live.latest, live.version
    if latest.code_sha256 != version.code_sha256:
        what = "code"
    elif latest.content != version.content:
        what = "configuration"
    elif latest.memory_mb != version.memory_mb:
        what = f"a memory size of {latest.memory_mb} MB"
    else:
        return None
    return Obstacle(
        "deploy.unreleased",
        f"$LATEST holds {what} that version {version.name} does not have, and publishing would release it.",
    )


def _container_image(live: LiveFunction, memory_mb: int | None) -> Obstacle | None:
    if live.version.package_type != "Image":
        return None
    size = f" to {memory_mb} MB" if memory_mb else ""
    message = f"The function is a container image; change its MemorySize{size} where the image is deployed."
    return Obstacle("kind.image", message, owner=True)


def _snap_start(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if not live.version.snap_start:
        return None
    return Obstacle("kind.snap_start", "SnapStart is on, which excludes provisioned concurrency.")


def _managed_instances(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if not live.version.managed_instances:
        return None
    return Obstacle(
        "kind.managed_instances", "The function runs on managed instances, which are priced and scaled differently."
    )


def _durable(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if not live.version.durable:
        return None
    return Obstacle(
        "kind.durable",
        "The function is durable: one execution takes many calls, so that durations of calls cannot be compared.",
    )


def _tenants(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if not live.version.tenant_isolation:
        return None
    return Obstacle("kind.tenants", "Tenant isolation is on, which excludes provisioned concurrency.")


def held_elsewhere(live: LiveFunction) -> str:
    """Return who else holds provisioned concurrency of the alias' version, as a sentence; empty if nobody does."""
    if not live.held_elsewhere:
        return ""
    return (
        f"Provisioned concurrency of version {live.alias_version} is held by {' and '.join(live.held_elsewhere)}; a "
        f"version can have it only once."
    )


def _held_elsewhere(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    reason = held_elsewhere(live)
    return Obstacle("provisioned.elsewhere", reason) if reason else None


def _busy(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if live.latest.settled:
        return None
    return Obstacle("deploy.updating", "$LATEST is being updated; the next run looks again.")


type _Check = Callable[[LiveFunction, int | None], Obstacle | None]


def _without_alias(live: LiveFunction, _memory_mb: int | None) -> Obstacle | None:
    if live.alias != LATEST:
        return None
    return Obstacle(
        "alias.none", "The function is called without an alias, and only an alias or a version can be provisioned."
    )


_KIND: tuple[_Check, ...] = (_latest_alias, _shifting, _managed_instances, _durable)
_MEMORY: tuple[_Check, ...] = (*_KIND, _unreleased, _busy, _cloudformation, _terraform, _container_image)
_PROVISIONED: tuple[_Check, ...] = (_without_alias, *_KIND, _snap_start, _tenants, _held_elsewhere, _provisioned_owner)
