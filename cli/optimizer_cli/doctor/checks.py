"""The checks that only read. Each yields at least one line."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from optimizer.approvals import approver_topics
from optimizer.policy import InvalidPolicy, Policy, read_policy
from optimizer.store import Documents, NoSuchDocument, RunStore

from optimizer_cli.doctor.finding import Check, Finding, Health, Stack
from optimizer_cli.subscriptions import READY, addresses, outdated, state, topic

POLICY_KEY = "policy/policy.json"
# The state machine starts so many batches at once, and the pages and pings need room beside them.
_CONCURRENCY = 50
_DAYS = 8
_GOOD_STATUS = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def stack_status(stack: Stack) -> Iterator[Finding]:
    """Check that the last deployment succeeded."""
    if stack.status in _GOOD_STATUS:
        yield Finding("stack", Health.OK, f"{stack.name} is {stack.status} in {stack.region}.")
        return
    yield Finding(
        "stack",
        Health.PROBLEM,
        f"{stack.name} is {stack.status}.",
        f"Read why: aws cloudformation describe-stack-events --stack-name {stack.name}",
    )


def policy(stack: Stack) -> Iterator[Finding]:
    """Check that the stored policy can be read and is valid."""
    where = f"s3://{stack.outputs['BucketName']}/{POLICY_KEY}"
    try:
        found = _policy(stack)
    except NoSuchDocument:
        yield Finding(
            "policy",
            Health.NOTE,
            "No policy is stored: the defaults hold, and they only recommend.",
            "Store one: optimizer policy put examples/pilot.json",
        )
    except InvalidPolicy as invalid:
        first = invalid.errors[0]
        yield Finding(
            "policy",
            Health.PROBLEM,
            f"{where} has {len(invalid.errors)} error{'' if len(invalid.errors) == 1 else 's'}; the first: {first}",
            "Mend it, then: optimizer policy put FILE",
        )
    else:
        yield Finding("policy", Health.OK, f"{where} is valid; its mode is {found.mode}.")


def functions(stack: Stack) -> Iterator[Finding]:
    """Check that functions carry the tags of the policy."""
    try:
        tags = dict(_policy(stack).functions.tags)
    except (NoSuchDocument, InvalidPolicy):
        tags = dict(Policy().functions.tags)
    wanted = ", ".join(f"{key}={value}" for key, value in tags.items())
    pages = (
        stack.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            ResourceTypeFilters=["lambda:function"],
            TagFilters=[{"Key": key, "Values": [value]} for key, value in tags.items()],
        )
    )
    number = sum(len(page["ResourceTagMappingList"]) for page in pages)
    if number:
        yield Finding("functions", Health.OK, f"{number} functions carry {wanted}.")
        return
    yield Finding(
        "functions",
        Health.PROBLEM,
        f"No function carries {wanted}: runs look at nothing.",
        f"Tag one: aws lambda tag-resource --resource FUNCTION_ARN --tags {wanted.replace(', ', ',')}",
    )


def people(stack: Stack) -> Iterator[Finding]:
    """Check that somebody gets the messages for people, and that nobody depends on an earlier version's topics."""
    sns, arn = stack.client("sns"), stack.outputs["TopicArn"]
    found = addresses(sns, arn) or []
    waiting = [each.endpoint for each in found if not each.confirmed]
    if waiting:
        yield Finding(
            "people",
            Health.PROBLEM,
            f"Not confirmed: {', '.join(sorted(waiting))}.",
            "Open the mail `AWS Notification - Subscription Confirmation` and follow its link.",
        )
    elif not found:
        yield Finding(
            "people",
            Health.PROBLEM,
            "Nobody is subscribed: results and alarms reach nobody.",
            f"aws sns subscribe --topic-arn {arn} --protocol email --notification-endpoint ADDRESS",
        )
    else:
        yield Finding("people", Health.OK, f"Confirmed subscriptions: {len(found)}.")
    for sentence in outdated(sns, arn, stack.outputs["ProgramsTopicArn"]):
        yield Finding("people", Health.NOTE, sentence, "docs/upgrade.md, Who must subscribe again.")


def approvers(stack: Stack) -> Iterator[Finding]:
    """Check that each approver of the policy gets links."""
    try:
        names = [approver.name for approver in _policy(stack).approvals.approvers]
    except (NoSuchDocument, InvalidPolicy):
        names = []
    sns, topics = stack.client("sns"), approver_topics(stack.outputs["TopicArn"], stack.name)
    states = {name: state(addresses(sns, topic(topics, name))) for name in names}
    missing = {name: what for name, what in states.items() if what != READY}
    for name, what in missing.items():
        yield Finding(
            "approvers",
            Health.PROBLEM,
            f"{name} has {what}, and gets no links.",
            f"optimizer approvals add {name} --email ADDRESS",
        )
    if not missing:
        yield Finding("approvers", Health.OK, f"The policy names {len(names) or 'no'} approvers.")


def schedules(stack: Stack) -> Iterator[Finding]:
    """Check that the schedules of runs are enabled."""
    scheduler, group = stack.client("scheduler"), stack.outputs["RunScheduleGroup"]
    pages = scheduler.get_paginator("list_schedules").paginate(GroupName=group)
    found = {each["Name"]: each["State"] for page in pages for each in page["Schedules"]}
    disabled = sorted(name for name, state in found.items() if state != "ENABLED")
    if disabled:
        yield Finding(
            "schedules",
            Health.PROBLEM,
            f"Disabled: {', '.join(disabled)}. No run starts by itself.",
            "Deploy with ScheduleState=ENABLED.",
        )
    else:
        yield Finding("schedules", Health.OK, f"{len(found)} are enabled.")


