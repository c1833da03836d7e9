"""Memory planning on the functions of the account, from their own metrics and logs. Read-only."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import boto3
from local_account.simulated_services import MemoryDocuments
from optimizer.aws import DEFAULT_CALLS, keep_unknown_fields, pace
from optimizer.capacity import CapacityPlanner, LambdaAccount, MemoryBacktestRow, rows_of, together
from optimizer.core import Change, Interval, NoChange, plain
from optimizer.function_logs import ReportLog
from optimizer.policy import Policy
from optimizer.prices import prices_used
from optimizer.store import prices_of_account
from optimizer.traffic import History, history_key, summarise

from optimizer_cli.backtests import own_functions

_RUN = "backtest"


def plan(policy: Policy, only: Collection[str], now: datetime) -> tuple[list[MemoryBacktestRow], Interval, list[str]]:
    """Return what a run would propose now, the total savings, and where the prices are from.

    Log scans cost money and stay within the policy."""
    targets = own_functions.choose(boto3.client("resourcegroupstaggingapi"), policy, only)
    rows = [MemoryBacktestRow(name, None, None, (), None, note=why) for name, why in targets.left_out.items()]
    used: set[str] = set()
    documents = MemoryDocuments()
    functions = boto3.client("lambda")
    pace(functions, DEFAULT_CALLS)
    keep_unknown_fields(functions)
    account = LambdaAccount(functions, boto3.client("application-autoscaling"))
    planner = CapacityPlanner(
        documents, account, ReportLog(boto3.client("logs")), policy, _RUN, now, prices_of_account(policy)
    )
    for number, batch in enumerate(targets.batches()):
        name = f"{number:04d}"
        _observe(documents, name, plain(batch), now, functions)
        found = planner.plan(name)
        proposals: list[Change | NoChange] = [*found.changes, *found.no_changes]
        rows += rows_of(proposals, found.failed)
        used.update(prices_used(one.evidence for one in proposals))
    saved = together(row.saving for row in rows if row.saving)
    return sorted(rows, key=lambda row: row.name), saved, sorted(used)


def _observe(documents: MemoryDocuments, name: str, batch: Any, now: datetime, functions_of_account: Any) -> None:
    aliases = {target["function_name"]: target["alias"] for target in batch}
    read = own_functions.histories(boto3.client("cloudwatch"), functions_of_account, aliases, now)
    functions = {}
    for target in batch:
        function = target["function_name"]
        history = read[function]
        if not isinstance(history, History):
            continue
        documents.write_bytes(history_key(function), history.to_bytes(), "application/octet-stream")
        functions[function] = summarise(
            history,
            function_name=function,
            function_arn=target["function_arn"],
            alias=target["alias"],
            timezone=target["timezone"],
            history_key=history_key(function),
        )
    failed = {function: str(why) for function, why in read.items() if not isinstance(why, History)}
    documents.write(f"runs/{_RUN}/batches/{name}.json", {"functions": batch})
    documents.write(f"runs/{_RUN}/traffic/{name}.json", {"functions": functions, "failed": failed})
