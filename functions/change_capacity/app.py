"""ChangeCapacity: applies, observes, keeps or rolls back one change of memory or provisioned concurrency."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optimizer import guardrails
from optimizer.aws import Environment, clients, logged, paced_lambda, share_of_calls
from optimizer.capacity import CapacityHooks, LambdaAccount, LiveFunction, Measure
from optimizer.core import Change, Tuner
from optimizer.lifecycle import FIELDS, Setting, handle
from optimizer.policy import settings_of_change
from optimizer.store import ReplacedSizes

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import PlacedTimetables
    from optimizer.function_logs import LogSource, UsedMemory


@logged("change_capacity", **FIELDS)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, change_capacity."""
    return handle(event, context, datetime.now(UTC), _hooks)


def _hooks(setting: Setting) -> CapacityHooks:
    environment, policy = setting.environment, settings_of_change(setting.policy, setting.change)
    functions = paced_lambda(share_of_calls(environment, policy.run.max_changes_at_once))

    def recheck(change: Change, live: LiveFunction, now: datetime) -> guardrails.Refusal | None:
        if change.tuner is Tuner.MEMORY:
            from optimizer.guardrails import memory

            return guardrails.recheck(
                change, memory.MemoryState(live.version.memory_mb), setting.policy, now, live.tags
            )
        from optimizer.capacity.provisioned import held
        from optimizer.guardrails import provisioned_concurrency

        limits = functions.get_account_settings()["AccountLimit"]
        there = provisioned_concurrency.ProvisionedState(
            environments=held(live).environments,
            account_unreserved=limits["UnreservedConcurrentExecutions"],
            reserved_concurrency=live.reserved,
        )
        return guardrails.recheck(change, there, setting.policy, now, live.tags)

    timetables = None if setting.change.tuner is Tuner.MEMORY else _timetables(environment)
    return CapacityHooks(
        account=LambdaAccount(functions, clients.client("application-autoscaling"), timetables),
        policy=policy,
        recheck=recheck,
        measure=Measure(clients.client("cloudwatch")),
        used_memory=_used_memory,
        sleep=time.sleep,
        remaining_ms=setting.remaining_ms,
        clock=lambda: datetime.now(UTC),
        timetables=timetables,
        replaced=ReplacedSizes(clients.client("dynamodb"), environment.table),
    )


def _timetables(environment: Environment) -> "PlacedTimetables":
    from optimizer.aws import ScheduleTarget
    from optimizer.capacity.provisioned import PlacedTimetables

    return PlacedTimetables(
        clients.client("scheduler"),
        clients.client("application-autoscaling"),
        ScheduleTarget(
            environment.schedule_group,
            environment.schedule_role_arn,
            environment.provision_function_arn,
            environment.schedule_dead_letters_arn,
        ),
    )


def _used_memory(source: "LogSource", version: str, start: datetime, end: datetime, max_scan_mb: int) -> "UsedMemory":
    # One of the last steps of a change of memory.
    from optimizer.function_logs import ReportLog, read_used_memory

    return read_used_memory(ReportLog(clients.client("logs")), source, version, start, end, max_scan_mb)
