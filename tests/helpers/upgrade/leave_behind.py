# mypy: ignore-errors
"""Deploy version 0.1.0 and leave behind what an upgrade meets; print what was left as JSON.

This runs with the modules of that version's checkout on PYTHONPATH, in a process of its own: no module of today's
version is loaded. Standard input says which local account to use.
"""

import json
import sys
from datetime import datetime
from functools import partial
from types import SimpleNamespace

import on_trial
from local_account.account import LocalAccount
from local_account.deploy import deploy_application
from local_account.fleet import FleetSource, Worse, make_fleet
from on_trial import OnTrial
from running import Inbox
from test_states import Machines

MAIL = "team@example.com"
# On a busy machine.
WITHIN_S = 900
ASKED = ("rebuild_special", "drop_duplicate", "drop_redundant", "drop_unused", "create", "optimize")
UNLIMITED = {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4}


class Trial(OnTrial):
    """Functions and changes, on a busy machine."""

    def function(self, name: str, *, scaled: bool = False):
        """Create a function, and wait until its creation has ended."""
        target = super().function(name, scaled=scaled)
        self.running.lambda_.get_waiter("function_active_v2").wait(FunctionName=target.name)
        self.running.lambda_.get_waiter("function_updated_v2").wait(FunctionName=target.name)
        return target


def main() -> None:
    """Leave a kept change of memory, an approval request, and a change of each tuner under observation."""
    given = json.load(sys.stdin)
    account = LocalAccount(FleetSource(datetime.fromisoformat(given["now"])), port=given["port"])
    account._stand_in_port, account._secret = given["stand_in_port"], given["secret"]
    account.fleet = make_fleet(account.source)
    application = deploy_application(account)
    running = Machines(SimpleNamespace(account=account, application=application))
    # The log group of the cache's client, without which its observation fails.
    account.session.client("logs").create_log_group(logGroupName="/aws/lambda/leaving")
    inbox = subscribe(account.session, application.topic_arn)
    account.session.client("sns").subscribe(TopicArn=application.topic_arn, Protocol="email", Endpoint=MAIL)
    # Changes with a short observation end under the old version, and show how the others would end.
    control = observed(running, "control", 0, given["control_minutes"])
    # Both change the TTLs of one cache.
    running.ended(control["cache_ttls"][1], within_s=WITHIN_S)
    database = change_indexes(running, given)
    changes = observed(running, "upgraded", 1, given["minutes"]) | {"indexes": database}
    kept = keep(running)
    # The run holds the lock until people respond, so no other run follows it.
    asked = ask(running)
    ends = {name: running.ended(arn, within_s=WITHIN_S).status for name, (_, arn) in control.items()}
    request = next(said.document for said in inbox.about("asked") if "link" in said.document)
    finished = next(said.document for said in inbox.about("indexes") if "report_url" in said.document)
    json.dump(
        {
            "inbox": inbox.url,
            "topic_arn": application.topic_arn,
            "asked": asked,
            "link": request["link"],
            "report_url": finished["report_url"],
            "changes": {name: change for name, (change, _) in changes.items()},
            "executions": {name: arn for name, (_, arn) in changes.items()},
            "control": {name: record(running, change) for name, (change, _) in control.items()},
            "control_executions": ends,
            "kept": kept,
            "timetable_group": application.timetable_group,
        },
        sys.stdout,
    )


def subscribe(session, topic_arn: str) -> Inbox:
    """Return a queue on the topic that stays when this process has ended."""
    sqs, sns = session.client("sqs"), session.client("sns")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return Inbox(sqs, str(url))


def observed(running: Machines, run_id: str, number: int, minutes: int) -> dict[str, tuple[str, str]]:
    """Apply a change of each tuner of functions and caches; return the id and the execution of each."""
    for part in ("memory", "warmups"):
        on_trial.POLICY[part]["watch_minutes"] = [minutes]
    on_trial.POLICY["cache_ttls"]["watch_minutes"] = minutes
    # Functions with few calls are judged at the same age.
    on_trial.POLICY["memory"]["longest_watch_hours"] = 4
    trial = Trial(running, run_id)
    changes = {
        "memory": trial.memory(steady(running)[number]),
        "provisioned_concurrency": trial.provisioned(trial.function("filled"), 0, 2),
        "timetable": trial.timetable(trial.function("timed")),
        "warmups": trial.warmups(trial.function("warm")),
        "cache_ttls": trial.ttls(),
    }
    running.until = partial(Machines.until, running, within_s=WITHIN_S)
    trial.put_in_place(list(changes.values()))
    trial.keep(changes["timetable"])
    executions = running.executions(running.application.change_arn)
    return {
        name: (change.id, next(arn for arn in executions if arn.endswith(change.id)))
        for name, change in changes.items()
    }


def steady(running: Machines) -> list:
    """Return targets that are called all day and do not mind less memory."""
    found = [t for t in running.fleet if t.behaviour.worse is Worse.NOTHING and t.alias and t.tags and not t.scaled]
    busy = [t for t in found if (t.traffic.invocations > 0).mean() > 0.5]
    return sorted(busy, key=lambda t: t.behaviour.curve.ratio(t.memory_mb * 3 // 4, t.memory_mb))


def keep(running: Machines) -> str:
    """Return a change of memory that was kept."""
    trial = Trial(running, "kept")
    change = trial.memory(trial.function("small"))
    trial.put_in_place([change])
    trial.keep(change)
    return change.id


def ask(running: Machines) -> str:
    """Return the execution of a run whose approval request is open."""
    running.store_policy(
        {
            "version": 1,
            "mode": "approve",
            "memory": {"mode": "recommend"},
            "provisioned_concurrency": {"mode": "recommend"},
            "warmups": {"watch_minutes": [1]},
            "run": UNLIMITED,
        }
    )
    arn = running.start(running.application.optimize_arn, "asked", {"tuners": ["warmups"]})
    running.asked("asked", within_s=WITHIN_S)
    return arn


def change_indexes(running: Machines, given: dict) -> tuple[str, str]:
    """Return the rebuild of an index that a run has applied, and its execution."""
    running.store_policy(
        {
            "version": 1,
            "mode": "auto",
            "indexes": {
                "databases": [given["database"]],
                # Nobody is asked in this run.
                "actions": {"drop_leftover": "automatic", **dict.fromkeys(ASKED, "recommend")},
                "min_bloat_mb": 0,
                "rebuild_after_runs": 1,
                "watch_minutes": [given["minutes"]],
            },
            "run": UNLIMITED,
        }
    )
    ended = running.ended(
        running.start(running.application.optimize_arn, "indexes", {"tuners": ["indexes"]}), within_s=WITHIN_S
    )
    assert ended.status == "SUCCEEDED", ended.cause
    plan = running.document("runs/indexes/plan.json")
    (rebuild,) = (
        item["change"]["id"]
        for item in plan["proposals"]
        if item["verdict"] == "automatic" and item["change"]["action"] == "rebuild"
    )
    (arn,) = (arn for arn in running.changes_of("indexes") if arn.endswith(rebuild))
    running.until([arn], "WaitToVerify", within_s=WITHIN_S)
    return rebuild, arn


def record(running: Machines, change: str) -> str:
    """Return the status of a change."""
    key = {"pk": {"S": f"CHANGE#{change}"}, "sk": {"S": "CHANGE"}}
    return running.dynamodb.get_item(TableName=running.application.table, Key=key)["Item"]["status"]["S"]


main()
