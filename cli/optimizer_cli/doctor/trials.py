"""The trials of `optimizer doctor --try`: what no documentation of AWS settles, tried in this account.

Each makes something small, looks at the answer and deletes it again. Every answer is fine: the application works with
each of them. The finding says which one this account gives, for whoever writes subscriptions or reads a bill.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from optimizer_cli.doctor.finding import Check, Finding, Health, Stack

_WITHIN_S = 30.0
_PAUSE_S = 1.0
# A query of more would cost more than a cent.
_LARGEST_LOG_BYTES = 1_000_000_000
_EMPTY_MAP = {
    "QueryLanguage": "JSONata",
    "StartAt": "Nothing",
    "States": {
        "Nothing": {
            "Type": "Map",
            "Items": [],
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Item",
                "States": {"Item": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    },
}


def filters_of_json_messages(stack: Stack) -> Iterator[Finding]:
    """Publish a message of structure json with an attribute to a subscription that filters on it."""
    sns, sqs = stack.client("sns"), stack.client("sqs")
    name = f"{stack.name}-doctor-{secrets.token_hex(4)}"
    with ExitStack() as made:
        topic = sns.create_topic(Name=name)["TopicArn"]
        made.callback(sns.delete_topic, TopicArn=topic)
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        made.callback(sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"FilterPolicy": json.dumps({"try": ["json"]})}
        )
        attributes = {"try": {"DataType": "String", "StringValue": "json"}}
        body = json.dumps({"default": "doctor"})
        sns.publish(TopicArn=topic, Message=body, MessageStructure="json", MessageAttributes=attributes)
        received = _until(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []))
        if not received:
            said = "Filters on attributes do not see them in JSON messages: filter on the body, or not at all."
        elif "MessageAttributes" in json.loads(received[0]["Body"]):
            said = "Filters on attributes work with JSON messages, and the attributes are delivered."
        else:
            said = "Filters on attributes work with JSON messages; the attributes themselves are not delivered."
        yield Finding("filters of JSON messages", Health.NOTE, said)
        try:
            empty = {"try": {"DataType": "String.Array", "StringValue": "[]"}}
            sns.publish(TopicArn=topic, Message=body, MessageStructure="json", MessageAttributes=empty)
            said = "An empty String.Array is accepted as an attribute."
        except ClientError as refused:
            said = f"An empty String.Array is refused as an attribute: {refused.response['Error']['Code']}."
        yield Finding("empty attribute", Health.NOTE, said)


def empty_distributed_map(stack: Stack) -> Iterator[Finding]:
    """Run a Distributed Map over an empty list with the role of a run."""
    states = stack.client("stepfunctions")
    role = states.describe_state_machine(stateMachineArn=stack.outputs["OptimizeStateMachineArn"])["roleArn"]
    machine = states.create_state_machine(
        name=f"{stack.name}-doctor-{secrets.token_hex(4)}", definition=json.dumps(_EMPTY_MAP), roleArn=role
    )["stateMachineArn"]
    try:
        execution = states.start_execution(stateMachineArn=machine)["executionArn"]

        def ended() -> Any:
            described = states.describe_execution(executionArn=execution)
            return described if described["status"] != "RUNNING" else None

        found = _until(ended) or {"status": "still running"}
        why = f": {found['error']}" if found.get("error") else ""
        yield Finding("empty Distributed Map", Health.NOTE, f"A Distributed Map over no items: {found['status']}{why}.")
    finally:
        states.delete_state_machine(stateMachineArn=machine)


def schedules_in_the_past(stack: Stack) -> Iterator[Finding]:
    """Create a schedule, disabled, whose time has passed."""
    scheduler, group = stack.client("scheduler"), stack.outputs["RunScheduleGroup"]
    existing = scheduler.list_schedules(GroupName=group, MaxResults=1)["Schedules"][0]["Name"]
    target = scheduler.get_schedule(Name=existing, GroupName=group)["Target"]
    name = f"doctor-{secrets.token_hex(4)}"
    try:
        scheduler.create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression=f"at({datetime.now(UTC) - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            State="DISABLED",
            Target={"Arn": target["Arn"], "RoleArn": target["RoleArn"], "Input": "{}"},
        )
    except scheduler.exceptions.ValidationException:
        yield Finding("schedules in the past", Health.NOTE, "A schedule whose time has passed is refused.")
        return
    scheduler.delete_schedule(Name=name, GroupName=group)
    yield Finding("schedules in the past", Health.NOTE, "A schedule whose time has passed is accepted.")


def stored_and_scanned_bytes(stack: Stack) -> Iterator[Finding]:
    """Compare the size of a log group with what a query over all of it scans."""
    logs = stack.client("logs")
    groups = [
        group
        for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/")
        for group in page["logGroups"]
        if 0 < group.get("storedBytes", 0) <= _LARGEST_LOG_BYTES
    ]
    if not groups:
        yield Finding("stored bytes", Health.UNKNOWN, "No log group of a Lambda function has a known size below 1 GB.")
        return
    largest = max(groups, key=lambda group: group["storedBytes"])
    now = datetime.now(UTC)
    query = logs.start_query(
        logGroupName=largest["logGroupName"],
        startTime=largest["creationTime"] // 1000,
        endTime=int(now.timestamp()),
        queryString="stats count(*)",
    )["queryId"]

    def complete() -> Any:
        found = logs.get_query_results(queryId=query)
        return found if found["status"] in ("Complete", "Failed", "Cancelled", "Timeout") else None

    found = _until(complete)
    scanned = (found or {}).get("statistics", {}).get("bytesScanned", 0.0)
    if not scanned:
        yield Finding("stored bytes", Health.UNKNOWN, f"A query over {largest['logGroupName']} did not tell.")
        return
    said = f"A query scans {scanned / largest['storedBytes']:.2f} times the stored bytes of {largest['logGroupName']}."
    yield Finding("stored bytes", Health.NOTE, said)


TRIALS: tuple[Check, ...] = (
    filters_of_json_messages,
    empty_distributed_map,
    schedules_in_the_past,
    stored_and_scanned_bytes,
)


def _until(ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer, or return None after a while."""
    deadline = time.monotonic() + _WITHIN_S
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return found
