"""Collect everything that the deployed application wrote, logged or passed on, for tests that search it for secrets."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import quote

from local_account.deploy import STACK

from tests.helpers.e2e.running import Inbox, Running


def spellings(secret: str) -> set[str]:
    """Return the forms in which a secret may hide."""
    raw = secret.encode()
    coded = {base64.b64encode(raw).decode().rstrip("="), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    return {secret, quote(secret, safe=""), raw.hex(), *coded}


def kept(running: Running, inbox: Inbox, since: datetime) -> Iterator[tuple[str, str]]:
    """Yield each place with its content."""
    yield from _items(running)
    yield from _objects(running)
    yield from _logs(running, since)
    yield from _histories(running, since)
    yield from _variables(running)
    yield from _schedules(running)
    for number, message in enumerate(inbox.everything()):
        said = json.dumps([message.subject, message.text, dict(message.attributes), dict(message.document)])
        yield f"message {number} to {message.attributes.get('approver', 'all')}: {message.subject}", said


def _items(running: Running) -> Iterator[tuple[str, str]]:
    for page in running.dynamodb.get_paginator("scan").paginate(TableName=running.application.table):
        for item in page["Items"]:
            yield f"item {item['pk']['S']} {item['sk']['S']}", json.dumps(item, default=str)


def _objects(running: Running) -> Iterator[tuple[str, str]]:
    bucket = running.application.bucket
    for page in running.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            body = running.s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
            yield f"object {found['Key']}", body.decode("utf-8", errors="replace")


def _logs(running: Running, since: datetime) -> Iterator[tuple[str, str]]:
    logs = running.account.session.client("logs")
    groups = [group for page in logs.get_paginator("describe_log_groups").paginate() for group in page["logGroups"]]
    start = int(since.timestamp() * 1000)
    for name in {group["logGroupName"] for group in groups}:
        if not name.startswith(("/aws/lambda/optimizer-", "/aws/vendedlogs/")):
            continue
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=start):
            for event in page["events"]:
                yield f"log {name}", event["message"]


def _histories(running: Running, since: datetime) -> Iterator[tuple[str, str]]:
    for arn in _executions(running, since):
        described = running.sfn.describe_execution(executionArn=arn)
        told = [described.get(name, "") for name in ("input", "output", "cause")]
        yield f"execution {described['name']}", json.dumps(told)
        for page in running.sfn.get_paginator("get_execution_history").paginate(executionArn=arn):
            for event in page["events"]:
                yield f"history of {described['name']}: {event['type']}", json.dumps(event, default=str)


def _executions(running: Running, since: datetime) -> Iterator[str]:
    """Yield the executions of both machines, and the children of their distributed maps."""
    for machine in running.machines:
        for page in running.sfn.get_paginator("list_executions").paginate(stateMachineArn=machine):
            for execution in page["executions"]:
                if execution["startDate"] < since:
                    continue
                yield execution["executionArn"]
                for run in running.sfn.list_map_runs(executionArn=execution["executionArn"])["mapRuns"]:
                    children = running.sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]
                    yield from (child["executionArn"] for child in children)


def _variables(running: Running) -> Iterator[tuple[str, str]]:
    """Yield the variables of our own functions."""
    for page in running.lambda_.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function["FunctionName"].startswith(f"{STACK}-"):
                yield f"variables of {function['FunctionName']}", json.dumps(function.get("Environment", {}))


def _schedules(running: Running) -> Iterator[tuple[str, str]]:
    for name in running.schedules():
        try:
            own = running.scheduler.get_schedule(Name=name, GroupName=running.application.schedule_group)
        except running.scheduler.exceptions.ResourceNotFoundException:
            # The schedule fired since it was listed; schedules that have fired are deleted.
            continue
        yield f"schedule {name}", json.dumps(own, default=str)
