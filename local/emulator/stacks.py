"""Fail stacks that CloudFormation fails.

MiniStack 1.5.33 overwrites schedules, log groups and functions that exist, forgets the reserved concurrency of a
function and the time zone of a schedule, and knows every type of resource in every Region.

- A name that exists fails the stack: names of schedules are unique within their group (EventBridge Scheduler API
  reference, CreateSchedule: ConflictException), those of log groups and functions within account and Region.
- A function name has at most 64 characters (Lambda API reference, CreateFunction).
- AWS::Lambda::Url is unknown in Regions without function URLs (cfn-lint's registry of types by Region): switch
  `function_urls`.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc, scheduler
from ministack.services.cloudformation import provisioners
from switched import switches

LONGEST_FUNCTION_NAME = 64
_URL = "AWS::Lambda::Url"

type Provisioned = tuple[str, dict[str, Any]]
type Create = Callable[[str, dict[str, Any], str], Provisioned]


class Handlers(dict[str, Any]):
    """The provisioners by type of resource, without types that the Region does not have."""

    def __contains__(self, kind: object) -> bool:
        return super().__contains__(kind) and not (kind == _URL and not switches().function_urls)


def patch() -> None:
    """Replace how the emulator creates the resources of a stack."""
    handlers = provisioners._RESOURCE_HANDLERS
    handlers["AWS::Scheduler::Schedule"] |= {"create": create_schedule, "update": update_schedule}
    _refuse_existing("AWS::Logs::LogGroup", "LogGroupName", lambda: cloudwatch_logs._log_groups)
    _refuse_existing("AWS::Lambda::Function", "FunctionName", lambda: lambda_svc._functions)
    handlers["AWS::Lambda::Function"] |= _with_reserved_concurrency(handlers["AWS::Lambda::Function"])
    provisioners._RESOURCE_HANDLERS = Handlers(handlers)


def create_schedule(logical_id: str, properties: dict[str, Any], stack: str) -> Provisioned:
    """Create the schedule with all of its properties; raise ValueError where EventBridge Scheduler refuses it."""
    name = properties.get("Name") or provisioners._physical_name(stack, logical_id, max_len=64)
    status, _, body = scheduler._create_schedule(name, properties)
    if status >= 400:
        raise ValueError(f"AWS::Scheduler::Schedule {name}: {body.decode()}")
    return name, {"Arn": scheduler._schedule_arn(properties.get("GroupName", "default"), name)}


def update_schedule(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str) -> Provisioned:
    """Update the schedule in place; another name or group makes a new one, and the caller deletes the old one."""
    identity = [(one.get("Name", physical_id), one.get("GroupName", "default")) for one in (old, new)]
    if identity[0] != identity[1]:
        created = create_schedule(physical_id, new, stack)
        if created[0] == physical_id:
            # The same name in another group keeps its physical id, so nobody else deletes the old one.
            scheduler._delete_schedule(physical_id, {"groupName": identity[0][1]})
        return created
    status, _, body = scheduler._update_schedule(physical_id, new)
    if status >= 400:
        raise ValueError(f"AWS::Scheduler::Schedule {physical_id}: {body.decode()}")
    return physical_id, {"Arn": scheduler._schedule_arn(identity[1][1], physical_id)}


def _refuse_existing(kind: str, name_property: str, existing: Callable[[], Any]) -> None:
    handler = provisioners._RESOURCE_HANDLERS[kind]
    create: Create = handler["create"]

    def create_new(logical_id: str, properties: dict[str, Any], stack: str) -> Provisioned:
        name = properties.get(name_property)
        if name and name in existing():
            raise ValueError(f"Resource of type '{kind}' with identifier '{name}' already exists.")
        return create(logical_id, properties, stack)

    handler["create"] = create_new


def _with_reserved_concurrency(handler: dict[str, Any]) -> dict[str, Any]:
    create, update = handler["create"], handler["update"]

    def reserve(name: str, properties: dict[str, Any]) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        if reserved is None:
            lambda_svc._functions[name]["concurrency"] = None
            return
        status, _, body = lambda_svc._put_function_concurrency(name, {"ReservedConcurrentExecutions": int(reserved)})
        if status >= 400:
            raise ValueError(f"AWS::Lambda::Function {name}: {body.decode()}")

    def create_function(logical_id: str, properties: dict[str, Any], stack: str) -> Provisioned:
        wanted = properties.get("FunctionName", "")
        if len(wanted) > LONGEST_FUNCTION_NAME:
            raise ValueError(too_long(wanted))
        name, attributes = create(logical_id, properties, stack)
        try:
            reserve(name, properties)
        except ValueError:
            # A function whose creation fails is no part of the stack and would stay.
            handler["delete"](name, properties)
            raise
        return name, attributes

    def update_function(
        physical_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical_id: str | None = None
    ) -> Provisioned:
        name, attributes = update(physical_id, old, new, stack, logical_id)
        reserve(name, new)
        return name, attributes

    return {"create": create_function, "update": update_function}


def too_long(name: str) -> str:
    """Return Lambda's message about a function name with too many characters."""
    return (
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must have "
        f"length less than or equal to {LONGEST_FUNCTION_NAME}"
    )