def runs(stack: Stack) -> Iterator[Finding]:
    """Check how the last run ended."""
    store = RunStore(stack.client("dynamodb"), stack.outputs["TableName"])
    found = store.runs(datetime.now(UTC) - timedelta(days=_DAYS), 1)
    if not found:
        machine = stack.outputs["OptimizeStateMachineArn"]
        yield Finding(
            "runs",
            Health.NOTE,
            f"No run in {_DAYS} days.",
            f"Start one: aws stepfunctions start-execution --state-machine-arn {machine} --input '{{}}'",
        )
        return
    last = found[0]
    failure = last.get("failure")
    if failure:
        yield Finding(
            "runs",
            Health.PROBLEM,
            f"The last run, {last['run_id']}, failed in {failure['state']}: {failure['error']}.",
            "docs/operations.md, Failed runs.",
        )
    else:
        yield Finding("runs", Health.OK, f"The last run, {last['run_id']}, is {last['status']}.")


def alarms(stack: Stack) -> Iterator[Finding]:
    """Check that no alarm of the stack is active."""
    names = sorted(stack.resources.get("AWS::CloudWatch::Alarm", {}).values())
    if not names:
        return
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=names[:100])
    active = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"] if alarm["StateValue"] == "ALARM"]
    if active:
        yield Finding("alarms", Health.PROBLEM, f"Active: {', '.join(active)}.", "docs/operations.md, Alarms.")
    else:
        yield Finding("alarms", Health.OK, f"None of {len(names)} is active.")


def dead_letters(stack: Stack) -> Iterator[Finding]:
    """Check that no call of a schedule failed."""
    url = stack.outputs["WarmupDeadLettersUrl"]
    asked = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    number = int(asked["Attributes"]["ApproximateNumberOfMessages"])
    if number:
        yield Finding(
            "dead letters",
            Health.PROBLEM,
            f"{number} calls of schedules failed.",
            f"Read why: aws sqs receive-message --queue-url {url}",
        )
    else:
        yield Finding("dead letters", Health.OK, "No call of a schedule failed.")


def lambdas(stack: Stack) -> Iterator[Finding]:
    """Call one Lambda that only reads, to see that the packages, the roles and the table work."""
    name = stack.resources["AWS::Lambda::Function"]["AnswerApproval"]
    event = json.dumps({"step": "show", "run_id": "doctor"})
    answer = stack.client("lambda").invoke(FunctionName=name, Payload=event)
    text = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        yield Finding(
            "lambdas", Health.PROBLEM, f"{name} fails: {text[:200]}", "Read its log: /aws/lambda/STACK-functions."
        )
    else:
        yield Finding("lambdas", Health.OK, f"{name} answers.")


def roles(stack: Stack) -> Iterator[Finding]:
    """Tell which roles have a permissions boundary, which may take rights away that the template grants."""
    iam = stack.client("iam")
    bounded = {}
    for name in sorted(stack.resources.get("AWS::IAM::Role", {}).values()):
        boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
        if boundary:
            bounded[name] = boundary["PermissionsBoundaryArn"]
    if bounded:
        yield Finding(
            "rights",
            Health.NOTE,
            f"{len(bounded)} roles are bounded by {', '.join(sorted(set(bounded.values())))}.",
            "It must allow everything that docs/rights.md lists.",
        )
    else:
        yield Finding("rights", Health.OK, "No role has a permissions boundary.")


def pages(stack: Stack) -> Iterator[Finding]:
    """Check that the pages can be opened from here."""
    for output, page in (("ApprovalUrl", "approval page"), ("ReportUrl", "report pages")):
        url = stack.outputs.get(output)
        if not url:
            yield Finding(
                page,
                Health.NOTE,
                "It is off: messages name the commands that do the same.",
                "Pages need a Region with function URLs and PublicPages of the stack.",
            )
        elif refused := _refused_by_aws(url):
            yield Finding(
                page,
                Health.PROBLEM,
                f"{url} does not answer: {refused}.",
                "If your organisation forbids public functions, deploy with PublicPages=none.",
            )
        else:
            yield Finding(page, Health.OK, "It answers.")


def concurrency(stack: Stack) -> Iterator[Finding]:
    """Check that the account has room for a run beside the functions of the team."""
    limit = stack.client("lambda").get_account_settings()["AccountLimit"]
    total, free = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    if free < _CONCURRENCY:
        yield Finding(
            "concurrency",
            Health.PROBLEM,
            f"{free} of {total} concurrent executions are not reserved; a run needs up to {_CONCURRENCY}.",
            "aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384"
            " --desired-value 1000",
        )
    else:
        yield Finding("concurrency", Health.OK, f"{free} of {total} concurrent executions are not reserved.")


CHECKS: tuple[Check, ...] = (
    stack_status,
    lambdas,
    policy,
    functions,
    people,
    approvers,
    schedules,
    runs,
    alarms,
    dead_letters,
    pages,
    roles,
    concurrency,
)


def _policy(stack: Stack) -> Policy:
    return read_policy(Documents(stack.client("s3"), stack.outputs["BucketName"]).read_bytes(POLICY_KEY))


def _refused_by_aws(url: str) -> str:
    """Return why the page did not answer itself, or an empty string. Without a link it refuses, in its own words."""
    try:
        with urllib.request.urlopen(url, timeout=20):  # noqa: S310 - an output of the stack
            return ""
    except urllib.error.HTTPError as refused:
        body = refused.read().decode(errors="replace")
        return "" if "<html" in body.lower() else f"HTTP {refused.code}, {body[:100]}"
    except OSError as unreachable:
        return str(unreachable)
