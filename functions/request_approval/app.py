"""RequestApproval: send an approval request (`step` "ask"), tell people of the responses to it (`step` "answered"), or
record that nobody responded (`step` "expire")."""

from datetime import UTC, datetime
from typing import Any

from optimizer.approvals import (
    RequestSender,
    approver_topics,
    run_teller,
    send_approval_request,
)
from optimizer.aws import (
    Environment,
    LinkSigner,
    above_zero,
    check_event,
    clients,
    digest,
    list_of,
    logged,
    name,
    one_of,
    optional,
    record,
    text,
)
from optimizer.policy import Policy
from optimizer.report import Channels
from optimizer.store import Documents, RunStore

REQUEST_EVENT = {
    "plan_key": text,
    "digest": digest,
    "ask": list_of(record(change_id=name, tuner=name)),
    "task_token": text,
    "timeout_s": above_zero,
}
ENVIRONMENT = Environment.read()
STORE = RunStore(clients.client("dynamodb"), ENVIRONMENT.table)
TELL_RUN = run_teller(clients.client("stepfunctions"))


@logged("request_approval", step=one_of("ask", "answered", "expire"), run_id=name)
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the answer to an event: docs/architecture.md, request_approval."""
    now = datetime.now(UTC)
    if event["step"] == "expire":
        from optimizer.approvals import expire_approval_request

        check_event(event, reason=optional(text))
        return expire_approval_request(STORE, event["run_id"], now, event.get("reason") or "")
    if event["step"] == "answered":
        from optimizer.approvals import tell_answers

        return tell_answers(STORE, _sender(), event["run_id"], now)
    check_event(event, **REQUEST_EVENT)
    documents = Documents(clients.client("s3"), ENVIRONMENT.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    return send_approval_request(STORE, policy, event, now, _sender(), TELL_RUN)


def _sender() -> RequestSender:
    sns, events = clients.client("sns"), clients.client("events")
    return RequestSender(
        channels=Channels(sns, events, ENVIRONMENT.topic_arn, ENVIRONMENT.programs_topic_arn),
        store=STORE,
        signer=LinkSigner(clients.client("kms"), ENVIRONMENT.approval_key),
        base_url=ENVIRONMENT.approval_url,
        topics=approver_topics(ENVIRONMENT.topic_arn, ENVIRONMENT.stack),
        stack=ENVIRONMENT.stack,
    )
