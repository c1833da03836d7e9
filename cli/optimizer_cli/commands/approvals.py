"""`optimizer approvals`: who gets links to approval requests, and where."""

import json
from typing import Any

import boto3
import click
from optimizer.approvals import approver_topics, is_approver
from optimizer.policy import InvalidPolicy, Policy, read_policy
from optimizer.store import NoSuchDocument

from optimizer_cli import subscriptions, tables
from optimizer_cli.application import JSON, STACK, Application, NotFound, errors_in_one_sentence
from optimizer_cli.printing import echo

POLICY_KEY = "policy/policy.json"


@click.group()
def command() -> None:
    """Manage the addresses to which approvers get their links.

    Each approver has a topic of their own, so that nobody needs a filter and nobody sees the link of another. The
    policy names the approvers (`approvals.approvers`).
    """


@command.command()
@click.argument("name")
@click.option("--email", required=True, help="Address that gets the links.")
@STACK
@errors_in_one_sentence
def add(name: str, email: str, stack: str) -> None:
    """Let the approver NAME get links at an address.

    Create the approver's topic if it does not exist, encrypted with the stack's key, and subscribe the address. AWS
    sends a mail to it; links are sent once somebody has opened the link in that mail. Repeating the command changes
    nothing.
    """
    if not is_approver(name):
        raise click.BadParameter(
            "a name has at most 64 letters, digits, dots, hyphens and underscores, and begins with a letter or digit",
            param_hint="NAME",
        )
    application, sns = Application.find(stack), boto3.client("sns")
    topic_arn = subscriptions.topic(approver_topics(application.topic_arn, stack), name)
    subscriptions.create_topic(sns, application.topic_arn, topic_arn)
    sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=email)
    found = next(one for one in subscriptions.addresses(sns, topic_arn) or () if one.endpoint == email)
    if found.confirmed:
        echo(f"{email} gets the links of {name}.")
    else:
        echo(f"AWS has sent a mail to {email}: open the link in it, and {email} gets the links of {name}.")
    if name not in _approvers(application):
        echo(f"The stored policy does not name {name} in approvals.approvers yet.", err=True)


@command.command("list")
@STACK
@JSON
@errors_in_one_sentence
def list_(stack: str, as_json: bool) -> None:
    """List approvers with their addresses.

    Show the approvers of the stored policy and those with a topic, and what is missing before each gets links. Name
    subscriptions that were made for an earlier version on standard error. Read-only.
    """
    application, sns = Application.find(stack), boto3.client("sns")
    topics, wanted = approver_topics(application.topic_arn, stack), _approvers(application)
    rows: list[dict[str, Any]] = []
    for name in sorted({*wanted, *subscriptions.approvers_with_topics(sns, topics)}):
        found = subscriptions.addresses(sns, subscriptions.topic(topics, name))
        rows.append(
            {
                "approver": name,
                "in_policy": name in wanted,
                "state": subscriptions.state(found),
                "addresses": [{"address": one.endpoint, "confirmed": one.confirmed} for one in found or ()],
            }
        )
    if as_json:
        echo(json.dumps(rows, indent=1))
    else:
        tables.show(f"Approvers: {len(rows)}", ("approver", "in the policy", "state", "addresses"), map(_row, rows))
    for sentence in subscriptions.outdated(sns, application.topic_arn, application.programs_topic_arn):
        echo(sentence, err=True)


@command.command()
@click.argument("name")
@STACK
@errors_in_one_sentence
def remove(name: str, stack: str) -> None:
    """Delete the topic of the approver NAME with its subscriptions.

    Links that were sent stay valid until they expire. Remove the name from `approvals.approvers` of the policy, too.
    """
    application, sns = Application.find(stack), boto3.client("sns")
    topics = approver_topics(application.topic_arn, stack)
    if name not in subscriptions.approvers_with_topics(sns, topics):
        raise NotFound(f"The approver {name} has no topic in the stack {stack}.")
    sns.delete_topic(TopicArn=subscriptions.topic(topics, name))
    echo(f"{name} gets no links any more.")
    if name in _approvers(application):
        echo(f"The stored policy still names {name} in approvals.approvers.", err=True)


def _approvers(application: Application) -> list[str]:
    try:
        policy = read_policy(application.documents.read_bytes(POLICY_KEY))
    except NoSuchDocument:
        policy = Policy()
    except InvalidPolicy:
        return []
    return [approver.name for approver in policy.approvals.approvers]


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    found = [f"{one['address']}{'' if one['confirmed'] else ' (not confirmed)'}" for one in row["addresses"]]
    return (row["approver"], "yes" if row["in_policy"] else "no", row["state"], ", ".join(found) or "-")
